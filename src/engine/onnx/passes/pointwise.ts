// Chains of operations number by number as one node of the operator Pointwise (native/pointwise.c), which computes them a block at a time
// in the cache. Only operations that are rounded exactly are taken, so that no bit changes.
import { NATIVE_DOMAIN, type OnnxGraph, type OnnxNode } from '../onnx-graph.js';
import type { FlatUpdate } from './flat-update.js';

/** What native/pointwise.c calls the operations. */
const SYMBOLS: ReadonlyMap<string, string> = new Map([
  ['Add', '+'],
  ['Sub', '-'],
  ['Mul', '*'],
  ['Div', '/'],
  ['Sqrt', 'r'],
  ['Neg', 'n'],
  ['Abs', 'a'],
  ['Identity', 'i'],
]);
/** Of a program: see native/pointwise.h. */
const MOST = { inputs: 32, outputs: 16, steps: 64 };

/** An update whose graph is one node and may write over all that it reads; the same update where there is no such node. */
export function withPointwise(update: FlatUpdate): FlatUpdate {
  const { graph, writes } = update;
  const node = pointwiseNode(graph);
  if (!node) return update;
  return {
    ...update,
    graph: { ...graph, nodes: [node] },
    writes: writes.map((write) => ({ ...write, inPlace: true })),
  };
}

/** All of a graph of vectors as one node; undefined where an operation or a type is not known to it, or the graph is too large. */
function pointwiseNode({ nodes, inputs, outputs, initializers }: OnnxGraph): OnnxNode | undefined {
  const given = [...inputs, ...initializers];
  const isFloat = [...given, ...outputs].every(({ dtype }) => dtype === 'float32');
  const isSmall = given.length <= MOST.inputs && outputs.length <= MOST.outputs && nodes.length <= MOST.steps;
  if (!isFloat || !isSmall) return undefined;
  const registers = new Map(given.map(({ name }, i) => [name, i]));
  const lines: string[] = [];
  for (const { op, domain, inputs: operands, outputs: results, attributes } of nodes) {
    const symbol = domain === '' ? SYMBOLS.get(op) : undefined;
    const [a, b = a] = operands.map((name) => registers.get(name));
    if (!symbol || a === undefined || b === undefined || Object.keys(attributes).length > 0) return undefined;
    lines.push(`${symbol} ${a} ${b}`);
    registers.set(results[0], given.length + lines.length - 1);
  }
  const results = outputs.map(({ name }) => registers.get(name) ?? -1);
  if (results.some((register) => register < given.length)) return undefined;
  return {
    op: 'Pointwise',
    domain: NATIVE_DOMAIN,
    inputs: given.map(({ name }) => name),
    outputs: outputs.map(({ name }) => name),
    attributes: {
      program: `${lines.join('\n')}\n= ${results.join(' ')}`,
      inputs: given.length,
      outputs: outputs.length,
    },
  };
}
