// The CTC branch of a model: classifier and loss. A whole model (EncDecCTCModel) or the
// auxiliary branch of a hybrid one.
import type { Tensor } from '../../engine/index.js';
import type { Pass, WeightedLoss } from '../../nn/index.js';
import type { ConvASRDecoder } from '../decoders/conv-asr-decoder.js';
import type { FrameLoss } from '../losses/loss-kinds.js';

export interface CtcTargets {
  /** Valid encoder frames, int32 [B]. */
  readonly lengths: Tensor;
  /** int32 [B,U] */
  readonly targets: Tensor;
  readonly targetLengths: Tensor;
}

/** Loss of encoded frames [B,T',d]. */
export function frameLossOf(
  loss: FrameLoss,
  decoder: ConvASRDecoder,
  encoded: Tensor,
  { lengths, targets, targetLengths }: CtcTargets,
  pass: Pass,
): WeightedLoss {
  const logProbabilities = decoder.forward(encoded, pass);
  const { blank } = decoder;
  return loss.forward({ logProbabilities, targets, frames: lengths, tokens: targetLengths, blank }, pass);
}
