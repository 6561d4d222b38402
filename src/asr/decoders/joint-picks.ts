// The part of the joint network that would hold [B,T,U+1,K]: from the two projections to the
// log-probabilities of the lattice's arcs. Works in blocks of time, so that a bound on the number of
// elements holds in both directions; the gradient computes a block again instead of keeping it.
import {
  inFullPrecision,
  keepWhere,
  later,
  maskFactors,
  maskFromFactors,
  scan,
  type Tensor,
  tf,
} from '../../engine/index.js';
import { customGradient } from '../../nn/index.js';

/** Activation between the sum of the projections and the output layer. */
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
  /** How the outputs are grouped. Default: one head of all outputs, with the arcs [blank, label]. */
  readonly heads?: readonly JointHead[];
}

/** Outputs of the joint that are normalised together. Heads follow each other in the output layer. */
export interface JointHead {
  /** Number of outputs. */
  readonly size: number;
  /** Outputs that are arcs of the lattice, counted within the head; `label` is the next target token. */
  readonly arcs: readonly (number | 'label')[];
  /** `none` gives the outputs as they are. Default softmax. */
  readonly normalise?: 'softmax' | 'none';
}

/** How the joint network computes, and in how much memory. */
export interface JointPicksOptions {
  readonly activation: JointActivation;
  /** On the hidden layer; 0 outside training. */
  readonly dropout: number;
  /** Largest number of elements of any tensor over (batch, time, target, class). */
  readonly maxElements: number;
  /** Elements of the temporaries of one piece or block of time, within the bound. Default 2^22. */
  readonly pieceElements?: number | undefined;
  /** Whether log-probabilities are computed again for the gradient where they would fit the bound. Default no. */
  readonly recomputes?: boolean;
  /** Gradients of the logits are clipped to ±clamp; off when ≤ 0. */
  readonly clamp: number;
}

/** One-hot rows of a head's A arcs for every target position, [B·(U+1), A, size]. */
export function arcSelectors(targets: Tensor, { size, arcs }: JointHead): Tensor {
  const [batch, length] = targets.shape;
  const rows = length! + 1;
  // tfjs refuses a one-hot of one class.
  if (size === 1) return tf.ones([batch * rows, arcs.length, 1]);
  // There is no next label after the last; any output fills the place.
  const labels = tf.concat([targets, tf.zeros([batch, 1], 'int32')], 1);
  const outputs = arcs.map((arc) => (arc === 'label' ? labels : tf.fill([batch, rows], arc, 'int32')));
  const stacked = tf.stack(outputs, 2);
  const oneHot = tf.oneHot(tf.reshape(stacked, [stacked.size]) as tf.Tensor1D, size);
  return tf.reshape(tf.cast(oneHot, 'float32'), [batch * rows, arcs.length, size]);
}

/** More pieces would cost more calls than they save memory. */
const mostPieces = 8;

/** Log-probabilities of the A arcs of all heads at every lattice point, [B,U+1,T,A]. */
export function jointPicks(input: JointPicksInput, options: JointPicksOptions): Tensor {
  const { encoder, prediction, weight, targets, blank } = input;
  const [batch, frames, hidden] = encoder.shape;
  const rows = prediction.shape[1]!;
  const [classes] = weight.shape;
  const perFrame = batch * rows * Math.max(classes, hidden);
  /** Pieces of time needed so that none has more elements than this. */
  const piecesOf = (elements: number): number => Math.min(frames, Math.ceil((perFrame * frames) / elements));
  const leastPieces = piecesOf(options.maxElements);
  const wishedPieces = piecesOf(Math.min(options.maxElements, options.pieceElements ?? 2 ** 22));
  const heads = input.heads ?? [{ size: classes, arcs: [blank, 'label'] }];
  const selectors = heads.map((head) => arcSelectors(targets, head));
  // What the gradient keeps is at most the log-probabilities, so only they must fit the bound as a whole.
  if (batch * rows * frames * classes <= options.maxElements) {
    const pieces = Math.max(leastPieces, Math.min(mostPieces, wishedPieces));
    return savedPieces(options, pieces, input, heads, selectors);
  }
  const blockFrames = Math.ceil(frames / wishedPieces);
  const blocks = Math.ceil(frames / blockFrames);
  const network = new JointBlock(options, [batch, rows, blockFrames, hidden, classes], heads);
  return manyBlocks(network, blocks, input, selectors);
}

/**
 * All log-probabilities fit the bound: the gradient keeps them, or computes them again. Time is still cut into a few
 * pieces, for the many temporaries of the same size and for the hidden layer, which may be wider than there are classes.
 */
function savedPieces(
  options: JointPicksOptions,
  pieces: number,
  { encoder, prediction, weight, bias }: JointPicksInput,
  heads: readonly JointHead[],
  selectors: readonly Tensor[],
): Tensor {
  const [batch, frames, width] = encoder.shape;
  const rows = prediction.shape[1]!;
  const [classes] = weight.shape;
  const bounds = Array.from({ length: pieces + 1 }, (_, i) => Math.round((i * frames) / pieces));
  const parts = bounds.slice(1).map((end, i) => {
    const length = end - bounds[i];
    return {
      start: bounds[i],
      length,
      network: new JointBlock(options, [batch, rows, length, width, classes], heads),
    };
  });
  const random = parts.flatMap(({ length }) => {
    if (options.dropout <= 0) return [];
    const factors = maskFactors(batch * rows * length, width);
    return [factors.rows, factors.columns];
  });
  const maskFactorsOf = (all: readonly Tensor[], i: number): readonly Tensor[] => all.slice(2 * i, 2 * i + 2);
  const piece = (x: Tensor, start: number, length: number): Tensor =>
    pieces === 1 ? x : tf.slice(x, [0, start, 0], [batch, length, width]);
  return customGradient(
    [encoder, prediction, weight, bias],
    () => {
      const results = parts.map(({ start, length, network }, i) => {
        const mask = network.mask(maskFactorsOf(random, i));
        const { dropped } = network.hidden(piece(encoder, start, length), prediction, mask);
        const logProbabilities = network.logProbabilities(dropped, weight, bias);
        return { logProbabilities, picks: network.pick(logProbabilities, selectors) };
      });
      const picks = results.map((result) => result.picks);
      return {
        value: pieces === 1 ? picks[0] : tf.concat(picks, 2),
        saved: [
          encoder,
          prediction,
          weight,
          bias,
          ...selectors,
          ...(options.recomputes ? [] : results.flatMap((result) => result.logProbabilities)),
          ...random,
        ],
      };
    },
    (dy, [encoder, prediction, weight, bias, ...more]) => {
      const selectors = more.slice(0, heads.length);
      const keptLogProbabilities = options.recomputes
        ? []
        : more.slice(heads.length, (pieces + 1) * heads.length);
      const random = more.slice(heads.length + keptLogProbabilities.length);
      const logProbabilities = (i: number, { dropped }: Hidden): Tensor[] =>
        options.recomputes
          ? parts[i].network.logProbabilities(dropped, weight, bias)
          : keptLogProbabilities.slice(i * heads.length, (i + 1) * heads.length);
      const arcs = dy.shape[3]!;
      let last: Tensor[] = [];
      const grads = parts.map(({ start, length, network }, i) => {
        const mask = network.mask(maskFactorsOf(random, i));
        // One piece after the other: all of them at once would be the whole lattice.
        const encoderPiece = later(piece(encoder, start, length), last);
        const hidden = network.hidden(encoderPiece, prediction, mask);
        const dPicks = pieces === 1 ? dy : tf.slice(dy, [0, 0, start, 0], [batch, rows, length, arcs]);
        const grad = network.backward(dPicks, hidden, logProbabilities(i, hidden), weight, selectors, mask);
        last = [grad.encoder, grad.prediction, grad.weight];
        return grad;
      });
      const total = (part: (grad: JointGradients) => Tensor): Tensor =>
        grads.map(part).reduce((sum, grad) => tf.add(sum, grad));
      const dEncoder = grads.map((grad) => grad.encoder);
      return [
        pieces === 1 ? dEncoder[0] : tf.concat(dEncoder, 1),
        total((grad) => grad.prediction),
        total((grad) => grad.weight),
        total((grad) => grad.bias),
      ];
    },
    { recomputes: true },
  );
}

/** Beyond the bound: a loop over blocks of time, whose gradient computes each block again. */
function manyBlocks(
  network: JointBlock,
  blocks: number,
  { encoder, prediction, weight, bias }: JointPicksInput,
  selectors: readonly Tensor[],
): Tensor {
  const [batch, rows, blockFrames, width, classes] = network.dims;
  const { arcs } = network;
  const factors = network.hasDropout ? maskFactors(blocks * batch * rows * blockFrames, width) : undefined;
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
      const picks = tf.reshape(tf.transpose(ys[0], [1, 2, 0, 3, 4]), [
        batch,
        rows,
        blocks * blockFrames,
        arcs,
      ]);
      return {
        value: tf.slice(picks, [0, 0, 0, 0], [batch, rows, frames, arcs]),
        saved: [encoder, prediction, weight, bias, ...selectors, ...random],
      };
    },
    (dy, [encoder, prediction, weight, bias, ...more]) => {
      const selectors = more.slice(0, network.heads.length);
      const [allRows, columns] = more.slice(network.heads.length);
      const padded = tf.pad(dy, [[0, 0], [0, 0], [0, padding], [0, 0]]); // biome-ignore format: one line reads better
      const dPicks = tf.transpose(
        tf.reshape(padded, [batch, rows, blocks, blockFrames, arcs]),
        [2, 0, 1, 3, 4],
      );
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
  /** Activation [B,U+1,T,J]. */
  readonly activated: Tensor;
  /** What is left of it by dropout, as rows [N,J]; the survivors are not scaled up here. */
  readonly dropped: Tensor;
}

interface JointGradients {
  readonly encoder: Tensor;
  readonly prediction: Tensor;
  readonly weight: Tensor;
  readonly bias: Tensor;
}

/** One block of time. Rows are ordered (utterance, target position, frame). */
class JointBlock {
  constructor(
    private readonly options: JointPicksOptions,
    /** B, U+1, frames of a block, J, K. */
    readonly dims: readonly [number, number, number, number, number],
    readonly heads: readonly JointHead[],
  ) {}

  /** Number of arcs at a lattice point. */
  get arcs(): number {
    return this.heads.reduce((sum, head) => sum + head.arcs.length, 0);
  }

  get hasDropout(): boolean {
    return this.options.dropout > 0;
  }

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
    const flat = tf.reshape(activated, [batch * rows * frames, width]);
    return { activated, dropped: mask ? keepWhere(mask, flat) : flat };
  }

  /** What each head gives, [N, size of the head]. */
  logProbabilities(droppedHidden: Tensor, weight: Tensor, bias: Tensor): Tensor[] {
    const scaled = this.scaled(weight);
    return this.heads.map((head, i) => {
      const logits = tf.add(
        tf.matMul(droppedHidden, this.rowsOf(scaled, i), false, true),
        this.rowsOf(bias, i),
      );
      return head.normalise === 'none' ? logits : tf.logSoftmax(logits);
    });
  }

  /** [B,U+1,T,A] */
  pick(logProbabilities: readonly Tensor[], selectors: readonly Tensor[]): Tensor {
    const [batch, rows, frames] = this.dims;
    const picks = this.heads.map(({ size, arcs }, i) => {
      const grouped = tf.reshape(logProbabilities[i], [batch * rows, frames, size]);
      const picked = inFullPrecision(() => tf.matMul(grouped, selectors[i], false, true));
      return tf.reshape(picked, [batch, rows, frames, arcs.length]);
    });
    return picks.length === 1 ? picks[0] : tf.concat(picks, 3);
  }

  /** dPicks [B,U+1,T,A]. */
  backward(
    dPicks: Tensor,
    hidden: Hidden,
    logProbabilities: readonly Tensor[],
    weight: Tensor,
    selectors: readonly Tensor[],
    mask: Tensor | undefined,
  ): JointGradients {
    const [batch, rows, frames, width] = this.dims;
    const scaled = this.scaled(weight);
    const sizes = this.heads.map((head) => head.arcs.length);
    const parts = sizes.length === 1 ? [dPicks] : tf.split(dPicks, sizes, 3);
    const dLogits = parts.map((part, i) => this.logitsGradient(i, part, logProbabilities[i], selectors[i]));
    const dDropped = dLogits
      .map((d, i) => tf.matMul(d, this.rowsOf(scaled, i)))
      .reduce((sum, part) => tf.add(sum, part));
    const dSum = tf.reshape(this.throughActivation(dDropped, hidden, mask), [batch, rows, frames, width]);
    const dWeight = dLogits.map((d) => tf.matMul(d, hidden.dropped, true, false));
    const dBias = dLogits.map((d) => tf.sum(d, 0));
    return {
      encoder: tf.sum(dSum, 1),
      prediction: tf.sum(dSum, 2),
      weight: this.scaled(dWeight.length === 1 ? dWeight[0] : tf.concat(dWeight, 0)),
      bias: dBias.length === 1 ? dBias[0] : tf.concat(dBias, 0),
    };
  }

  /** Gradient of a head's logits, Σ_arcs d·(one-hot - p), clipped. [N, size] */
  private logitsGradient(i: number, dPicks: Tensor, logProbabilities: Tensor, selectors: Tensor): Tensor {
    const [batch, rows, frames] = this.dims;
    const { size, arcs, normalise } = this.heads[i];
    const count = batch * rows * frames;
    const byRow = tf.reshape(dPicks, [batch * rows, frames, arcs.length]);
    const chosen = inFullPrecision(() => tf.matMul(byRow, selectors));
    const chosenLogits = tf.reshape(chosen, [count, size]);
    const total = tf.reshape(tf.sum(dPicks, 3), [count, 1]);
    const exactLogits =
      normalise === 'none' ? chosenLogits : tf.sub(chosenLogits, tf.mul(tf.exp(logProbabilities), total));
    const { clamp } = this.options;
    return clamp > 0 ? tf.clipByValue(exactLogits, -clamp, clamp) : exactLogits;
  }

  /** The rows of the output layer that belong to head i. */
  private rowsOf(x: Tensor, i: number): Tensor {
    if (this.heads.length === 1) return x;
    const start = this.heads.slice(0, i).reduce((sum, head) => sum + head.size, 0);
    const rest = x.shape.slice(1) as number[];
    return tf.slice(x, [start, ...rest.map(() => 0)], [this.heads[i].size, ...rest]);
  }

  /** Backward of dropout and activation. For relu both are one mask: where something positive came out. */
  private throughActivation(
    dDropped: Tensor,
    { activated, dropped }: Hidden,
    mask: Tensor | undefined,
  ): Tensor {
    const { activation } = this.options;
    if (activation === 'relu') return keepWhere(tf.greater(dropped, tf.scalar(0)), dDropped);
    const keptGradient = mask ? keepWhere(mask, dDropped) : dDropped;
    return tf.mul(keptGradient, slope[activation](tf.reshape(activated, dDropped.shape)));
  }

  /** The scale of dropout's survivors, put on the output layer because that is smaller. */
  private scaled(weight: Tensor): Tensor {
    return this.hasDropout ? tf.mul(weight, tf.scalar(1 / (1 - this.options.dropout))) : weight;
  }
}

const activate: Readonly<Record<JointActivation, (x: Tensor) => Tensor>> = {
  relu: (x) => tf.relu(x),
  tanh: (x) => tf.tanh(x),
  sigmoid: (x) => tf.sigmoid(x),
};

/** Derivatives in terms of the activation's value y. */
const slope: Readonly<Record<'tanh' | 'sigmoid', (y: Tensor) => Tensor>> = {
  tanh: (y) => tf.sub(tf.scalar(1), tf.square(y)),
  sigmoid: (y) => tf.mul(y, tf.sub(tf.scalar(1), y)),
};
