// Will the largest batch fit? Asked before the first step, because a transducer that runs out of memory does so
// in the middle of an epoch, when the longest utterances come. What the engine computes from the graph is exact
// but for the heap's fragmentation; the weights and the optimizer's state are added. Evaluation is not asked.
import { AnemoneError } from '../../errors/index.js';
import type { BatchOutline, BatchSource } from '../../model/index.js';
import type { StepMemory, StepPrograms } from './step-programs.js';

export interface MemoryCheck {
  readonly source: BatchSource;
  readonly programs: Pick<StepPrograms, 'memoryOf'>;
  /** Whether gradients of several batches are added up before an update. */
  readonly accumulates: boolean;
  readonly say: (line: string) => void;
  /** Bytes that can still be had. Default: the system's figure, container limits included. */
  readonly available?: number;
}

/** Measured at the benchmark's training step: heap taken over bytes alive, where freed memory is kept (host-memory.ts). */
const FRAGMENTATION = 2;

/**
 * Says what the largest batch takes.
 * @throws AnemoneError `trainer.memory` when it cannot fit, with the size that would
 */
export function checkMemory({ source, programs, accumulates, say, available }: MemoryCheck): void {
  const outline = source.largestBatch?.();
  if (!outline) return;
  const memory = programs.memoryOf(outline.inputs, accumulates);
  if (!memory) return;
  const freeBytes = available ?? process.availableMemory();
  const text = `a step of the largest batch (${outline.text}) takes about ${gib(expectedBytes(memory))}`;
  if (leastBytes(memory) <= freeBytes) {
    const tight = expectedBytes(memory) > freeBytes ? '; that may not fit, smaller batches would' : '';
    say(`${source.name}: ${text}, ${gib(freeBytes)} are free${tight}`);
    return;
  }
  throw new AnemoneError({
    code: 'trainer.memory',
    path: source.name,
    message: `${text}, but only ${gib(freeBytes)} are free`,
    hint: outline.advice(largestFitting(outline, programs, accumulates, freeBytes)),
  });
}

/** What is certainly needed. */
const leastBytes = ({ live, states }: StepMemory): number => live + states;
const expectedBytes = ({ live, states }: StepMemory): number => FRAGMENTATION * live + states;

/** The most examples of the same length that fit with fragmentation; 0 when not even one does. */
function largestFitting(
  outline: BatchOutline,
  programs: MemoryCheck['programs'],
  accumulates: boolean,
  freeBytes: number,
): number {
  let fits = 0;
  let tooMany = outline.size;
  while (tooMany - fits > 1) {
    const size = Math.floor((fits + tooMany) / 2);
    const memory = programs.memoryOf(outline.inputsFor(size), accumulates);
    if (memory && expectedBytes(memory) <= freeBytes) fits = size;
    else tooMany = size;
  }
  return fits;
}

function gib(bytes: number): string {
  return bytes < 2 ** 30 ? `${(bytes / 2 ** 20).toFixed(0)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
