// The losses of all transducers from the picks of their joint: RNN-T (Graves 2012), multi-blank (Xu et al.
// 2022) and TDT (Xu et al. 2023).
import { randomBits, type Tensor, tf } from '../../engine/index.js';
import { blankDurations, type TransducerVariant } from '../decoders/transducer-variant.js';
import { type Arc, arcLatticeCosts } from './arc-lattice.js';
import { impossible } from './log-space.js';
import { type LatticeInput, type LatticeOptions, transducerCosts } from './transducer-lattice.js';

/** Options of all transducers' losses; what a variant does not know it passes over. */
export interface VariantLossOptions extends LatticeOptions {
  /** Taken off every log-probability of tokens and blanks of multi-blank and TDT. Default 0. */
  readonly sigma?: number;
  /** Probability that a batch of TDT is trained with the plain RNN-T loss of its tokens. Default 0. */
  readonly omega?: number;
}

/**
 * Costs of each utterance, [B]. `picks` [B,U+1,T,P] holds blank, the next label, then the big blanks or the
 * durations. Only `omega` is random; pass 0 outside training.
 */
export function variantCosts(
  input: LatticeInput,
  variant: TransducerVariant,
  options: VariantLossOptions = {},
): Tensor {
  if (variant.kind === 'rnnt') return transducerCosts(input, options);
  const { sigma = 0, omega = 0, fastEmit } = options;
  const arcs = variantArcs(variant);
  const normal = variant.kind === 'tdt' ? 2 : 2 + variant.durations.length;
  const picks = sigma === 0 ? input.picks : tf.sub(input.picks, offsets(input.picks, normal, sigma));
  const costs = finite(arcLatticeCosts({ ...input, picks }, { arcs, fastEmit, label: LABEL }));
  if (variant.kind !== 'tdt' || omega <= 0) return costs;
  const [batch, rows, width] = input.picks.shape;
  const tokens = tf.slice(input.picks, [0, 0, 0, 0], [batch, rows, width, 2]);
  const plainCosts = transducerCosts({ ...input, picks: tokens }, options);
  const coin = tf.less(tf.cast(randomBits(1), 'float32'), tf.scalar(omega * 2 ** 31));
  const isPlain = tf.cast(coin, 'float32');
  return tf.add(tf.mul(plainCosts, isPlain), tf.mul(costs, tf.sub(tf.scalar(1), isPlain)));
}

const [BLANK, LABEL] = [0, 1];

/** What an utterance without a path costs, as NeMo's kernels have it. */
const NO_PATH_COST = 1e4;

/**
 * Durations without 0 or 1 leave some utterances without a path: those with more tokens than frames, or of an odd
 * length where all durations are even. Their cost is a constant, for 1e30 would hide all others in a mean.
 */
function finite(costs: Tensor): Tensor {
  return tf.where(tf.less(costs, tf.scalar(-impossible / 2)), costs, tf.fill(costs.shape, NO_PATH_COST));
}

/** The arcs that leave a lattice point; they refer to picks as `variantCosts` takes them. */
export function variantArcs(variant: TransducerVariant): readonly Arc[] {
  return variant.kind === 'tdt' ? tdtArcs(variant.durations) : blankArcs(blankDurations(variant));
}

/** Blank cannot last zero frames. */
function tdtArcs(durations: readonly number[]): Arc[] {
  return durations.flatMap((frames, i) => {
    const label = { frames, label: true, picks: [LABEL, 2 + i] };
    return frames === 0 ? [label] : [label, { frames, label: false, picks: [BLANK, 2 + i] }];
  });
}

/** Of plain RNN-T if there are no big blanks. */
function blankArcs([, ...big]: readonly number[]): Arc[] {
  return [
    { frames: 0, label: true, picks: [LABEL] },
    { frames: 1, label: false, picks: [BLANK] },
    ...big.map((frames, i) => ({ frames, label: false, picks: [2 + i] })),
  ];
}

/** sigma for the first `count` picks, 0 for the others. */
function offsets(picks: Tensor, count: number, sigma: number): Tensor {
  const size = picks.shape[3]!;
  return tf.tensor(Float32Array.from({ length: size }, (_, i) => (i < count ? sigma : 0)), [1, 1, 1, size]); // biome-ignore format: one line reads better
}
