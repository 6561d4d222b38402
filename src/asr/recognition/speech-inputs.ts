// What a batch of speech holds, as programs see it.
import type { HostTensors, Tensor, Tensors } from '../../engine/index.js';
import type { Pass } from '../../nn/index.js';

/** Names of `Batch.inputs` of speech. */
export interface SpeechInputs {
  /** [B,T,F] */
  readonly features: Tensor;
  /** int32 [B] */
  readonly featureLengths: Tensor;
  /** Frames of the T that the batch has, its own padding included, int32 [1]; absent: all. See `Pass.batchFrames`. */
  readonly batchFrames?: Tensor;
  /** int32 [B,U] */
  readonly targets: Tensor;
  /** int32 [B] */
  readonly targetLengths: Tensor;
}

export function speechInputs(inputs: Tensors): SpeechInputs {
  const { features, featureLengths, batchFrames, targets, targetLengths } = inputs;
  return { features, featureLengths, batchFrames, targets, targetLengths };
}

/** The pass for an encoder that gets these inputs. */
export function encoderPass({ batchFrames }: Tensors, pass: Pass): Pass {
  return batchFrames ? { ...pass, batchFrames } : pass;
}

/** Of `Batch.inputs`, what an encoder reads. */
export function encoderInputs({ features, featureLengths, batchFrames }: HostTensors): HostTensors {
  return { features, featureLengths, ...(batchFrames && { batchFrames }) };
}

/** Of `Batch.inputs`, what is known without the transcripts: the prompt of a language too. */
export function heardInputs({ targets: _, targetLengths: __, ...heard }: HostTensors): HostTensors {
  return heard;
}
