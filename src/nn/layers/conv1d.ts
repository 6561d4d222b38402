// Convolution over time in all the forms that speech encoders use: dense, grouped, depthwise, pointwise,
// strided, dilated. Each form goes to the op that is fastest for it; `DepthwiseConv1d` is the plain depthwise
// layer of the Conformer.
import { type Tensor, tf, tracesAnyShape } from '../../engine/index.js';
import { fanInUniform, type Initializer } from '../initializers.js';
import { Module } from '../module.js';
import type { Parameter } from '../parameter.js';
import { depthwiseConv1d } from './depthwise-conv1d.js';
import { linear } from './linear.js';

/** How the kernel of a convolution over time moves. */
export interface Conv1dGeometry {
  /** Default 1. */
  readonly stride?: number;
  /** Frames between the taps of the kernel. Default 1. */
  readonly dilation?: number;
  /** Zero frames put before the first and after the last. Default none. */
  readonly padding?: readonly [number, number];
  /** Output channel o sees the input channels of its own group. Default 1. */
  readonly groups?: number;
}

/** Output frames of `frames` input frames, at least 0; PyTorch's rule. */
export function conv1dLength(frames: number, kernel: number, geometry: Conv1dGeometry): number {
  const { stride = 1, dilation = 1, padding = [0, 0] } = geometry;
  return Math.floor((frames + padding[0] + padding[1] - dilation * (kernel - 1) - 1) / stride) + 1;
}

/**
 * y[b,t,o] = Σ_{j,i} weight[o,i,j] · x[b, t·stride + j·dilation - left, i]. x [B,T,in], weight
 * [out, in/groups, k] (PyTorch's layout) → [B,T',out].
 */
export function conv1d(x: Tensor, weight: Tensor, geometry: Conv1dGeometry = {}): Tensor {
  const { stride = 1, dilation = 1, padding = [0, 0], groups = 1 } = geometry;
  const [out, perGroup, kernel] = weight.shape;
  const channels = x.shape[2]!;
  if (kernel === 1) {
    return grouped(every(padTime(x, padding), stride), tf.reshape(weight, [out, perGroup]), groups, linear);
  }
  if (dilation > 1) {
    const padded = padTime(x, padding);
    return tracesAnyShape() ? atrous(padded, weight, geometry) : dilated(padded, weight, geometry);
  }
  if (groups === channels && out === channels) return depthwise(x, weight, stride, padding);
  return grouped(padTime(x, padding), weight, groups, (part, filter) => dense(part, filter, stride));
}

/** The banded product at full rate; a stride drops frames after it. */
function depthwise(
  x: Tensor,
  weight: Tensor,
  stride: number,
  [left, right]: readonly [number, number],
): Tensor {
  const [channels, , kernel] = weight.shape;
  const filter = tf.reshape(weight, [channels, kernel]);
  if (left + right === kernel - 1) return every(depthwiseConv1d(x, filter, left), stride);
  const padded = padTime(x, [left, right]);
  const frames = padded.shape[1]! - kernel + 1;
  const y = depthwiseConv1d(padded, filter, 0);
  return every(tf.slice(y, [0, 0, 0], [x.shape[0], frames, channels]), stride);
}

/** x [B,T,in], weight [out,in,k]; no padding. */
function dense(x: Tensor, weight: Tensor, stride: number, dilation = 1): Tensor {
  const [batch, frames, channels] = x.shape;
  const image = tf.reshape(x, [batch, frames, 1, channels]) as tf.Tensor4D;
  const filter = tf.expandDims(tf.transpose(weight, [2, 1, 0]), 1) as tf.Tensor4D;
  const y = tf.conv2d(image, filter, [stride, 1], 'valid', 'NHWC', [dilation, 1]);
  return tf.reshape(y, [batch, y.shape[1], y.shape[3]]);
}

/** Frames of equal phase are neighbours to a dilated kernel, so each phase is a sequence of its own. */
function dilated(
  x: Tensor,
  weight: Tensor,
  { dilation = 1, groups = 1, stride = 1 }: Conv1dGeometry,
): Tensor {
  const [batch, frames, channels] = x.shape;
  const length = Math.ceil(frames / dilation);
  const paddedInput = padTime(x, [0, length * dilation - frames]);
  const phases = tf.transpose(tf.reshape(paddedInput, [batch, length, dilation, channels]), [0, 2, 1, 3]);
  const y = conv1d(tf.reshape(phases, [batch * dilation, length, channels]), weight, { groups });
  const [, short, out] = y.shape;
  const woven = tf.transpose(tf.reshape(y, [batch, dilation, short, out]), [0, 2, 1, 3]);
  const outputFrames = frames - dilation * (weight.shape[2]! - 1);
  return every(
    tf.slice(tf.reshape(woven, [batch, short * dilation, out]), [0, 0, 0], [batch, outputFrames, out]),
    stride,
  );
}

/** The same with the operators' own dilation, which does not care how many frames there are. */
function atrous(x: Tensor, weight: Tensor, { dilation = 1, groups = 1, stride = 1 }: Conv1dGeometry): Tensor {
  const [batch, frames, channels] = x.shape;
  const [out, , kernel] = weight.shape;
  if (groups === channels && out === channels) {
    const image = tf.reshape(x, [batch, frames, 1, channels]) as tf.Tensor4D;
    const filter = tf.reshape(tf.transpose(tf.reshape(weight, [channels, kernel!])), [
      kernel!,
      1,
      channels,
      1,
    ]);
    const y = tf.depthwiseConv2d(image, filter as tf.Tensor4D, 1, 'valid', 'NHWC', [dilation, 1]);
    return every(tf.reshape(y, [batch, y.shape[1], channels]), stride);
  }
  const parts = grouped(x, weight, groups, (part, filter) => dense(part, filter, 1, dilation));
  return every(parts, stride);
}

/** Applies `convolve` to each group of channels with its own filters. */
function grouped(
  x: Tensor,
  weight: Tensor,
  groups: number,
  convolve: (x: Tensor, weight: Tensor) => Tensor,
): Tensor {
  if (groups === 1) return convolve(x, weight);
  const parts = tf.split(x, groups, 2);
  const filters = tf.split(weight, groups, 0);
  return tf.concat(parts.map((part, i) => convolve(part, filters[i])), 2); // biome-ignore format: one line reads better
}

/** Frames 0, stride, 2·stride, … of x [B,T,C]. */
export function every(x: Tensor, stride: number): Tensor {
  if (stride === 1) return x;
  const [batch, frames, channels] = x.shape;
  const keptFrames = Math.ceil(frames / stride);
  const paddedInput = padTime(x, [0, keptFrames * stride - frames]);
  const grid = tf.reshape(paddedInput, [batch, keptFrames, stride * channels]);
  return tf.slice(grid, [0, 0, 0], [batch, keptFrames, channels]);
}

function padTime(x: Tensor, [before, after]: readonly [number, number]): Tensor {
  if (before === 0 && after === 0 && !tracesAnyShape()) return x;
  return tf.pad(x, [[0, 0], [before, after], [0, 0]]); // biome-ignore format: one line reads better
}

/** Sizes of a convolution over time and how it starts. Default initial values are PyTorch's. */
export interface Conv1dOptions extends Conv1dGeometry {
  readonly kernel: number;
  /** Default true. */
  readonly bias?: boolean;
  readonly weightInit?: Initializer;
  readonly biasInit?: Initializer;
}

/** `weight` [out, in/groups, k] and `bias` [out]; initial values as PyTorch's nn.Conv1d. */
export class Conv1d extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;

  constructor(
    readonly inChannels: number,
    readonly outChannels: number,
    readonly options: Conv1dOptions,
  ) {
    super();
    const { kernel, groups = 1 } = options;
    const perGroup = inChannels / groups;
    const initial = fanInUniform(perGroup * kernel);
    this.weight = this.parameter('weight', [outChannels, perGroup, kernel], options.weightInit ?? initial);
    this.bias =
      options.bias === false ? undefined : this.parameter('bias', [outChannels], options.biasInit ?? initial);
  }

  /** Frames that come out of `frames` frames. */
  outputLength(frames: number): number {
    return conv1dLength(frames, this.options.kernel, this.options);
  }

  /** x [B,T,in] → [B,T',out]. */
  forward(x: Tensor): Tensor {
    const y = conv1d(x, this.weight.tensor(), this.options);
    return this.bias ? tf.add(y, this.bias.tensor()) : y;
  }
}
