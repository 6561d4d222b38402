// How much memory the intermediate values of a graph take at most, without running it, and which they are then: walks the
// nodes in the order in which ONNX Runtime executes them and adds up what is alive. Fragmentation of the heap is not in it,
// nor are the scratch buffers of single operators.
import type { LiveValues, ProgramMemory } from '../program-memory.js';
import type { ProgramState } from '../scope.js';
import { sizeOf } from '../tensors.js';
import { BY_PLAN, BY_RUNTIME, type PlannedBuffer, planBuffers } from './buffer-plan.js';
import { isHostCall } from './host-call-node.js';
import { bytesOfType, type OnnxGraph, type OnnxNode, type OnnxValue } from './onnx-graph.js';
import { executionOrder } from './passes/node-order.js';
import type { TracedProgram } from './trace.js';
import { ValueSizes } from './value-sizes.js';

/** A value, and the node that makes it. */
interface LiveValue {
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

/** What is told of buffers that wait. */
const IDLE = 'waiting to be used again';
const NOTHING: Peak = { bytes: 0, values: [] };

/** What a run of the program takes. @param planned its values lie where passes/memory-plan.ts says */
export function programMemory(traced: TracedProgram, planned: boolean): ProgramMemory {
  const { segments, apply, calls, shapes, outputs, inputs } = traced;
  const crossing = [
    ...calls.flatMap((call) => [...call.inputs, ...call.outputs]),
    ...(apply?.crossing ?? []),
  ];
  const sizes = new ValueSizes(shapes);
  const parts = apply ? [...segments, apply.graph] : segments;
  const peaks = parts.map((part) => peakOf(part, sizes, planned ? BY_PLAN : BY_RUNTIME));
  const peak = peaks.reduce((most, other) => (other.bytes > most.bytes ? other : most), NOTHING);
  return {
    aliveBytes: peak.bytes,
    alive: together(peak.values),
    planned,
    crossingBytes: sum(crossing.map(bytesOfValue)),
    inputBytes:
      sum([...inputs.values()].map(bytesOfValue)) + sum(traced.random.map(({ count }) => 4 * count)),
    outputBytes: sum([...outputs.values()].map(bytesOfValue)),
    constantBytes: sum(
      parts.flatMap(({ initializers }) => initializers.map(({ bytes }) => bytes.byteLength)),
    ),
    nodes: sum(parts.map(countNodes)),
    states: stateBytes(traced),
  };
}

/** Bytes alive at once in the part that needs the most, and of what crosses from one part to the next. */
export function peakBytes(traced: TracedProgram, planned: boolean): number {
  const { aliveBytes, crossingBytes } = programMemory(traced, planned);
  return aliveBytes + crossingBytes;
}

/** Bytes of each state, new value included. */
function stateBytes({ states, updates, apply }: TracedProgram): ReadonlyMap<ProgramState, number> {
  const copies = (state: ProgramState) => (updates.has(state) && !apply?.inPlace.has(state) ? 2 : 1);
  const all = new Set([...states.keys(), ...updates.keys()]);
  return new Map([...all].map((state) => [state, copies(state) * state.size * bytesOfType(state.dtype)]));
}

function bytesOfValue({ shape, dtype }: OnnxValue): number {
  return sizeOf(shape) * bytesOfType(dtype);
}

/**
 * The moment at which the buffers of a graph's values take the most. Inputs and outputs of the graph are the caller's and do
 * not count.
 */
export function peakOf(graph: OnnxGraph, sizes: ValueSizes, allocation = BY_RUNTIME): Peak {
  sizes.learn(graph);
  const order = executionOrder(graph);
  const buffers = planBuffers(graph, order, sizes, allocation);
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

function bodyOf({ attributes }: OnnxNode): OnnxGraph | undefined {
  for (const attribute of Object.values(attributes)) {
    if (typeof attribute === 'object' && 'graph' in attribute) return attribute.graph;
  }
  return undefined;
}

/** Values of one operator and one part of the program, added up; the largest sums first. */
function together(values: readonly LiveValue[]): readonly LiveValues[] {
  const groups = new Map<string, { part: string; kind: string; bytes: number; count: number }>();
  for (const { node, bytes, idle } of values) {
    const { part = '' } = node;
    const kind = idle ? IDLE : node.op;
    const key = `${part}\n${kind}`;
    const group = groups.get(key) ?? { part, kind, bytes: 0, count: 0 };
    group.bytes += bytes;
    group.count++;
    groups.set(key, group);
  }
  return [...groups.values()].filter(({ bytes }) => bytes > 0).sort((a, b) => b.bytes - a.bytes);
}

/** Nodes of a graph, and of the loops in it. */
function countNodes({ nodes }: OnnxGraph): number {
  return sum(
    nodes.map((node) => {
      const body = bodyOf(node);
      return 1 + (body ? countNodes(body) : 0);
    }),
  );
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
