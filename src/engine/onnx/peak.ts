// How much memory the values of a graph take at most, without running it, and which they are then: walks the nodes in the order in
// which ONNX Runtime executes them and adds up what is alive. Fragmentation of the heap is not in it, nor are the scratch
// buffers of single operators.
import { sizeOf } from '../tensors.js';
import { BY_RUNTIME, type PlannedBuffer, planBuffers } from './buffer-plan.js';
import { isHostCall } from './host-call-node.js';
import { bytesOfType, type OnnxGraph, type OnnxNode, type OnnxValue } from './onnx-graph.js';
import { executionOrder } from './passes/node-order.js';
import type { ValueSizes } from './value-sizes.js';

/** A value, and the node that makes it. */
export interface LiveValue {
  readonly node: OnnxNode;
  readonly bytes: number;
  /** Nobody needs it any more; its buffer waits for another value of the same shape. */
  readonly idle: boolean;
}

/** The moment at which the most is alive. */
export interface Peak {
  readonly bytes: number;
  readonly values: readonly LiveValue[];
}

const NONE: ReadonlySet<string> = new Set();

export const NOTHING: Peak = { bytes: 0, values: [] };

/**
 * The moment at which the buffers of a graph's values take the most. Inputs and outputs of the graph are the caller's and do
 * not count.
 * @param passing outputs that are not the caller's
 */
export function peakOf(
  graph: OnnxGraph,
  sizes: ValueSizes,
  allocation = BY_RUNTIME,
  passing: ReadonlySet<string> = NONE,
): Peak {
  sizes.learn(graph);
  const order = executionOrder(graph);
  const buffers = planBuffers(graph, order, sizes, allocation, passing);
  const insides = order.map((node) => insideOf(node, sizes));
  const change = order.map(() => 0);
  for (const { bytes, tenants } of buffers) {
    change[tenants[0].from] += bytes;
    const end = (tenants.at(-1)?.to ?? 0) + 1;
    if (end < change.length) change[end] -= bytes;
  }
  let most = { bytes: 0, at: -1 };
  let buffered = 0;
  change.forEach((difference, at) => {
    buffered += difference;
    const bytes = buffered + insides[at].bytes;
    if (bytes > most.bytes) most = { bytes, at };
  });
  const values = buffers.flatMap((buffer) => tenantAt(buffer, most.at));
  return { bytes: most.bytes, values: [...values, ...(insides[most.at]?.values ?? [])] };
}

/** What is in a buffer when node number `at` computes: none before it exists and after it is given back. */
function tenantAt({ bytes, tenants }: PlannedBuffer, at: number): readonly LiveValue[] {
  const tenant = tenants.findLast(({ from }) => from <= at);
  if (!tenant || (tenants.at(-1)?.to ?? 0) < at) return [];
  return [{ node: tenant.node, bytes, idle: tenant.to < at }];
}

/** What a node needs beside its inputs and outputs: the values of a loop's body, and what is carried to its next turn. */
function insideOf(node: OnnxNode, sizes: ValueSizes): Peak {
  if (isHostCall(node)) {
    // What the function returns is copied to where it belongs.
    const bytes = sum(node.call.outputs.map(bytesOfValue));
    return { bytes, values: [{ node, bytes, idle: false }] };
  }
  const body = bodyOf(node);
  if (!body) return NOTHING;
  const scanned = (node.attributes['num_scan_inputs'] as number | undefined) ?? 0;
  const carried = sum(body.outputs.slice(0, body.inputs.length - scanned).map(bytesOfValue));
  const turn = peakOf(body, sizes);
  // Two of each carried value: the one of this turn and the one of the next.
  return {
    bytes: turn.bytes + 2 * carried,
    values: [...turn.values, { node, bytes: 2 * carried, idle: false }],
  };
}

/** The graph inside of a loop. */
export function bodyOf({ attributes }: OnnxNode): OnnxGraph | undefined {
  for (const attribute of Object.values(attributes)) {
    if (typeof attribute === 'object' && 'graph' in attribute) return attribute.graph;
  }
  return undefined;
}

export function bytesOfValue({ shape, dtype }: OnnxValue): number {
  return sizeOf(shape) * bytesOfType(dtype);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
