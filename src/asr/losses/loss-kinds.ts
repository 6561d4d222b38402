// What a loss of speech models is: of encoder frames (CTC) or over a transducer's lattice. Configs name them by
// `model.loss._target_`. Both return a value with the weight that its sum was divided by.
import { defineKind } from '../../container/index.js';
import type { Tensor } from '../../engine/index.js';
import type { Pass, WeightedLoss } from '../../nn/index.js';
import type { TransducerVariant } from '../decoders/transducer-variant.js';
import type { CtcInput } from './ctc-loss.js';
import type { LatticeInput } from './transducer-lattice.js';

/** What a loss of frames sees: log-probabilities [B,T,V+1], targets int32 [B,U], and how much of both is real. */
export type FrameLossInput = CtcInput;

/** A loss of the classifier of encoder frames: `model.loss` of CTC models, `model.aux_ctc.loss` of hybrid ones. */
export interface FrameLoss {
  /** The loss of a batch, inside a program. */
  forward(input: FrameLossInput, pass: Pass): WeightedLoss;
}

/** Losses of frames as a kind of component. */
export const frameLossKind = defineKind<FrameLoss>('frame_loss', 'a loss of frames');

/** What the loss of a transducer sees. */
export interface TransducerLattice extends LatticeInput {
  /** What `picks` hold behind blank and the next label. */
  readonly variant: TransducerVariant;
  /** int32 [B,U] */
  readonly targets: Tensor;
}

/** A loss over the lattice of encoder frames and tokens: `model.loss` of transducers. */
export interface TransducerLoss {
  /** What it trains the joint's outputs to be. Default: what `model.decoding` says, else plain RNN-T. */
  readonly variant?: TransducerVariant | undefined;
  /** Clips the gradients of the joint's logits to ±clamp. Default: off. */
  readonly clamp?: number;
  /** The loss of a batch, inside a program. */
  forward(lattice: TransducerLattice, pass: Pass): WeightedLoss;
}

/** Losses of transducers as a kind of component. */
export const transducerLossKind = defineKind<TransducerLoss>('transducer_loss', 'a loss of transducers');
