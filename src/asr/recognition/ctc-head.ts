// The CTC branch of a model: classifier and loss. A whole model (EncDecCTCModel) or the
// auxiliary branch of a hybrid one.
import type { Tensor } from '../../engine/index.js';
import type { Pass, WeightedLoss } from '../../nn/index.js';
import type { ConvASRDecoder } from '../decoders/conv-asr-decoder.js';
import { ctcCosts } from '../losses/ctc-loss.js';
import { type LossReduction, reducedLoss } from '../losses/reduction.js';
import type { LatticeImplementation } from '../losses/transducer-lattice.js';

export interface CtcTargets {
  /** Valid encoder frames, int32 [B]. */
  readonly lengths: Tensor;
  /** int32 [B,U] */
  readonly targets: Tensor;
  readonly targetLengths: Tensor;
}

/** Loss of encoded frames [B,T',d]. */
export function ctcLoss(
  decoder: ConvASRDecoder,
  encoded: Tensor,
  { lengths, targets, targetLengths }: CtcTargets,
  pass: Pass,
  options: { reduction: LossReduction; implementation?: LatticeImplementation },
): WeightedLoss {
  const logProbabilities = decoder.forward(encoded, pass);
  const costs = ctcCosts(
    { logProbabilities, targets, frames: lengths, tokens: targetLengths, blank: decoder.blank },
    { zeroInfinity: true, implementation: options.implementation },
  );
  return reducedLoss(costs, targetLengths, options.reduction);
}
