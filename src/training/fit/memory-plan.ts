// What a run takes in memory, by what it is for: counted where it can be counted (weights, states, values of the graph),
// measured constants where not (the heap, a compiled program, a thread that makes batches; docs/memory.md has the table).
import type { LiveValues } from '../../engine/index.js';
import type { BatchOutline } from '../../model/index.js';
import type { Module } from '../../nn/index.js';
import type { FreeMemory } from '../system/free-memory.js';
import type { StepMemory } from './step-programs.js';

/** Something that takes memory. */
export interface MemoryItem {
  readonly name: string;
  readonly bytes: number;
}

/** What a run takes at most. */
export interface MemoryPlan {
  /** Of the data set and its largest batch. */
  readonly source: string;
  readonly batch: string;
  readonly items: readonly MemoryItem[];
  /** All items: what the process has when it has the most. */
  readonly totalBytes: number;
  /** What the process has already. */
  readonly takenBytes: number;
  /** What the step's program is alive with when it takes the most, the largest first. */
  readonly alive: readonly LiveValues[];
  readonly free: FreeMemory;
}

/** What the source of batches takes beside the batch of the step: threads, and batches that are made ahead. */
export type LoaderMemory = NonNullable<BatchOutline['loader']>;

/** What a plan is made of. */
export interface PlannedStep {
  readonly module: Module;
  readonly step: StepMemory;
  readonly loader: LoaderMemory;
  /** Bytes of the process before anything of the run is made. */
  readonly processBytes: number;
  /** What steps of other shapes keep, which were compiled before. */
  readonly earlierBytes: number;
}

const MEBI = 2 ** 20;

/** ONNX Runtime's library and threads. */
const RUNTIME_BYTES = 40 * MEBI;
/** A compiled operator: the session's, and what is kept of it here. */
const NODE_BYTES = 6000;
/** A thread that makes batches, with its modules. */
const THREAD_BYTES = 80 * MEBI;
/** Memory taken over bytes alive: freed blocks that fit nothing made later, and the scratch memory of operators. */
const HEAP = 1.5;
/** The same where the values lie in one block. */
const PLANNED = 1.05;

const COMPILED = 'the compiled step';
const GRADIENTS = 'gradients';

/** Items of a run, in the order in which they are told; what is nothing is left out. */
export function memoryItems({ module, step, loader, ...rest }: PlannedStep): readonly MemoryItem[] {
  const weights = [...module.parameters(), ...module.buffers()].reduce((sum, { size }) => sum + 4 * size, 0);
  const once = [...step.states.keys()].reduce((sum, { size }) => sum + 4 * size, 0);
  const held = [...step.states.values()].reduce((sum, bytes) => sum + bytes, 0);
  const items: readonly MemoryItem[] = [
    { name: 'parameters and buffers', bytes: weights },
    { name: 'optimizer', bytes: Math.max(0, once - weights - step.accumulatedBytes) },
    { name: GRADIENTS, bytes: step.crossingBytes + step.accumulatedBytes + step.sentBytes },
    { name: 'new values beside old ones', bytes: held - once },
    { name: valuesOf(step), bytes: step.aliveBytes },
    {
      name: 'scratch, holes in the heap',
      bytes: Math.round(((step.planned ? PLANNED : HEAP) - 1) * step.aliveBytes),
    },
    { name: 'batches', bytes: step.inputBytes + aheadBytes(loader, step.inputBytes) + step.outputBytes },
    { name: COMPILED, bytes: NODE_BYTES * step.nodes + 3 * step.constantBytes },
    { name: 'compiled steps of other shapes', bytes: rest.earlierBytes },
    { name: 'threads that make batches', bytes: THREAD_BYTES * loader.threads },
    { name: 'process and libraries', bytes: rest.processBytes + RUNTIME_BYTES },
  ];
  return items.filter(({ bytes }) => bytes > 0);
}

/** Gradients that lie among the values in between are counted with them. */
function valuesOf({ planned, crossingBytes }: StepMemory): string {
  return planned && crossingBytes === 0
    ? 'gradients, activations and other values'
    : 'activations and other values';
}

/** What stays of a step when one of other shapes is run. */
export function keptBytes({ items }: Pick<MemoryPlan, 'items'>): number {
  return totalOf(items.filter(({ name }) => name === COMPILED || name === GRADIENTS));
}

/** One batch may be larger than all that wait are to be. */
function aheadBytes({ batches, bytes }: LoaderMemory, batchBytes: number): number {
  return Math.min(batches * batchBytes, Math.max(bytes, Math.sign(batches) * batchBytes));
}

export function totalOf(items: readonly MemoryItem[]): number {
  return items.reduce((sum, { bytes }) => sum + bytes, 0);
}

export function fitsInto(plan: MemoryPlan): boolean {
  return wantedBytes(plan) <= plan.free.bytes;
}

/** Bytes that the plan asks for beyond what the process has. */
export function wantedBytes({ totalBytes, takenBytes }: MemoryPlan): number {
  return Math.max(0, totalBytes - takenBytes);
}
