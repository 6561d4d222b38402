// Depthwise convolution over time. Written as a batched matrix product with a banded (Toeplitz) matrix a
// channel, which on CPUs beats the convolution kernels at the kernel sizes of speech models (31).
import { later, type Tensor, tf, tracesAnyShape } from '../../engine/index.js';
import { fanInUniform } from '../initializers.js';
import { Module } from '../module.js';
import type { Parameter } from '../parameter.js';
import { customGradient } from './custom-gradient.js';

/** Output frames computed by one product. Wider blocks waste more zeros, narrower ones more overlap. */
const preferredBlock = 32;

/**
 * y[b,t,c] = Σ_j kernel[c,j] · x[b, t+j-left, c], zeros outside. x [B,T,C], kernel [C,k], left+right = k-1.
 */
export function depthwiseConv1d(x: Tensor, kernel: Tensor, left: number): Tensor {
  const [, width] = kernel.shape;
  const right = width - 1 - left;
  if (tracesAnyShape()) return plainConvolution(x, kernel, left, right);
  return customGradient(
    [x, kernel],
    () => ({ value: convolve(x, kernel, left), saved: [x, kernel] }),
    (dy, [x, kernel]) => [convolve(dy, tf.reverse(kernel, 1), right), kernelGradient(x, dy, width, left)],
  );
}

/** The convolution operator computes the layer here: it does not care how many frames there are. */
function plainConvolution(x: Tensor, kernel: Tensor, left: number, right: number): Tensor {
  const [batch, frames, channels] = x.shape;
  const image = tf.reshape(x, [batch, frames, 1, channels]) as tf.Tensor4D;
  const filter = tf.reshape(tf.transpose(kernel), [left + 1 + right, 1, channels, 1]) as tf.Tensor4D;
  const y = tf.depthwiseConv2d(image, filter, 1, [[0, 0], [left, right], [0, 0], [0, 0]]); // biome-ignore format: one line reads better
  return tf.reshape(y, x.shape);
}

function convolve(x: Tensor, kernel: Tensor, left: number): Tensor {
  const [, frames, channels] = x.shape;
  const [, width] = kernel.shape;
  const block = blockSize(frames, width);
  const blocks = Math.ceil(frames / block);
  // The matrix depends on weights alone: where x is computed again for the gradient, so is it, instead of being kept until then.
  const product = tf.matMul(windows(x, width, left, block, blocks), toeplitz(later(kernel, [x]), block));
  return unblock(product, x.shape[0], frames, channels, block, blocks);
}

/** Σ_{b,t} dy[b,t,c] · x[b, t+j-left, c] for every c and j. */
function kernelGradient(x: Tensor, dy: Tensor, width: number, left: number): Tensor {
  const [batch, frames, channels] = x.shape;
  const block = blockSize(frames, width);
  const blocks = Math.ceil(frames / block);
  const padded = padTime(dy, 0, blocks * block - frames);
  const gradients = tf.reshape(
    tf.transpose(tf.reshape(padded, [batch * blocks, block, channels]), [2, 0, 1]),
    [channels, batch * blocks, block],
  );
  const products = tf.matMul(gradients, windows(x, width, left, block, blocks), true, false);
  return sumDiagonals(products, width);
}

function blockSize(frames: number, width: number): number {
  return Math.max(width - 1, Math.min(preferredBlock, frames), 1);
}

/** Overlapping stretches of time, [C, B·blocks, block+width-1]; stretch i starts at frame i·block-left. */
function windows(x: Tensor, width: number, left: number, block: number, blocks: number): Tensor {
  const [batch, frames, channels] = x.shape;
  const length = block + width - 1;
  const byChannel = tf.transpose(padTime(x, left, (blocks + 1) * block - frames - left), [2, 0, 1]);
  const grid = tf.reshape(byChannel, [channels, batch, blocks + 1, block]);
  const ownBlocks = tf.slice(grid, [0, 0, 0, 0], [channels, batch, blocks, block]);
  if (width === 1) return tf.reshape(ownBlocks, [channels, batch * blocks, block]);
  const next = tf.slice(grid, [0, 0, 1, 0], [channels, batch, blocks, width - 1]);
  return tf.reshape(tf.concat([ownBlocks, next], 3), [channels, batch * blocks, length]);
}

/** Negative `after` cuts. */
function padTime(x: Tensor, before: number, after: number): Tensor {
  const [batch, frames, channels] = x.shape;
  if (after < 0) return padTime(tf.slice(x, [0, 0, 0], [batch, frames + after, channels]), before, 0);
  if (before === 0 && after === 0) return x;
  return tf.pad(x, [[0, 0], [before, after], [0, 0]]); // biome-ignore format: one line reads better
}

/** [C,k] → [C, block+k-1, block]: column n holds the kernel from row n on. */
function toeplitz(kernel: Tensor, block: number): Tensor {
  const [channels, width] = kernel.shape;
  const rows = block + width - 1;
  // The sequence "kernel, then zeros" has a period one longer than a row, so each row starts one later.
  const period = tf.pad(kernel, [[0, 0], [0, block]]); // biome-ignore format: one line reads better
  const repeated = tf.slice(tf.tile(period, [1, block]), [0, 0], [channels, block * rows]);
  return tf.transpose(tf.reshape(repeated, [channels, block, rows]), [0, 2, 1]);
}

/** [C, block, block+k-1] → [C,k]: sums entries (n, n+j) over n, the transpose of `toeplitz`. */
function sumDiagonals(products: Tensor, width: number): Tensor {
  const [channels, block, rows] = products.shape;
  const flat = tf.reshape(products, [channels, block * rows]);
  const padded = tf.pad(flat, [[0, 0], [0, block]]); // biome-ignore format: one line reads better
  const shifted = tf.reshape(padded, [channels, block, rows + 1]);
  return tf.sum(tf.slice(shifted, [0, 0, 0], [channels, block, width]), 1);
}

function unblock(
  product: Tensor,
  batch: number,
  frames: number,
  channels: number,
  block: number,
  blocks: number,
): Tensor {
  const grid = tf.reshape(product, [channels, batch, blocks * block]);
  const cut = blocks * block === frames ? grid : tf.slice(grid, [0, 0, 0], [channels, batch, frames]);
  return tf.transpose(cut, [1, 2, 0]);
}

/** Where the padding of a depthwise convolution goes, and whether it has a bias. */
export interface DepthwiseConv1dOptions {
  /** Default true. */
  readonly bias?: boolean;
  /** Zero frames put before the first; the rest of kernel-1 goes after the last. Default (kernel-1)/2. */
  readonly left?: number;
}

/** `weight` [C,1,k] and `bias` [C] as PyTorch's Conv1d with groups = channels; output as long as the input. */
export class DepthwiseConv1d extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;
  private readonly left: number;

  constructor(
    readonly channels: number,
    readonly kernelSize: number,
    options: DepthwiseConv1dOptions = {},
  ) {
    super();
    const initial = fanInUniform(kernelSize);
    this.left = options.left ?? (kernelSize - 1) >> 1;
    this.weight = this.parameter('weight', [channels, 1, kernelSize], initial);
    this.bias = options.bias === false ? undefined : this.parameter('bias', [channels], initial);
  }

  /** x [B,T,C] → [B,T,C]. */
  forward(x: Tensor): Tensor {
    const kernel = tf.reshape(this.weight.tensor(), [this.channels, this.kernelSize]);
    const y = depthwiseConv1d(x, kernel, this.left);
    return this.bias ? tf.add(y, this.bias.tensor()) : y;
  }
}
