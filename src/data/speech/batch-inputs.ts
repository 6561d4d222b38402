// What models of speech are given of a batch: features, and the tokens of its transcripts, padded to one width.
import type { HostTensors } from '../../engine/index.js';
import type { BatchFeatures } from './pipeline/task.js';

/** The transcripts of a batch's rows. */
export interface RowLabels {
  /** Token ids of each row. */
  readonly ids: readonly ArrayLike<number>[];
  /** Of the padded targets, at least the longest row. */
  readonly width: number;
  /** Fills targets after their end. Default 0. */
  readonly padId?: number | undefined;
  /** Tokens of each row's prompt, the first of `ids`; absent without prompts. */
  readonly promptLengths?: readonly number[] | undefined;
  /** The number of each row's prompt; absent for models without. */
  readonly promptIndices?: readonly number[] | undefined;
}

/** `features` [B,T,F], `featureLengths` [B], `batchFrames` [1], `targets` [B,U], `targetLengths` [B], and prompts. */
export function batchInputs(
  { features, shape, lengths, batchFrames }: BatchFeatures,
  { ids, width, padId = 0, promptLengths, promptIndices }: RowLabels,
): HostTensors {
  const size = ids.length;
  const targets = new Int32Array(size * width).fill(padId);
  for (const [row, tokens] of ids.entries()) targets.set(tokens, row * width);
  const perRow = (values: readonly number[]) =>
    ({ dtype: 'int32', shape: [size], data: Int32Array.from(values) }) as const;
  return {
    features: { dtype: 'float32', shape, data: features },
    featureLengths: { dtype: 'int32', shape: [size], data: lengths },
    batchFrames: { dtype: 'int32', shape: [1], data: Int32Array.of(batchFrames) },
    targets: { dtype: 'int32', shape: [size, width], data: targets },
    targetLengths: perRow(ids.map((tokens) => tokens.length)),
    ...(promptLengths && { promptLengths: perRow(promptLengths) }),
    ...(promptIndices && { promptIndex: perRow(promptIndices) }),
  };
}
