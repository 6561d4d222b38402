// Which states of a graph may be read and written in one buffer: those of which every reader of the old value provably runs
// before, or is, the node that writes the new one.
import { usedNames } from '../graph-builder.js';
import type { OnnxGraph, OnnxNode } from '../onnx-graph.js';

/** Results that are the buffer of their first input. */
export const VIEWS: ReadonlySet<string> = new Set(['Reshape', 'Identity', 'Squeeze', 'Unsqueeze', 'Flatten']);

/** Operators that read each number of an input of their output's shape just before they write the one in its place. */
const ELEMENTWISE: ReadonlySet<string> = new Set([
  'Add', 'Sub', 'Mul', 'Div', 'Where', 'Min', 'Max', 'Neg', 'Abs', 'Sqrt', 'Exp', 'Sign', 'Tanh', 'Sigmoid',
]); // biome-ignore format: a table

export interface StateValue {
  readonly input: string;
  readonly output: string;
  readonly shape: readonly number[];
}

/**
 * Whether the new value of a state may take the memory of the old one while the graph runs.
 * @param shapeOf shapes of values, where they are known
 */
export function mayUpdateInPlace(
  graph: OnnxGraph,
  { input, output, shape }: StateValue,
  shapeOf: (name: string) => readonly number[] | undefined,
): boolean {
  const aliases = aliasesOf(graph.nodes, input);
  if (aliases.has(output)) return false;
  const writer = graph.nodes.find((node) => node.outputs.includes(output));
  if (!writer) return false;
  const before = ancestorsOf(graph.nodes, writer);
  const readers = graph.nodes.filter((node) => usedNames(node).some((name) => aliases.has(name)));
  return readers.every((node) =>
    node === writer ? writesInStep(node, input, aliases, shape, shapeOf) : before.has(node),
  );
}

/** The writer itself reads the old value: number by number, and no broadcast of it. */
function writesInStep(
  node: OnnxNode,
  input: string,
  aliases: ReadonlySet<string>,
  shape: readonly number[],
  shapeOf: (name: string) => readonly number[] | undefined,
): boolean {
  if (node.domain !== '' || !ELEMENTWISE.has(node.op)) return false;
  return node.inputs.every((name) => {
    if (!aliases.has(name)) return true;
    return name === input && shapeOf(name)?.join() === shape.join();
  });
}

function aliasesOf(nodes: readonly OnnxNode[], name: string): ReadonlySet<string> {
  const aliases = new Set([name]);
  for (const node of nodes) {
    if (VIEWS.has(node.op) && aliases.has(node.inputs[0])) aliases.add(node.outputs[0]);
  }
  return aliases;
}

function ancestorsOf(nodes: readonly OnnxNode[], last: OnnxNode): ReadonlySet<OnnxNode> {
  const needed = new Set(usedNames(last));
  const found = new Set<OnnxNode>();
  for (let i = nodes.indexOf(last) - 1; i >= 0; i--) {
    const node = nodes[i];
    if (!node.outputs.some((name) => needed.has(name))) continue;
    found.add(node);
    for (const name of usedNames(node)) needed.add(name);
  }
  return found;
}
