// The batch of speech that takes the most memory, as the trainer's check wants to know it: shapes, words, advice.
import type { TensorSpec } from '../../engine/index.js';
import type { SourcePosition } from '../../errors/index.js';
import type { BatchOutline } from '../../model/index.js';
import type { BatchingConfig, EpochEstimate } from './batching/index.js';

/** What an outline is made of beside the batch itself. */
export interface OutlineParts {
  /** Of the features. */
  readonly bins: number;
  /** Further inputs, a number an utterance. */
  readonly perRow: readonly string[];
  readonly loader: NonNullable<BatchOutline['loader']>;
  /** Where a key of the section was written. */
  readonly positionOf?: ((key: string) => SourcePosition | undefined) | undefined;
}

/** @param name of the data section */
export function outlineOf(
  name: string,
  batching: BatchingConfig,
  { largest, largestSeconds, longestUtterance }: EpochEstimate,
  { bins, perRow, loader, positionOf }: OutlineParts,
): BatchOutline {
  const { size, frames, tokens } = largest ?? { size: 0, frames: 0, tokens: 0 };
  const inputsFor = (rows: number): Readonly<Record<string, TensorSpec>> => ({
    features: { dtype: 'float32', shape: [rows, frames, bins] },
    featureLengths: { dtype: 'int32', shape: [rows] },
    batchFrames: { dtype: 'int32', shape: [1] },
    targets: { dtype: 'int32', shape: [rows, tokens] },
    targetLengths: { dtype: 'int32', shape: [rows] },
    ...Object.fromEntries(perRow.map((name) => [name, { dtype: 'int32', shape: [rows] } as const])),
  });
  const seconds = largestSeconds / Math.max(1, size);
  const byDuration = batching.batch_duration && !batching.bucket_batch_size && !batching.bucketing_batch_size;
  const key = byDuration ? 'batch_duration' : 'batch_size';
  const setting = (rows: number) => `${name}.${key}: ${byDuration ? Math.floor(rows * seconds) : rows}`;
  return {
    inputs: inputsFor(size),
    size,
    text: `${size} utterances × ${frames} frames × ${tokens} tokens`,
    inputsFor,
    key,
    position: positionOf?.(key),
    setting,
    loader,
    advice: (rows) => {
      if (rows === 0) {
        return `not even one such utterance fits: lower ${name}.max_duration (the longest has ${longestUtterance.toFixed(1)} s)`;
      }
      return `${rows} such utterances would fit: set ${setting(rows)}, and trainer.accumulate_grad_batches to make up for it`;
    },
  };
}
