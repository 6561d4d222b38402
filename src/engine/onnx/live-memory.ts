// How much memory the intermediate values of a graph take at most, without running it: walks the nodes in the
// order in which ONNX Runtime executes them and adds up what is alive. Fragmentation of the heap is not in it,
// nor are the scratch buffers of single operators.
import type { ProgramState } from '../scope.js';
import { sizeOf } from '../tensors.js';
import { producers, usedNames } from './graph-builder.js';
import { bytesOfType, type OnnxGraph, type OnnxNode, type OnnxValue } from './onnx-graph.js';
import { VIEWS } from './passes/in-place.js';
import type { TracedProgram } from './trace.js';

/** Bytes alive at once in the part that needs the most, and of what crosses from one part to the next. */
export function peakBytes({ segments, apply, calls, shapes }: TracedProgram): number {
  const bytesOf = (name: string): number | undefined => {
    const value = shapes.get(name);
    return value && bytesOfValue(value);
  };
  const crossing = calls.flatMap((call) => [...call.inputs, ...call.outputs]);
  const crossingBytes = [...crossing, ...(apply?.crossing ?? [])].reduce(
    (sum, value) => sum + bytesOfValue(value),
    0,
  );
  const parts = apply ? [...segments, apply.graph] : segments;
  return crossingBytes + Math.max(0, ...parts.map((part) => peakLiveBytes(part, bytesOf)));
}

/** Bytes of each state, new value included. */
export function stateBytes({ states, updates, apply }: TracedProgram): ReadonlyMap<ProgramState, number> {
  const copies = (state: ProgramState) => (updates.has(state) && !apply?.inPlace.has(state) ? 2 : 1);
  const all = new Set([...states.keys(), ...updates.keys()]);
  return new Map([...all].map((state) => [state, copies(state) * state.size * bytesOfType(state.dtype)]));
}

function bytesOfValue({ shape, dtype }: OnnxValue): number {
  return sizeOf(shape) * bytesOfType(dtype);
}

/**
 * Largest sum of bytes of values that are alive at once: made, and needed by a later node. Inputs and outputs of the
 * graph are the caller's and do not count.
 * @param bytesOf size of a value; undefined where it is not known (it then counts as its largest input)
 */
export function peakLiveBytes(graph: OnnxGraph, bytesOf: (name: string) => number | undefined): number {
  const order = executionOrder(graph);
  const buffers = new Map<string, string>();
  const bufferOf = (name: string): string => buffers.get(name) ?? name;
  for (const node of order) {
    if (VIEWS.has(node.op)) buffers.set(node.outputs[0], bufferOf(node.inputs[0]));
  }
  const outside = new Set([...graph.inputs, ...graph.outputs].map((v) => bufferOf(v.name)));
  const lastUse = new Map<string, number>();
  order.forEach((node, i) => {
    for (const name of [...usedNames(node), ...node.outputs]) lastUse.set(bufferOf(name), i);
  });
  const freedAfter: string[][] = order.map(() => []);
  for (const [name, i] of lastUse) freedAfter[i].push(name);
  const sizes = new Map<string, number>();
  let live = 0;
  let peak = 0;
  order.forEach((node, i) => {
    for (const name of node.outputs) {
      if (bufferOf(name) !== name || outside.has(name)) continue;
      const size = bytesOf(name) ?? Math.max(0, ...node.inputs.map((x) => sizes.get(bufferOf(x)) ?? 0));
      sizes.set(name, size);
      live += size;
    }
    peak = Math.max(peak, live);
    for (const name of freedAfter[i]) live -= sizes.get(name) ?? 0;
  });
  return peak;
}

/**
 * ONNX Runtime's default order: depth first from the nodes whose results nobody uses, the last of them first, and at
 * each node from its latest input on; a node stands behind its inputs.
 */
export function executionOrder({ nodes }: OnnxGraph): OnnxNode[] {
  const made = producers(nodes);
  const index = new Map(nodes.map((node, i) => [node, i]));
  const inputsOf = (node: OnnxNode): OnnxNode[] => {
    const found = new Set(usedNames(node).map((name) => made.get(name)));
    found.delete(undefined);
    return ([...found] as OnnxNode[]).sort((a, b) => (index.get(a) ?? 0) - (index.get(b) ?? 0));
  };
  const used = new Set(nodes.flatMap(inputsOf));
  const stack = nodes.filter((node) => !used.has(node)).map((node) => ({ node, done: false }));
  const seen = new Set<OnnxNode>();
  const order: OnnxNode[] = [];
  for (let entry = stack.pop(); entry; entry = stack.pop()) {
    if (entry.done) {
      order.push(entry.node);
      continue;
    }
    if (seen.has(entry.node)) continue;
    seen.add(entry.node);
    stack.push({ node: entry.node, done: true });
    for (const node of inputsOf(entry.node)) if (!seen.has(node)) stack.push({ node, done: false });
  }
  return order;
}
