// Losses of your own: CTC that is rewarded for doubt (`loss: {_target_: DoubtfulCTC, …}`), and a transducer's that counts long
// transcripts less.

import {
  CTCLoss,
  type FrameLoss,
  type FrameLossInput,
  frameLossKind,
  reducedLoss,
  type TransducerLattice,
  type TransducerLoss,
  transducerCosts,
  transducerLossKind,
} from '../../src/asr/index.js';
import { defineSchema } from '../../src/config/index.js';
import { component } from '../../src/container/index.js';
import { tf } from '../../src/engine/index.js';
import { addLosses, frameMask, scaleLoss, type WeightedLoss, weightedLoss } from '../../src/nn/index.js';

/** CTC less a share of the mean entropy of the frames (Pereyra et al. 2017). */
class DoubtfulCTC implements FrameLoss {
  private readonly ctc = new CTCLoss();

  constructor(private readonly share: number) {}

  forward(input: FrameLossInput): WeightedLoss {
    const { logProbabilities, frames } = input; // [B,T,V+1], int32 [B]
    const mask = frameMask(frames, logProbabilities.shape[1] as number); // [B,T]
    const entropy = tf.neg(tf.sum(tf.mul(tf.exp(logProbabilities), logProbabilities), 2));
    const count = tf.sum(mask);
    const mean = tf.div(tf.sum(tf.mul(entropy, mask)), tf.maximum(count, tf.scalar(1)));
    // The loss says what it is the mean over, so that accumulated batches add up to one large one.
    return addLosses(
      this.ctc.forward(input),
      scaleLoss(weightedLoss(mean, { unit: 'frames', count }), -this.share),
    );
  }
}

export const doubtfulCtc = component({
  kind: frameLossKind,
  name: 'DoubtfulCTC',
  schema: defineSchema('DoubtfulCTC', {
    share: { doc: 'Of the entropy.', format: 'number', min: 0, default: 0.01 },
  }),
  create: ({ share }) => new DoubtfulCTC(share),
});

/** RNN-T whose costs are divided by the root of their tokens. */
class RootLengthRNNT implements TransducerLoss {
  forward(lattice: TransducerLattice): WeightedLoss {
    const costs = transducerCosts(lattice); // [B]
    const root = tf.sqrt(tf.maximum(tf.cast(lattice.tokens, 'float32'), tf.scalar(1)));
    return reducedLoss(tf.div(costs, root), lattice.tokens, 'mean_batch');
  }
}

export const rootLengthRnnt = component({
  kind: transducerLossKind,
  name: 'RootLengthRNNT',
  schema: defineSchema('RootLengthRNNT', {}),
  create: () => new RootLengthRNNT(),
});
