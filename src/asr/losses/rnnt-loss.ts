// The RNN-T loss of given logits. Models use `RNNTJoint.picks`, which never holds all logits at once;
// this form serves tests and small custom models.
import { type Tensor, tf } from '../../engine/index.js';
import { arcSelectors } from '../decoders/joint-picks.js';
import { type LossReduction, reduceCosts } from './reduction.js';
import { type LatticeOptions, transducerCosts } from './transducer-lattice.js';

export interface RnntLossInput {
  /** [B,T,U+1,K], not normalised. */
  readonly logits: Tensor;
  /** int32 [B,U] */
  readonly targets: Tensor;
  readonly frames: Tensor;
  readonly tokens: Tensor;
  /** Index of blank. */
  readonly blank: number;
}

/** Loss of Graves 2012 after `reduction`; see `reduceCosts`. */
export function rnntLoss(
  input: RnntLossInput,
  reduction: LossReduction,
  options: LatticeOptions = {},
): Tensor {
  const [batch, frames, rows, classes] = input.logits.shape;
  const byRow = tf.transpose(tf.logSoftmax(input.logits), [0, 2, 1, 3]);
  const selectors = arcSelectors(input.targets, classes, input.blank);
  const picks = tf.matMul(tf.reshape(byRow, [batch * rows, frames, classes]), selectors, false, true);
  const lattice = {
    picks: tf.reshape(picks, [batch, rows, frames, 2]),
    frames: input.frames,
    tokens: input.tokens,
  };
  return reduceCosts(transducerCosts(lattice, options), input.tokens, reduction);
}
