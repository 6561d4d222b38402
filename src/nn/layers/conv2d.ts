// 2-D convolutions over (time, frequency), channels last, with PyTorch's weight layout.
import { type Tensor, tf } from '../../engine/index.js';
import { fanInUniform, type Initializer } from '../initializers.js';
import { Module } from '../module.js';
import type { Parameter } from '../parameter.js';

/** Sizes of a 2-D convolution with a square kernel, and how it starts. Default initial values are PyTorch's. */
export interface Conv2dOptions {
  readonly kernel: number;
  /** Default 1. */
  readonly stride?: number;
  /** Zeros [before, after] each of the two axes. Default none. */
  readonly padding?: readonly [number, number];
  /** One filter per channel; then inChannels = outChannels. Default false. */
  readonly depthwise?: boolean;
  readonly weightInit?: Initializer;
  readonly biasInit?: Initializer;
}

/** `weight` [out, in (1 if depthwise), k, k], `bias` [out]. */
export class Conv2d extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;

  constructor(
    readonly inChannels: number,
    readonly outChannels: number,
    readonly options: Conv2dOptions,
  ) {
    super();
    const { kernel, depthwise } = options;
    const perFilter = depthwise ? 1 : inChannels;
    const initial = fanInUniform(perFilter * kernel * kernel);
    this.weight = this.parameter(
      'weight',
      [outChannels, perFilter, kernel, kernel],
      options.weightInit ?? initial,
    );
    this.bias = this.parameter('bias', [outChannels], options.biasInit ?? initial);
  }

  /** Step of the kernel along both axes. */
  get stride(): number {
    return this.options.stride ?? 1;
  }

  /** x [B,T,F,in] → [B,T',F',out]. */
  forward(x: Tensor): Tensor {
    const { kernel, depthwise } = this.options;
    if (kernel === 1 && this.stride === 1 && !depthwise) return this.pointwise(x);
    const [before, after] = this.options.padding ?? [0, 0];
    // [out,in,k,k] → [k,k,in,out], or [C,1,k,k] → [k,k,C,1] for depthwise.
    const filter = tf.transpose(this.weight.tensor(), depthwise ? [2, 3, 0, 1] : [2, 3, 1, 0]) as tf.Tensor4D;
    const isSymmetric = before === after;
    const input = (isSymmetric ? x : tf.pad(x, [[0, 0], [before, after], [before, after], [0, 0]])) as tf.Tensor4D; // biome-ignore format: one line reads better
    const padding = isSymmetric ? before : 0;
    const y = depthwise
      ? tf.depthwiseConv2d(input, filter, this.stride, padding, 'NHWC', 1, 'floor')
      : tf.conv2d(input, filter, this.stride, padding, 'NHWC', 1, 'floor');
    return tf.add(y, this.bias.tensor());
  }

  private pointwise(x: Tensor): Tensor {
    const weight = tf.reshape(this.weight.tensor(), [this.outChannels, this.inChannels]);
    const rows = tf.matMul(tf.reshape(x, [-1, this.inChannels]), weight, false, true);
    return tf.reshape(tf.add(rows, this.bias.tensor()), [...x.shape.slice(0, -1), this.outChannels]);
  }
}
