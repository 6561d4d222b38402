// Operations number by number as one node of the operator Pointwise (native/pointwise.c), which computes them a block at a time in the
// cache. Only operations that are rounded exactly are taken, so that no bit changes.
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
export const MOST = { inputs: 32, outputs: 16, steps: 64 };

/** An operation of registers: inputs are counted first, then the results of the steps. */
export interface PointwiseStep {
  readonly op: string;
  readonly a: number;
  /** Of an operation of one number the same as `a`. */
  readonly b: number;
}

/** Whether a node is an operation of the operator that computes something. */
export function isPointwise({ op, domain, attributes }: OnnxNode): boolean {
  return domain === '' && op !== 'Identity' && SYMBOLS.has(op) && Object.keys(attributes).length === 0;
}

/**
 * @param outputs names with registers of results of steps
 * @param sizes the shape of the results, if it is the same in all runs
 */
export function pointwiseNode(
  inputs: readonly string[],
  steps: readonly PointwiseStep[],
  outputs: readonly (readonly [name: string, register: number])[],
  sizes?: readonly number[],
): OnnxNode {
  const lines = steps.map(({ op, a, b }) => `${SYMBOLS.get(op)} ${a} ${b}`);
  const results = outputs.map(([, register]) => register).join(' ');
  return {
    op: 'Pointwise',
    domain: NATIVE_DOMAIN,
    inputs,
    outputs: outputs.map(([name]) => name),
    attributes: {
      program: `${lines.join('\n')}\n= ${results}`,
      inputs: inputs.length,
      outputs: outputs.length,
      ...(sizes && { sizes }),
    },
  };
}

/** An update whose graph is one node and may write over all that it reads; the same update where there is no such node. */
export function withPointwise(update: FlatUpdate): FlatUpdate {
  const { graph, writes } = update;
  const node = nodeOfVectors(graph);
  if (!node) return update;
  return {
    ...update,
    graph: { ...graph, nodes: [node] },
    writes: writes.map((write) => ({ ...write, inPlace: true })),
  };
}

/** All of a graph of vectors as one node; undefined where an operation or a type is not known to it, or the graph is too large. */
function nodeOfVectors({ nodes, inputs, outputs, initializers }: OnnxGraph): OnnxNode | undefined {
  const given = [...inputs, ...initializers];
  const isFloat = [...given, ...outputs].every(({ dtype }) => dtype === 'float32');
  const isSmall = given.length <= MOST.inputs && outputs.length <= MOST.outputs && nodes.length <= MOST.steps;
  if (!isFloat || !isSmall) return undefined;
  const registers = new Map(given.map(({ name }, i) => [name, i]));
  const steps: PointwiseStep[] = [];
  for (const node of nodes) {
    const [a, b = a] = node.inputs.map((name) => registers.get(name));
    if (!(isPointwise(node) || node.op === 'Identity') || a === undefined || b === undefined)
      return undefined;
    steps.push({ op: node.op, a, b });
    registers.set(node.outputs[0], given.length + steps.length - 1);
  }
  const results = outputs.map(({ name }) => [name, registers.get(name) ?? -1] as const);
  if (results.some(([, register]) => register < given.length)) return undefined;
  return pointwiseNode(
    given.map(({ name }) => name),
    steps,
    results,
  );
}
