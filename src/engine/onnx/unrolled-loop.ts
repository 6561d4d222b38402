// A loop as its iterations, one after the other: for providers that have no loops, where each iteration would be led by the CPU
// and wait for the device.
import type { GraphBuilder } from './graph-builder.js';
import { isHostCall } from './host-call-node.js';
import type { OnnxGraph, OnnxNode, OnnxValue } from './onnx-graph.js';

/** A loop with what it is given; see `scan`. */
export interface Loop {
  /** Its inputs are the values carried, then the slices. Nodes whose names it only passes on are `Identity`. */
  readonly body: OnnxGraph;
  /** Names of the first values carried, and of what is sliced along the first axis. */
  readonly init: readonly string[];
  readonly xs: readonly string[];
  readonly steps: number;
  readonly reverse: boolean;
}

/** Whether a loop is short and plain enough. @param mostNodes that its iterations may have together */
export function mayUnroll({ body, steps }: Loop, mostNodes: number): boolean {
  const isPlain = (node: OnnxNode) =>
    !isHostCall(node) &&
    Object.values(node.attributes).every((a) => typeof a !== 'object' || !('graph' in a));
  return steps > 0 && steps * body.nodes.length <= mostNodes && body.nodes.every(isPlain);
}

/**
 * Appends the iterations to a graph. What does not depend on the iteration is computed once, for equal nodes are emitted once.
 * @param know is told shape and type of new values
 * @returns names of the values carried out of the last iteration, and of the outputs [steps, ...]
 */
export function unroll(
  graph: GraphBuilder,
  { body, init, xs, steps, reverse }: Loop,
  describe: (name: string) => OnnxValue | undefined,
  know: (name: string, value: OnnxValue) => void,
): string[] {
  const slicesOf = body.inputs.slice(init.length);
  let carry = init;
  const outputs: string[][] = body.outputs.slice(init.length).map(() => []);
  for (let k = 0; k < steps; k++) {
    const step = reverse ? steps - 1 - k : k;
    const slices = xs.map((x, i) => {
      const at = graph.names.constant(new Uint8Array(Int32Array.of(step).buffer), [], 'int32');
      const slice = graph.one('Gather', [x, at], { attributes: { axis: 0 } });
      know(slice, slicesOf[i]);
      return slice;
    });
    const names = new Map(body.inputs.map(({ name }, i) => [name, [...carry, ...slices][i]]));
    const of = (name: string) => names.get(name) ?? name;
    for (const node of body.nodes) emitCopy(graph, node, names, describe, know);
    const results = body.outputs.map(({ name }) => of(name));
    carry = results.slice(0, init.length);
    for (const [i, name] of results.slice(init.length).entries()) outputs[i][step] = name;
  }
  return [...carry, ...outputs.map((parts, i) => stacked(graph, parts, body.outputs[init.length + i], know))];
}

function emitCopy(
  graph: GraphBuilder,
  { op, inputs, outputs, attributes, domain }: OnnxNode,
  names: Map<string, string>,
  describe: (name: string) => OnnxValue | undefined,
  know: (name: string, value: OnnxValue) => void,
): void {
  const renamed = inputs.map((name) => names.get(name) ?? name);
  const made =
    op === 'Identity' ? renamed : graph.emit(op, renamed, { attributes, outputs: outputs.length, domain });
  outputs.forEach((name, i) => {
    names.set(name, made[i]);
    const known = describe(name);
    if (known && op !== 'Identity') know(made[i], known);
  });
}

/** parts [...] each → [steps, ...], joined along the first axis that they have: one node instead of one for each. */
function stacked(
  graph: GraphBuilder,
  parts: readonly string[],
  { shape, dtype, name }: OnnxValue,
  know: (name: string, value: OnnxValue) => void,
): string {
  const isScalar = shape.length === 0;
  const rows = isScalar ? parts.map((part) => graph.one('Reshape', [part, graph.names.int64([1])])) : parts;
  if (isScalar) for (const row of rows) know(row, { name, shape: [1], dtype });
  const joined = rows.length === 1 ? rows[0] : graph.one('Concat', rows, { attributes: { axis: 0 } });
  const [first = 1, ...rest] = shape;
  if (rows.length > 1) know(joined, { name, shape: [parts.length * first, ...rest], dtype });
  const stack = graph.one('Reshape', [joined, graph.names.int64([parts.length, ...shape])]);
  know(stack, { name, shape: [parts.length, ...shape], dtype });
  return stack;
}
