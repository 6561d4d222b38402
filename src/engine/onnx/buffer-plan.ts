// Which values of a graph share memory, and how long it is held. Left to itself, ONNX Runtime's planner for one thread
// (core/framework/allocation_planner.cc) gives a value the buffer of its input where the operator works in place; else one of
// those that are free and of the same shape, the latest first; else one of its own. A buffer that is used again is not given
// back in between, however long that is. Where we plan the memory (passes/memory-plan.ts) none waits.
import { producers, usedNames } from './graph-builder.js';
import type { OnnxGraph, OnnxNode } from './onnx-graph.js';
import { VIEWS } from './passes/in-place.js';
import { overwritableInputs } from './passes/memory-plan.js';
import type { ValueSizes } from './value-sizes.js';

/** Operators whose CPU kernels write over their first input where nobody else needs it (measured, one by one). */
const IN_PLACE: ReadonlySet<string> = new Set([
  'Sigmoid', 'Tanh', 'Relu', 'Elu', 'Softplus', 'Softmax', 'Cast', 'HardSigmoid', 'LeakyRelu',
]); // biome-ignore format: a table

/** A value in its buffer. */
interface Tenant {
  readonly node: OnnxNode;
  /** The node that makes the value, by its place in the order. */
  readonly from: number;
  /** The last that needs it. */
  to: number;
}

/** Memory that values have, one after the other. */
export interface PlannedBuffer {
  readonly bytes: number;
  readonly tenants: readonly Tenant[];
}

/** How values get their memory. */
export interface Allocation {
  /** Inputs of a node whose memory its result may take where nobody else needs them. */
  readonly overwritable: (node: OnnxNode) => readonly string[];
  /** Buffers wait to be used again. */
  readonly reuses: boolean;
}

/** What ONNX Runtime does by itself. */
export const BY_RUNTIME: Allocation = {
  overwritable: ({ op, domain, inputs }) => (domain === '' && IN_PLACE.has(op) ? inputs.slice(0, 1) : []),
  reuses: true,
};
/** What our plan does (passes/memory-plan.ts), which needs no more than is alive. */
export const BY_PLAN: Allocation = { overwritable: overwritableInputs, reuses: false };

/**
 * @param order of the graph's nodes, as they are run
 * @param passing outputs whose buffers are not the caller's, and are kept until all nodes have run
 */
export function planBuffers(
  graph: OnnxGraph,
  order: readonly OnnxNode[],
  sizes: ValueSizes,
  allocation: Allocation,
  passing: ReadonlySet<string>,
): readonly PlannedBuffer[] {
  return new BufferPlanner(graph, order, sizes, allocation, passing).buffers;
}

class Buffer {
  readonly tenants: Tenant[] = [];
  /** Uses still to come, of all values that are in it. */
  uses = 0;

  constructor(
    /** Shape and size of elements: only what has the same may follow. */
    readonly key: string,
    readonly bytes: number,
    /** The caller's: it counts for nothing and is never free. */
    readonly outside: boolean,
  ) {}
}

class BufferPlanner {
  readonly buffers: Buffer[] = [];
  private readonly bufferOf = new Map<string, Buffer>();
  private readonly uses = new Map<string, number>();
  /** The latest first. */
  private readonly free: Buffer[] = [];

  constructor(
    graph: OnnxGraph,
    order: readonly OnnxNode[],
    private readonly sizes: ValueSizes,
    private readonly allocation: Allocation,
    passing: ReadonlySet<string>,
  ) {
    const outputs = new Set(graph.outputs.map(({ name }) => name).filter((name) => !passing.has(name)));
    const made = producers(graph.nodes);
    const inputs = order.map((node) => usesOf(node).filter((name) => made.has(name)));
    for (const name of [...inputs.flat(), ...passing]) this.uses.set(name, (this.uses.get(name) ?? 0) + 1);
    order.forEach((node, at) => {
      for (const name of inputs[at]) this.touch(name, at);
      for (const name of node.outputs) this.place(name, node, at, outputs.has(name));
      for (const name of inputs[at]) this.use(name);
      for (const name of node.outputs) if (!this.uses.has(name)) this.giveUp(this.bufferOf.get(name));
    });
    for (const name of passing) this.touch(name, order.length);
  }

  private place(name: string, node: OnnxNode, at: number, isOutput: boolean): void {
    const isView = node.domain === '' && VIEWS.has(node.op);
    if (isView && !isOutput) {
      const source = this.bufferOf.get(node.inputs[0]);
      // A view of what the caller gave.
      if (!source) return;
      source.uses += this.uses.get(name) ?? 0;
      this.bufferOf.set(name, source);
      return;
    }
    const { bytes, key } = this.sizes.layout(name, node);
    const buffer = isOutput ? new Buffer(key, bytes, true) : this.bufferFor(node, key, bytes);
    buffer.uses += this.uses.get(name) ?? 0;
    buffer.tenants.push({ node, from: at, to: at });
    this.bufferOf.set(name, buffer);
  }

  private bufferFor(node: OnnxNode, key: string, bytes: number): Buffer {
    const { overwritable, reuses } = this.allocation;
    for (const name of overwritable(node)) {
      const input = this.bufferOf.get(name);
      if (input && !input.outside && input.uses === 1 && input.key === key) return input;
    }
    const again = key === '' || !reuses ? -1 : this.free.findIndex((buffer) => buffer.key === key);
    if (again >= 0) return this.free.splice(again, 1)[0];
    const buffer = new Buffer(key, bytes, false);
    this.buffers.push(buffer);
    return buffer;
  }

  private touch(name: string, at: number): void {
    const tenant = this.bufferOf.get(name)?.tenants.at(-1);
    if (tenant) tenant.to = at;
  }

  private use(name: string): void {
    const buffer = this.bufferOf.get(name);
    if (buffer && --buffer.uses === 0) this.giveUp(buffer);
  }

  private giveUp(buffer: Buffer | undefined): void {
    if (buffer && !buffer.outside && buffer.uses === 0 && !this.free.includes(buffer))
      this.free.unshift(buffer);
  }
}

/** Values that a node reads, as often as it does; those that a loop's body reads, once. */
function usesOf(node: OnnxNode): readonly string[] {
  const inner = new Set(usedNames({ ...node, inputs: [] }));
  return [...node.inputs, ...inner];
}
