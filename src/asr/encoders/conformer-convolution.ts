// The convolution module of a Conformer layer (Gulati et al. 2020).
import { type Tensor, tf } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import {
  BatchNorm,
  DepthwiseConv1d,
  fanInUniform,
  GroupNorm,
  glu,
  LayerNorm,
  Linear,
  Module,
  ones,
  type Parameter,
  type Pass,
  recomputeCheaply,
  silu,
  zeros,
} from '../../nn/index.js';
import type { Past } from './chunk.js';
import type { ResolvedConformerConfig } from './conformer-config.js';

interface Normalisation extends Module {
  /** x [B,T,C] → same shape. */
  forward(x: Tensor, pass: Pass): Tensor;
}

export interface ConformerConvolutionConfig
  extends Pick<
    ResolvedConformerConfig,
    'd_model' | 'use_bias' | 'conv_kernel_size' | 'conv_norm_type' | 'conv_context_size'
  > {
  /** false: SiLU in place of GLU, which leaves 2·d_model channels to what follows. Default true. */
  readonly gated?: boolean;
}

/** pointwise, GLU, depthwise over time, normalisation (always called `batch_norm`), SiLU, pointwise. */
export class ConformerConvolution extends Module {
  private readonly pointwise1: Linear;
  private readonly depthwise: DepthwiseConv1d;
  private readonly norm: Normalisation;
  private readonly pointwise2: Linear;

  private readonly gated: boolean;

  constructor(config: ConformerConvolutionConfig) {
    super();
    const { d_model: width, use_bias: bias, conv_kernel_size: kernel, gated = true } = config;
    this.gated = gated;
    const innerWidth = gated ? width : 2 * width;
    this.pointwise1 = this.child('pointwise_conv1', new Linear(width, 2 * width, { bias, kernelAxes: 1 }));
    this.depthwise = this.child(
      'depthwise_conv',
      new DepthwiseConv1d(innerWidth, kernel, { bias, left: leftContext(config) }),
    );
    this.norm = this.child('batch_norm', normalisation(config.conv_norm_type, innerWidth));
    // As NeMo starts it: by the outer width, also where more channels come in.
    const init = fanInUniform(width);
    const options = { bias, kernelAxes: 1, weightInit: init, biasInit: init };
    this.pointwise2 = this.child('pointwise_conv2', new Linear(innerWidth, width, options));
  }

  /** x [B,T,d], valid [B,T,1] with 1 for real frames → [B,T,d]. `past` holds inputs of the depthwise convolution. */
  forward(x: Tensor, valid: Tensor, pass: Pass, past?: Past): Tensor {
    const activation = this.gated ? glu : silu;
    const overTime = ([x]: Tensor[]): Tensor => this.overTime(tf.mul(activation(x), valid), past);
    const mixed = recomputeCheaply(overTime, [this.pointwise1.forward(x, pass)], pass);
    const normed = this.norm.forward(mixed, pass);
    const y = recomputeCheaply(([x]) => this.pointwise2.forward(silu(x), pass), [normed], pass);
    return pass.tap(this.path, y);
  }

  private overTime(gated: Tensor, past: Past | undefined): Tensor {
    if (!past) return this.depthwise.forward(gated);
    past.see(gated);
    if (!past.frames) return this.depthwise.forward(gated);
    const [batch, frames, channels] = gated.shape;
    const all = this.depthwise.forward(tf.concat([past.frames, gated], 1));
    return tf.slice(all, [0, past.frames.shape[1]!, 0], [batch, frames!, channels!]);
  }
}

function leftContext({
  conv_context_size: context,
  conv_kernel_size: kernel,
}: ConformerConvolutionConfig): number {
  if (kernel % 2 !== 1) {
    throw new AnemoneError({
      code: 'encoder.kernel-size',
      path: 'encoder.conv_kernel_size',
      message: `${kernel} is even; the kernel needs a centre`,
    });
  }
  if (context === null) return (kernel - 1) / 2;
  if (context === 'causal') return kernel - 1;
  if (context[0] + context[1] + 1 !== kernel) {
    throw new AnemoneError({
      code: 'encoder.conv-context',
      path: 'encoder.conv_context_size',
      message: `[${context}] does not add up to conv_kernel_size ${kernel} (left + right + 1)`,
    });
  }
  return context[0];
}

function normalisation(type: string, width: number): Normalisation {
  const groups = /^group_norm(\d+)$/.exec(type);
  if (groups) return new GroupNorm(width, Number(groups[1]));
  switch (type) {
    case 'batch_norm':
      return new BatchNorm(width);
    case 'layer_norm':
      return new LayerNorm(width);
    case 'instance_norm':
      return new GroupNorm(width, width, false);
    case 'fused_batch_norm':
      return new FusedBatchNorm(width);
    default:
      throw new AnemoneError({
        code: 'encoder.conv-norm',
        path: 'encoder.conv_norm_type',
        message: `unknown normalisation "${type}"`,
        hint: 'use batch_norm, layer_norm, instance_norm, fused_batch_norm or group_norm followed by the number of groups',
      });
  }
}

/** A batch norm folded into its scale and shift, as used when fine-tuning with frozen statistics. */
class FusedBatchNorm extends Module {
  private readonly weight: Parameter;
  private readonly bias: Parameter;

  constructor(width: number) {
    super();
    this.weight = this.parameter('weight', [width], ones);
    this.bias = this.parameter('bias', [width], zeros);
  }

  forward(x: Tensor): Tensor {
    return tf.add(tf.mul(x, this.weight.tensor()), this.bias.tensor());
  }
}
