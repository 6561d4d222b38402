// What a batch of speech holds, as programs see it.
import type { Tensor, Tensors } from '../../engine/index.js';

/** Names of `Batch.inputs` of speech. */
export interface SpeechInputs {
  /** [B,T,F] */
  readonly features: Tensor;
  /** int32 [B] */
  readonly featureLengths: Tensor;
  /** int32 [B,U] */
  readonly targets: Tensor;
  /** int32 [B] */
  readonly targetLengths: Tensor;
}

export function speechInputs(inputs: Tensors): SpeechInputs {
  const { features, featureLengths, targets, targetLengths } = inputs;
  return { features, featureLengths, targets, targetLengths };
}
