// The batch of speech that takes the most memory, as the trainer's check wants to know it: shapes, words, advice.
import type { TensorSpec } from '../../engine/index.js';
import type { BatchOutline } from '../../model/index.js';
import type { BatchingConfig, EpochEstimate } from './batching/index.js';

/** @param name of the data section; @param bins of the features; @param perRow further inputs, a number an utterance */
export function outlineOf(
  name: string,
  batching: BatchingConfig,
  { largest, largestSeconds, longestUtterance }: EpochEstimate,
  bins: number,
  perRow: readonly string[] = [],
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
  return {
    inputs: inputsFor(size),
    size,
    text: `${size} utterances × ${frames} frames × ${tokens} tokens`,
    inputsFor,
    advice: (rows) => {
      if (rows === 0) {
        return `not even one such utterance fits: lower ${name}.max_duration (the longest has ${longestUtterance.toFixed(1)} s)`;
      }
      const setting =
        batching.batch_duration && !batching.bucket_batch_size && !batching.bucketing_batch_size
          ? `${name}.batch_duration: ${Math.floor(rows * seconds)}`
          : `${name}.batch_size: ${rows}`;
      return `${rows} such utterances would fit: set ${setting}, and trainer.accumulate_grad_batches to make up for it`;
    },
  };
}
