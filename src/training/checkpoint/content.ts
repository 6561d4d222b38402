// The types of what a checkpoint holds.
import type { State } from '../../engine/index.js';
import type { LossScaleState } from '../fit/loss-scale.js';
import type { LogEntry, LoggedAtStep } from '../loggers/logger.js';
import type { IntervalSums } from '../progress/throughput.js';
import type { RunProgress } from '../run-progress.js';

export const CHECKPOINT_FORMAT = 'anemone-checkpoint';
export const CHECKPOINT_VERSION = 1;

/** What JSON holds. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** The part that is not tensors, `state.json`. */
export interface CheckpointState {
  readonly progress: Readonly<RunProgress>;
  /** Seed of weights and dropout; with `progress` it fixes every random stream. */
  readonly seed: number;
  /** Name of the engine the run computed on; bit-identity holds on the same one only. */
  readonly engine: string;
  readonly optimizer: { readonly name: string; readonly groups: readonly string[] };
  readonly scheduler: { readonly name: string; readonly state: Readonly<Record<string, number>> };
  /** By callback name. */
  readonly callbacks: Readonly<Record<string, JsonValue>>;
  /** Latest metrics when it was saved. */
  readonly metrics: Readonly<Record<string, number>>;
  // The keys from here on are absent in checkpoints of earlier versions.
  /** Sums since the last log row. */
  readonly interval?: IntervalSums;
  /** What the loggers had got at this step. */
  readonly logged?: LoggedAtStep;
  /** What they could not take: the run ended there. */
  readonly unlogged?: readonly LogEntry[];
  readonly nonfinite?: NonfiniteState;
  readonly data?: DataIdentity;
  /** Where the loss is scaled. */
  readonly lossScale?: LossScaleState;
}

/** What is remembered of steps whose loss or gradient was not finite, and of those before them. */
export interface NonfiniteState {
  readonly skipped: number;
  /** The latest finite gradient norms. */
  readonly norms: readonly number[];
}

/** By what a resumed run notices other training data under the same name. */
export interface DataIdentity {
  /** Batches of the epoch in progress. */
  readonly batches: number;
  /** Hash of the examples, where the source can tell it. */
  readonly digest?: string | null;
}

/** Tensors that share a file: weights, optimizer slots, averaged weights. */
export interface TensorGroup {
  /** File name without the ending. */
  readonly name: string;
  readonly states: readonly State[];
}

/** What a checkpoint consists of, apart from how it lies on disk (writer.ts, reader.ts). */
export interface CheckpointContent {
  readonly state: CheckpointState;
  /** The run's config as YAML: `model`, `trainer`, and `exp_manager` where there is one. */
  readonly config: string;
  readonly groups: readonly TensorGroup[];
  /** Files the model needs to be used again, by name. */
  readonly artifacts: ReadonlyMap<string, Uint8Array>;
}

/** Size and hash of every file: written last, it makes a checkpoint complete. */
export interface CheckpointManifest {
  readonly format: typeof CHECKPOINT_FORMAT;
  readonly version: number;
  readonly created: string;
  readonly files: Readonly<Record<string, { readonly bytes: number; readonly sha256: string }>>;
}

/** The parts of FOLDER/NAME, or undefined where a name would lead out of the checkpoint. */
export function plainSegments(name: string): readonly string[] | undefined {
  const segments = name.split('/');
  const isPlain = (segment: string) => /^[^/\\\0]+$/.test(segment) && segment !== '.' && segment !== '..';
  return segments.every(isPlain) ? segments : undefined;
}
