// Where the values between inputs and outputs of a graph lie in one block of memory: sizes and the order of execution are
// known before it runs, so that nothing needs to be allocated then. A heap, which must answer one request after the other,
// takes twice the memory for a training step. (Packing by size: Pisarchyk & Lee 2020, "Efficient Memory Management for
// Deep Neural Net Inference".)
import { sizeOf } from '../../tensors.js';
import { usedNames } from '../graph-builder.js';
import { isHostCall } from '../host-call-node.js';
import { bytesOfType, NATIVE_DOMAIN, type OnnxGraph, type OnnxNode, type OnnxValue } from '../onnx-graph.js';
import { VIEWS } from './in-place.js';

/** A value with its place. */
export interface PlacedValue {
  readonly value: OnnxValue;
  /** Bytes from the start of the block. */
  readonly offset: number;
}

export interface MemoryPlan {
  /** Bytes of the block. */
  readonly bytes: number;
  readonly values: readonly PlacedValue[];
  /** Outputs of the graph that lie there too, and stay as they are until the run has ended. */
  readonly passing: readonly PlacedValue[];
}

/** Smaller values are left to the heap: they are many, and take no memory worth planning. */
const LEAST_BYTES = 1 << 14;
const NONE: ReadonlySet<string> = new Set();
/** Of a place: what vector instructions and caches like. */
const ALIGNMENT = 64;

/** Operators that may write each number of their result over the one of an input that it is computed of. */
const IN_PLACE: ReadonlySet<string> = new Set([
  'Add', 'Sub', 'Mul', 'Div', 'Neg', 'Abs', 'Sqrt', 'Exp', 'Relu', 'Sigmoid', 'Tanh', 'Reciprocal',
]); // biome-ignore format: a table

/**
 * Operators that may write their result over one input, by its place, if no other is in the same memory: they copy it first,
 * unless it lies there already, or work row by row.
 */
const OVER_ONE_INPUT: ReadonlyMap<string, number> = new Map([
  ['Softmax', 0],
  ['LogSoftmax', 0],
  ['ScatterElements', 0],
  ['Gemm', 2],
  ['Gemm16', 2],
  ['ColumnsToImage', 1],
]);

/** Inputs of a node whose memory its result may take, if they are of its shape and nobody needs them after it. */
export function overwritableInputs({ op, domain, inputs }: OnnxNode): readonly string[] {
  // It reads a block of all inputs before it writes one.
  if (op === 'Pointwise' && domain === NATIVE_DOMAIN) return inputs;
  if (domain !== '' && domain !== NATIVE_DOMAIN) return [];
  if (IN_PLACE.has(op)) return inputs;
  const only = inputs[OVER_ONE_INPUT.get(op) ?? inputs.length];
  return only && inputs.filter((name) => name === only).length === 1 ? [only] : [];
}

/** Memory that is written by one node and read last by another, with the value that is written first. */
interface Buffer {
  readonly value: OnnxValue;
  readonly bytes: number;
  first: number;
  last: number;
}

/**
 * @param order in which the nodes of `graph` are run
 * @param shapeOf shapes and types of values, where they are known
 * @param passing outputs that need no memory of the caller's: what another part of the program reads when this one has run, such as
 *   gradients. What is not made yet leaves its place to others: a step takes the most when most gradients are still to come.
 */
export function planMemory(
  graph: OnnxGraph,
  order: readonly OnnxNode[],
  shapeOf: (name: string) => OnnxValue | undefined,
  passing: ReadonlySet<string> = NONE,
): MemoryPlan {
  const lifetimes = new Lifetimes(graph, order, shapeOf, passing);
  const { places, bytes } = pack(lifetimes.buffers());
  const placed = lifetimes.values().map(({ value, buffer }) => ({ value, offset: places.get(buffer) ?? 0 }));
  return {
    bytes,
    values: placed.filter(({ value }) => !passing.has(value.name)),
    passing: placed.filter(({ value }) => passing.has(value.name)),
  };
}

/** Those of some outputs of a graph whose places may be planned: host calls place what they see themselves. */
export function outputsToPlace(graph: OnnxGraph, outputs: ReadonlySet<string>): ReadonlySet<string> {
  const elsewhere = placedElsewhere({ ...graph, outputs: [] }, graph.nodes);
  return new Set([...outputs].filter((name) => !elsewhere.has(name)));
}

/** Which values share memory by nature, and from which node to which they are needed. */
class Lifetimes {
  /** The buffer of each value that has a place, views of it included. */
  private readonly bufferOf = new Map<string, Buffer>();
  private readonly placed: { readonly value: OnnxValue; readonly buffer: Buffer }[] = [];

  constructor(
    graph: OnnxGraph,
    order: readonly OnnxNode[],
    private readonly shapeOf: (name: string) => OnnxValue | undefined,
    passing: ReadonlySet<string>,
  ) {
    const lastUse = lastUses(order, passing);
    const outputs = graph.outputs.filter(({ name }) => !passing.has(name));
    const elsewhere = placedElsewhere({ ...graph, outputs }, order);
    order.forEach((node, i) => {
      if (VIEWS.has(node.op)) {
        const [view] = node.outputs;
        if (!elsewhere.has(view)) this.share(view, node.inputs[0], passing.has(view));
        return;
      }
      for (const name of node.outputs) if (!elsewhere.has(name)) this.place(name, node, i, lastUse);
    });
  }

  buffers(): readonly Buffer[] {
    return [...new Set(this.placed.map(({ buffer }) => buffer))];
  }

  values(): readonly { readonly value: OnnxValue; readonly buffer: Buffer }[] {
    return this.placed;
  }

  /** @param isPassing the view is seen from outside, and has a place of its own name */
  private share(view: string, source: string, isPassing: boolean): void {
    const buffer = this.bufferOf.get(source);
    const value = isPassing ? this.shapeOf(view) : undefined;
    if (!buffer) return;
    this.bufferOf.set(view, buffer);
    if (value) this.placed.push({ value, buffer });
  }

  private place(name: string, node: OnnxNode, i: number, lastUse: ReadonlyMap<string, number>): void {
    const value = this.shapeOf(name);
    if (!value) return;
    const bytes = sizeOf(value.shape) * bytesOfType(value.dtype);
    if (bytes < LEAST_BYTES) return;
    const last = lastUse.get(name) ?? i;
    let buffer = this.overwritable(node, value, i);
    if (buffer) buffer.last = Math.max(buffer.last, last);
    else buffer = { value, bytes, first: i, last };
    this.bufferOf.set(name, buffer);
    this.placed.push({ value, buffer });
  }

  /** The buffer of an input that nobody needs after `node`, number `i`, and that its result may take. */
  private overwritable(node: OnnxNode, value: OnnxValue, i: number): Buffer | undefined {
    for (const name of overwritableInputs(node)) {
      const buffer = this.bufferOf.get(name);
      const shape = this.shapeOf(name);
      if (buffer?.last !== i || shape?.dtype !== value.dtype) continue;
      if (OVER_ONE_INPUT.has(node.op) && this.isReadTwice(buffer, node)) continue;
      if (shape.shape.join() === value.shape.join()) return buffer;
    }
    return undefined;
  }

  /** Whether several inputs are in that memory. */
  private isReadTwice(buffer: Buffer, { inputs }: OnnxNode): boolean {
    return inputs.filter((name) => this.bufferOf.get(name) === buffer).length > 1;
  }
}

/** The last node that reads each value, by itself or through views; what is read when all have run, is by one behind them. */
function lastUses(order: readonly OnnxNode[], passing: ReadonlySet<string>): ReadonlyMap<string, number> {
  const last = new Map([...passing].map((name) => [name, order.length]));
  for (let i = order.length - 1; i >= 0; i--) {
    const node = order[i];
    const end = VIEWS.has(node.op) ? Math.max(i, last.get(node.outputs[0]) ?? i) : i;
    for (const name of usedNames(node)) {
      const own = name === node.inputs[0] ? end : i;
      last.set(name, Math.max(own, last.get(name) ?? own));
    }
  }
  return last;
}

/** Values in memory of the caller, what views of those are of, and what host calls see: they place results themselves. */
function placedElsewhere(graph: OnnxGraph, order: readonly OnnxNode[]): ReadonlySet<string> {
  const names = new Set([...graph.inputs, ...graph.outputs].map(({ name }) => name));
  for (const node of order)
    if (isHostCall(node)) for (const name of [...node.inputs, ...node.outputs]) names.add(name);
  for (let i = order.length - 1; i >= 0; i--) {
    const { op, inputs, outputs } = order[i];
    if (VIEWS.has(op) && names.has(outputs[0])) names.add(inputs[0]);
  }
  return names;
}

/** Largest first, each at the lowest place that is free for as long as it lives. */
function pack(buffers: readonly Buffer[]): { places: ReadonlyMap<Buffer, number>; bytes: number } {
  const places = new Map<Buffer, number>();
  const placedBuffers: { readonly buffer: Buffer; readonly start: number; readonly end: number }[] = [];
  let bytes = 0;
  for (const buffer of [...buffers].sort((a, b) => b.bytes - a.bytes || a.first - b.first)) {
    const size = Math.ceil(buffer.bytes / ALIGNMENT) * ALIGNMENT;
    let start = 0;
    let best: number | undefined;
    let bestGap = Number.POSITIVE_INFINITY;
    for (const other of placedBuffers) {
      if (other.buffer.last < buffer.first || other.buffer.first > buffer.last) continue;
      const gap = other.start - start;
      if (gap >= size && gap < bestGap) {
        best = start;
        bestGap = gap;
      }
      start = Math.max(start, other.end);
    }
    const place = best ?? start;
    places.set(buffer, place);
    insertByStart(placedBuffers, { buffer, start: place, end: place + size });
    bytes = Math.max(bytes, place + size);
  }
  return { places, bytes };
}

function insertByStart<P extends { readonly start: number }>(sorted: P[], entry: P): void {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle].start <= entry.start) low = middle + 1;
    else high = middle;
  }
  sorted.splice(low, 0, entry);
}
