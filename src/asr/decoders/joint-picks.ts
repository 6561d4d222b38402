// The part of the joint network that would hold [B,T,U+1,K]: from the two projections to the
// log-probabilities of the lattice's arcs. Works in blocks of time, so that a bound on the number of
// elements holds in both directions; the gradient computes a block again instead of keeping it.
import { type MaskFactors, maskFactors, maskFromFactors, scan, type Tensor, tf } from '../../engine/index.js';
import { customGradient } from '../../nn/index.js';

export type JointActivation = 'relu' | 'tanh' | 'sigmoid';

export interface JointPicksInput {
  /** Encoder projection [B,T,J] and prediction projection [B,U+1,J]. */
  readonly encoder: Tensor;
  readonly prediction: Tensor;
  /** Output layer [K,J], [K]. */
  readonly weight: Tensor;
  readonly bias: Tensor;
  /** int32 [B,U] */
  readonly targets: Tensor;
  readonly blank: number;
}

export interface JointPicksOptions {
  readonly activation: JointActivation;
  /** On the hidden layer; 0 outside training. */
  readonly dropout: number;
  /** Largest number of elements of any tensor over (batch, time, target, class). */
  readonly maxElements: number;
  /** Gradients of the logits are clipped to ±clamp; off when ≤ 0. */
  readonly clamp: number;
}

/** One-hot rows of [blank, next label] for every target position, [B·(U+1), 2, K]. */
export function arcSelectors(targets: Tensor, classes: number, blank: number): Tensor {
  const [batch] = targets.shape;
  const last = tf.fill([batch, 1], blank, 'int32');
  const labels = tf.concat([targets, last], 1);
  const pairs = tf.stack([tf.fill(labels.shape, blank, 'int32'), labels], 2);
  const oneHot = tf.oneHot(tf.reshape(pairs, [pairs.size]) as tf.Tensor1D, classes);
  return tf.reshape(tf.cast(oneHot, 'float32'), [pairs.size / 2, 2, classes]);
}

/** Log-probabilities of blank and of the next label at every lattice point, [B,U+1,T,2]. */
export function jointPicks(input: JointPicksInput, options: JointPicksOptions): Tensor {
  const { encoder, prediction, weight, bias, targets, blank } = input;
  const [batch, frames, hidden] = encoder.shape;
  const rows = prediction.shape[1]!;
  const [classes] = weight.shape;
  const perFrame = batch * rows * Math.max(classes, hidden);
  const blockFrames = Math.max(1, Math.min(frames, Math.floor(options.maxElements / perFrame)));
  const blocks = Math.ceil(frames / blockFrames);
  const selectors = arcSelectors(targets, classes, blank);
  const factors = options.dropout > 0 ? maskFactors(blocks * batch * rows * blockFrames, hidden) : undefined;
  const network = new JointBlock(options, [batch, rows, blockFrames, hidden, classes]);
  return blocks === 1
    ? singleBlock(network, encoder, prediction, weight, bias, selectors, factors)
    : manyBlocks(network, blocks, encoder, prediction, weight, bias, selectors, factors);
}

/** Everything in one piece: the gradient keeps the log-probabilities, which fit the bound. */
function singleBlock(
  network: JointBlock,
  encoder: Tensor,
  prediction: Tensor,
  weight: Tensor,
  bias: Tensor,
  selectors: Tensor,
  factors: MaskFactors | undefined,
): Tensor {
  const random = factors ? [factors.rows, factors.columns] : [];
  return customGradient(
    [encoder, prediction, weight, bias],
    () => {
      const hidden = network.hidden(encoder, prediction, network.mask(random));
      const logProbabilities = network.logProbabilities(hidden.dropped, weight, bias);
      return {
        value: network.pick(logProbabilities, selectors),
        saved: [encoder, prediction, weight, selectors, logProbabilities, ...random],
      };
    },
    (dy, [encoder, prediction, weight, selectors, logProbabilities, ...random]) => {
      const mask = network.mask(random);
      const hidden = network.hidden(encoder, prediction, mask);
      const back = network.backward(dy, hidden, logProbabilities, weight, selectors, mask);
      return [back.encoder, back.prediction, back.weight, back.bias];
    },
  );
}

function manyBlocks(
  network: JointBlock,
  blocks: number,
  encoder: Tensor,
  prediction: Tensor,
  weight: Tensor,
  bias: Tensor,
  selectors: Tensor,
  factors: MaskFactors | undefined,
): Tensor {
  const [batch, rows, blockFrames, width, classes] = network.dims;
  const frames = encoder.shape[1]!;
  const padding = blocks * blockFrames - frames;
  const random = factors
    ? [tf.reshape(factors.rows, [blocks, batch * rows * blockFrames, 1]), factors.columns]
    : [];
  const cut = (x: Tensor): Tensor => {
    const padded = padding === 0 ? x : tf.pad(x, [[0, 0], [0, padding], [0, 0]]); // biome-ignore format: one line reads better
    return tf.transpose(tf.reshape(padded, [batch, blocks, blockFrames, width]), [1, 0, 2, 3]);
  };
  return customGradient(
    [encoder, prediction, weight, bias],
    () => {
      const [allRows, columns] = random;
      const { ys } = scan(
        (carry, [block, maskRows]) => {
          const mask = network.mask(maskRows ? [maskRows, columns] : []);
          const { dropped } = network.hidden(block, prediction, mask);
          return { carry, ys: [network.pick(network.logProbabilities(dropped, weight, bias), selectors)] };
        },
        [tf.scalar(0)],
        allRows ? [cut(encoder), allRows] : [cut(encoder)],
      );
      const picks = tf.reshape(tf.transpose(ys[0], [1, 2, 0, 3, 4]), [batch, rows, blocks * blockFrames, 2]);
      return {
        value: tf.slice(picks, [0, 0, 0, 0], [batch, rows, frames, 2]),
        saved: [encoder, prediction, weight, bias, selectors, ...random],
      };
    },
    (dy, [encoder, prediction, weight, bias, selectors, ...random]) => {
      const [allRows, columns] = random;
      const padded = tf.pad(dy, [[0, 0], [0, 0], [0, padding], [0, 0]]); // biome-ignore format: one line reads better
      const dPicks = tf.transpose(tf.reshape(padded, [batch, rows, blocks, blockFrames, 2]), [2, 0, 1, 3, 4]);
      const { carry, ys } = scan(
        ([dPrediction, dWeight, dBias], [block, dBlock, maskRows]) => {
          const mask = network.mask(maskRows ? [maskRows, columns] : []);
          const hidden = network.hidden(block, prediction, mask);
          const logProbabilities = network.logProbabilities(hidden.dropped, weight, bias);
          const back = network.backward(dBlock, hidden, logProbabilities, weight, selectors, mask);
          return {
            carry: [
              tf.add(dPrediction, back.prediction),
              tf.add(dWeight, back.weight),
              tf.add(dBias, back.bias),
            ],
            ys: [back.encoder],
          };
        },
        [tf.zeros([batch, rows, width]), tf.zeros([classes, width]), tf.zeros([classes])],
        allRows ? [cut(encoder), dPicks, allRows] : [cut(encoder), dPicks],
      );
      const joined = tf.reshape(tf.transpose(ys[0], [1, 0, 2, 3]), [batch, blocks * blockFrames, width]);
      return [tf.slice(joined, [0, 0, 0], [batch, frames, width]), ...carry];
    },
  );
}

interface Hidden {
  /** Activation [B,U+1,T,J] before and, as rows [N,J], after dropout. */
  readonly activated: Tensor;
  readonly dropped: Tensor;
}

/** One block of time. Rows are ordered (utterance, target position, frame). */
class JointBlock {
  constructor(
    private readonly options: JointPicksOptions,
    /** B, U+1, frames of a block, J, K. */
    readonly dims: readonly [number, number, number, number, number],
  ) {}

  /** The dropout mask [N,J] of this block, if there is dropout. */
  mask(random: readonly Tensor[]): Tensor | undefined {
    if (random.length === 0) return undefined;
    return maskFromFactors({ rows: random[0], columns: random[1] }, 1 - this.options.dropout);
  }

  hidden(encoder: Tensor, prediction: Tensor, mask: Tensor | undefined): Hidden {
    const [batch, rows, frames, width] = this.dims;
    const sum = tf.add(
      tf.reshape(encoder, [batch, 1, frames, width]),
      tf.reshape(prediction, [batch, rows, 1, width]),
    );
    const activated = activate[this.options.activation](sum);
    return { activated, dropped: this.drop(tf.reshape(activated, [batch * rows * frames, width]), mask) };
  }

  /** [N,K] */
  logProbabilities(dropped: Tensor, weight: Tensor, bias: Tensor): Tensor {
    return tf.logSoftmax(tf.add(tf.matMul(dropped, weight, false, true), bias));
  }

  pick(logProbabilities: Tensor, selectors: Tensor): Tensor {
    const [batch, rows, frames, , classes] = this.dims;
    const grouped = tf.reshape(logProbabilities, [batch * rows, frames, classes]);
    return tf.reshape(tf.matMul(grouped, selectors, false, true), [batch, rows, frames, 2]);
  }

  /** dPicks [B,U+1,T,2]. The logits' gradient is Σ_arcs d·(one-hot - p). */
  backward(
    dPicks: Tensor,
    hidden: Hidden,
    logProbabilities: Tensor,
    weight: Tensor,
    selectors: Tensor,
    mask: Tensor | undefined,
  ): { encoder: Tensor; prediction: Tensor; weight: Tensor; bias: Tensor } {
    const [batch, rows, frames, width, classes] = this.dims;
    const count = batch * rows * frames;
    const chosen = tf.reshape(tf.matMul(tf.reshape(dPicks, [batch * rows, frames, 2]), selectors), [
      count,
      classes,
    ]);
    const total = tf.reshape(tf.sum(dPicks, 3), [count, 1]);
    const exact = tf.sub(chosen, tf.mul(tf.exp(logProbabilities), total));
    const { clamp } = this.options;
    const dLogits = clamp > 0 ? tf.clipByValue(exact, -clamp, clamp) : exact;
    const dDropped = this.drop(tf.matMul(dLogits, weight), mask);
    const dSum = tf.mul(
      tf.reshape(dDropped, [batch, rows, frames, width]),
      slope[this.options.activation](hidden.activated),
    );
    return {
      encoder: tf.sum(dSum, 1),
      prediction: tf.sum(dSum, 2),
      weight: tf.matMul(dLogits, hidden.dropped, true, false),
      bias: tf.sum(dLogits, 0),
    };
  }

  private drop(x: Tensor, mask: Tensor | undefined): Tensor {
    if (!mask) return x;
    return tf.where(mask, tf.mul(x, tf.scalar(1 / (1 - this.options.dropout))), tf.zerosLike(x));
  }
}

const activate: Readonly<Record<JointActivation, (x: Tensor) => Tensor>> = {
  relu: (x) => tf.relu(x),
  tanh: (x) => tf.tanh(x),
  sigmoid: (x) => tf.sigmoid(x),
};

/** Derivatives in terms of the activation's value y. */
const slope: Readonly<Record<JointActivation, (y: Tensor) => Tensor>> = {
  relu: (y) => tf.cast(tf.greater(y, tf.scalar(0)), 'float32'),
  tanh: (y) => tf.sub(tf.scalar(1), tf.square(y)),
  sigmoid: (y) => tf.mul(y, tf.sub(tf.scalar(1), y)),
};
