// Reduces the frame rate before the Conformer layers, by strided convolutions over (time, frequency) or by
// stacking frames.
import { keepWhere, later, type Tensor, tf, withChannelsLast } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import {
  Conv2d,
  customGradient,
  frameMask,
  type Initializer,
  LayerNorm,
  Linear,
  linear,
  Module,
  type Pass,
  recomputeCheaply,
  uniform,
} from '../../nn/index.js';
import { inBatchParts, ofRows, type Rows } from './batch-parts.js';
import type { NemoCompat, SubsamplingType } from './conformer-config.js';

export interface SubsamplingOptions {
  readonly kind: SubsamplingType;
  /** Input frames per output frame. */
  readonly factor: number;
  readonly featIn: number;
  readonly featOut: number;
  readonly channels: number;
  readonly causal: boolean;
  readonly nemoCompat: NemoCompat;
  /** Into how many parts a batch is cut for the convolutions, to take less memory; default 1. See `batchParts`. */
  readonly parts?: number;
}

/** Frames and their number per item. */
export interface Frames {
  /** [B,T,D] */
  readonly x: Tensor;
  /** int32 [B] */
  readonly lengths: Tensor;
  /** Of the whole batch, int32 [1], where `pass.extent` says so; see `within`. */
  readonly frames: Tensor | undefined;
}

export abstract class Subsampling extends Module {
  /**
   * x [B,T,F], lengths [B] → [B,T',d] and the new lengths. `masked` frames beyond the lengths are as if they were not
   * there; default as `nemoCompat` says. Unmasked, those beyond `pass.extent` are.
   */
  abstract forward(x: Tensor, lengths: Tensor, pass: Pass, masked?: boolean): Frames;
  /** Output frames of an utterance of `frames` input frames. */
  abstract outputLength(frames: number): number;
  /** How input may be cut; undefined where output depends on later frames, so that it cannot be. */
  abstract readonly cutting: Cutting | undefined;
}

/** Output frame t needs the input frames up to factor·t (`convolution`), or the t-th `factor` of them (`blocks`). */
export interface Cutting {
  readonly kind: 'convolution' | 'blocks';
  /** Output frames at a cut that are wrong, for want of the input before it. */
  readonly warmup: number;
}

/** `kernel` is that of each stage, all of it in the past. */
export function causalCutting(kernel: number, factor: number): Cutting {
  // At least two as in NeMo, whose numbers of cached and dropped frames these are.
  return { kind: 'convolution', warmup: Math.max(2, Math.ceil(((kernel - 1) * (factor - 1)) / factor)) };
}

/** How one stage changes a length: floor or ceil of (L + offset)/2, plus `add`. */
export interface LengthRule {
  readonly apply: (length: number) => number;
  readonly tensor: (lengths: Tensor) => Tensor;
}

interface Stage {
  readonly convolutions: readonly { module: Conv2d; relu: boolean }[];
  readonly pool: boolean;
  readonly length: LengthRule;
}

/** [B,T,F,C] to another image, or at last to [B,T,d]. */
type ImageLayer = (image: Tensor, rows: Rows) => Tensor;

function throughLayers(layers: readonly ImageLayer[], image: Tensor, rows: Rows): Tensor {
  return layers.reduce((image, layer) => layer(image, rows), image);
}

/** Strided (`striding`, `dw_striding`) or pooled (`vggnet`) stages, each halving time and frequency, then `out`. */
export class ConvSubsampling extends Subsampling {
  private readonly stages: readonly Stage[];
  private readonly out: Linear;
  private readonly binsOut: number;

  constructor(private readonly options: SubsamplingOptions) {
    super();
    const count = stageCount(options.factor);
    this.stages =
      options.kind === 'vggnet'
        ? this.pooledStages(count)
        : Array.from({ length: count }, (_, i) => this.stridedStage(i));
    this.binsOut = this.reduced(options.featIn);
    this.out = this.child('out', this.projection(count));
  }

  override outputLength(frames: number): number {
    return this.reduced(frames);
  }

  get cutting(): Cutting | undefined {
    const { causal, kind, factor } = this.options;
    return causal && kind !== 'vggnet' ? causalCutting(3, factor) : undefined;
  }

  override forward(
    x: Tensor,
    lengths: Tensor,
    pass: Pass,
    masked = this.options.nemoCompat === '2.5',
  ): Frames {
    const raw = tf.reshape(x, [...x.shape, 1]);
    let remaining = lengths;
    let batchFrames = pass.extent?.frames;
    let frames = raw.shape[1]!;
    const currentMask = (): Tensor | undefined => {
      const ends = masked ? remaining : batchFrames;
      return ends && tf.reshape(frameMask(ends, frames), [masked ? raw.shape[0] : 1, -1, 1, 1]);
    };
    const shorten = (rule: LengthRule): void => {
      frames = rule.apply(frames);
      remaining = rule.tensor(remaining);
      batchFrames = batchFrames && rule.tensor(batchFrames);
    };
    const mask = currentMask();
    const layers: ImageLayer[] = [];
    /** Layers before which an image has a quarter of the one before: the results of all convolutions but the first. */
    const cuts: number[] = [];
    // NeMo masks before every layer. What a pointwise or pooling layer makes of padding is masked after it
    // anyway, so masking after the activations gives the same numbers.
    for (const stage of this.stages) {
      for (const { module, relu } of stage.convolutions) {
        const isLast = module.inChannels === 1 && this.options.kind === 'dw_striding';
        layers.push((image) =>
          isLast ? withChannelsLast(() => module.forward(image)) : module.forward(image),
        );
        if (module.stride > 1) shorten(stage.length);
        const mask = relu ? currentMask() : undefined;
        if (relu && !stage.pool && stage !== this.stages[0]) cuts.push(layers.length);
        if (relu) layers.push((image, rows) => maskedRelu(image, mask && ofRows(mask, rows)));
      }
      if (stage.pool) {
        layers.push(maxPoolCeil);
        shorten(stage.length);
      }
    }
    layers.push((image) => this.project(image));
    const projected = this.through(layers, cuts, mask ? tf.mul(raw, mask) : raw, pass);
    return { x: pass.tap(this.path, projected), lengths: remaining, frames: batchFrames };
  }

  /**
   * The layers one after the other, the whole batch at once or by `parts`. In a training pass, parts end where a convolution does: what it
   * gives is kept, so that it need not be computed again for the gradient, which asks for its input alone.
   */
  private through(layers: readonly ImageLayer[], cuts: readonly number[], image: Tensor, pass: Pass): Tensor {
    const { parts = 1 } = this.options;
    const starts = parts > 1 && pass.training ? [0, ...cuts] : [0];
    return starts.reduce((image, start, i) => {
      const group = layers.slice(start, starts[i + 1]);
      const isLast = i > 0 && i === starts.length - 1;
      return inBatchParts(image, isLast ? 1 : parts, pass, (part, rows) =>
        i === 0 ? this.fromFeatures(group, part, rows, pass) : throughLayers(group, part, rows),
      );
    }, image);
  }

  /** The first convolution sees one channel: it is cheap, and what it makes is the largest tensor of all. */
  private fromFeatures(
    [convolution, activation, next, ...rest]: readonly ImageLayer[],
    image: Tensor,
    rows: Rows,
    pass: Pass,
  ): Tensor {
    const first = ([image]: Tensor[]): Tensor => next(activation(convolution(image, rows), rows), rows);
    const start = recomputeCheaply(first, [image], pass, image.size * this.options.channels);
    return throughLayers(rest, start, rows);
  }

  /** [B,T',F',C] → [B,T',d]. The stored weight orders its input channel-major, the image is channels-last. */
  private project(image: Tensor): Tensor {
    const [batch, frames, bins, channels] = image.shape;
    const { featOut } = this.options;
    const stored = tf.reshape(this.out.weight.tensor(), [featOut, channels, bins]);
    const weight = tf.reshape(tf.transpose(stored, [0, 2, 1]), [featOut, bins * channels]);
    return linear(tf.reshape(image, [batch, frames, bins * channels]), weight, this.out.bias?.tensor());
  }

  private stridedStage(index: number): Stage {
    const { channels, causal, kind } = this.options;
    // Causal: the kernel's whole reach lies before a frame, and one frame is added after.
    const padding: readonly [number, number] = causal ? [2, 1] : [1, 1];
    const padded = padding[0] + padding[1];
    const length = halving(padded - 3, 'floor', 1);
    const strided = { kernel: 3, stride: 2, padding };
    if (index === 0 || kind === 'striding') {
      const ownInit = kind === 'dw_striding' ? uniformPair(1 / 3) : {};
      const module = this.child(
        `conv.${2 * index}`,
        new Conv2d(index === 0 ? 1 : channels, channels, { ...strided, ...ownInit }),
      );
      return { convolutions: [{ module, relu: true }], pool: false, length };
    }
    const position = 2 + 3 * (index - 1);
    const depthwise = new Conv2d(channels, channels, { ...strided, depthwise: true, ...uniformPair(1 / 3) });
    const pointwise = new Conv2d(channels, channels, { kernel: 1, ...uniformPair(channels ** -0.5) });
    return {
      convolutions: [
        { module: this.child(`conv.${position}`, depthwise), relu: false },
        { module: this.child(`conv.${position + 1}`, pointwise), relu: true },
      ],
      pool: false,
      length,
    };
  }

  private pooledStages(count: number): Stage[] {
    const { channels } = this.options;
    const length = halving(0, 'ceil', 0);
    return Array.from({ length: count }, (_, i) => ({
      convolutions: [5 * i, 5 * i + 2].map((position) => ({
        module: this.child(
          `conv.${position}`,
          new Conv2d(position === 0 ? 1 : channels, channels, { kernel: 3, padding: [1, 1] }),
        ),
        relu: true,
      })),
      pool: true,
      length,
    }));
  }

  private projection(count: number): Linear {
    const { channels, featIn, featOut, kind } = this.options;
    if (kind !== 'dw_striding') return new Linear(channels * this.binsOut, featOut, { adapts: false });
    const init = uniform((featOut * (featIn / count)) ** -0.5);
    return new Linear(channels * this.binsOut, featOut, { weightInit: init, biasInit: init, adapts: false });
  }

  private reduced(length: number): number {
    return this.stages.reduce((value, stage) => stage.length.apply(value), length);
  }
}

/** Consecutive frames side by side, then a projection. */
export class StackingSubsampling extends Subsampling {
  readonly cutting: Cutting = { kind: 'blocks', warmup: 0 };
  private readonly preNorm: LayerNorm | undefined;
  private readonly projOut: Linear;

  constructor(
    private readonly options: SubsamplingOptions,
    normalise: boolean,
  ) {
    super();
    this.preNorm = normalise ? this.child('pre_norm', new LayerNorm(options.featIn)) : undefined;
    this.projOut = this.child('proj_out', new Linear(options.factor * options.featIn, options.featOut));
  }

  override outputLength(frames: number): number {
    return Math.ceil(frames / this.options.factor);
  }

  override forward(x: Tensor, lengths: Tensor, pass: Pass): Frames {
    const { factor, featIn } = this.options;
    const { extent } = pass;
    const [batch, frames] = x.shape;
    const pad = (factor - (frames % factor)) % factor;
    const batchOwn = extent ? tf.mul(x, extent.mask) : x;
    const padded = tf.pad(batchOwn, [[0, 0], [0, pad], [0, 0]]); // biome-ignore format: one line reads better
    const normed = this.preNorm ? this.preNorm.forward(padded) : padded;
    const stacked = tf.reshape(normed, [batch, (frames + pad) / factor, factor * featIn]);
    const addedFrames = extent ? lackingTo(factor, extent.frames) : tf.scalar(pad);
    const stacks = (lengths: Tensor): Tensor =>
      tf.cast(tf.floor(tf.div(tf.add(tf.cast(lengths, 'float32'), addedFrames), tf.scalar(factor))), 'int32');
    return {
      x: pass.tap(this.path, this.projOut.forward(stacked)),
      lengths: stacks(lengths),
      frames: extent && stacks(extent.frames),
    };
  }
}

/** What frames, int32 [1], lack to a multiple of `factor`, float32 [1]. */
function lackingTo(factor: number, frames: Tensor): Tensor {
  const count = tf.cast(frames, 'float32');
  return tf.sub(tf.mul(tf.ceil(tf.div(count, tf.scalar(factor))), tf.scalar(factor)), count);
}

/** log₂ of the factor. */
export function stageCount(factor: number): number {
  const count = Math.log2(factor);
  if (!Number.isInteger(count) || count < 1) {
    throw new AnemoneError({
      code: 'encoder.subsampling-factor',
      path: 'encoder.subsampling_factor',
      message: `${factor} is not a power of two above 1, which convolutional subsampling needs`,
      hint: 'use 2, 4 or 8, or subsampling: stacking',
    });
  }
  return count;
}

export function halving(offset: number, round: 'floor' | 'ceil', add: number): LengthRule {
  return {
    apply: (length) => Math[round]((length + offset) / 2) + add,
    tensor: (lengths) => {
      const half = tf.mul(tf.add(tf.cast(lengths, 'float32'), tf.scalar(offset)), tf.scalar(0.5));
      // ceil(n/2) = floor((n+1)/2) for integers
      const rounded = tf.floor(round === 'floor' ? half : tf.add(half, tf.scalar(0.5)));
      return tf.cast(tf.add(rounded, tf.scalar(add)), 'int32');
    },
  };
}

/** relu(x)·mask; the gradient keeps the result only, which the next convolution needs too. */
export function maskedRelu(x: Tensor, mask: Tensor | undefined): Tensor {
  if (!mask) return tf.relu(x);
  return customGradient(
    [x],
    () => {
      const value = tf.mul(tf.relu(x), mask);
      return { value, saved: [value] };
    },
    (dy, [value]) => [keepWhere(tf.greater(later(value, [dy]), tf.scalar(0)), dy)],
  );
}

/** 2×2 maximum with stride 2; odd ends get a window of their own. x ≥ 0 [B,T,F,C]. */
function maxPoolCeil(x: Tensor): Tensor {
  const [batch, frames, bins, channels] = x.shape;
  const [time, frequency] = [Math.ceil(frames / 2), Math.ceil(bins / 2)];
  const [padTime, padBins] = [2 * time - frames, 2 * frequency - bins];
  const paddedInput = tf.pad(x, [[0, 0], [0, padTime], [0, padBins], [0, 0]]); // biome-ignore format: one line reads better
  const grid = tf.reshape(paddedInput, [batch, time, 2, frequency, 2, channels]);
  const corners = [0, 1].flatMap((i) =>
    [0, 1].map((j) =>
      tf.reshape(tf.slice(grid, [0, 0, i, 0, j, 0], [batch, time, 1, frequency, 1, channels]), [
        batch,
        time,
        frequency,
        channels,
      ]),
    ),
  );
  return firstMaximum(corners);
}

/** Elementwise maximum; of equal values (masked features make many) the first gets the gradient. */
export function firstMaximum(parts: readonly Tensor[]): Tensor {
  return parts.reduce((maximum, part) => tf.maximum(maximum, part));
}

function uniformPair(bound: number): { weightInit: Initializer; biasInit: Initializer } {
  return { weightInit: uniform(bound), biasInit: uniform(bound) };
}
