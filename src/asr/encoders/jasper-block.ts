// One block of the convolutional encoders (Jasper: Li et al. 2019; QuartzNet: Kriman et al. 2019; Citrinet:
// Majumdar et al. 2021): convolution, normalisation, activation, repeated, with branches around them.
import { AdapterSlot } from '../../adapters/index.js';
import { type Tensor, tf } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import {
  type Activation,
  BatchNorm,
  Conv1d,
  type Conv1dGeometry,
  conv1d,
  conv1dLength,
  dropout,
  type Extent,
  frameMask,
  GroupNorm,
  type Initializer,
  Module,
  type Pass,
  within,
} from '../../nn/index.js';
import type { JasperBlockConfig } from './conv-asr-config.js';
import { SqueezeExcite } from './squeeze-excite.js';

/** Frames with what is real of them. */
export interface MaskedFrames {
  /** [B,T,C] */
  readonly x: Tensor;
  /** int32 [B] */
  readonly lengths: Tensor;
  /** [B,T,1], 1 for real frames. */
  readonly mask: Tensor;
  /** Which are the batch's; undefined for all. */
  readonly extent: Extent | undefined;
}

/** `batchFrames` as in `within`. */
export function maskedFrames(
  x: Tensor,
  lengths: Tensor,
  batchFrames: Tensor | undefined,
  pass: Pass,
): MaskedFrames {
  const [batch, frames] = x.shape;
  const mask = tf.reshape(frameMask(lengths, frames!), [batch, frames, 1]);
  return { x, lengths, mask, extent: within(pass, batchFrames, x).extent };
}

/** What a block is besides its own section. */
export interface JasperBlockSurroundings {
  readonly inChannels: number;
  /** Channels of the inputs of the branches; empty for one branch from the block's input. */
  readonly panes: readonly number[];
  readonly residualMode: 'add' | 'stride_add' | 'max';
  readonly activation: Activation;
  readonly normalization: 'batch' | 'layer' | 'group' | 'instance';
  readonly normGroups: number;
  readonly masked: boolean;
  readonly weightInit: (fanIn: number, fanOut: number) => Initializer;
}

type Step = (input: MaskedFrames, pass: Pass) => MaskedFrames;

interface Convolution {
  readonly kernel: number;
  readonly geometry: Conv1dGeometry;
  /** Kernels of a depthwise convolution, shared by channels c, c + heads, …; -1 for one a channel. */
  readonly heads?: number;
}

export class JasperBlock extends Module {
  /** Whether the blocks after this one get its inputs too. */
  readonly dense: boolean;
  private readonly adapters: AdapterSlot;
  private readonly main: readonly Step[];
  private readonly branches: readonly (readonly Step[])[];
  /** Kernels and strides along `main`, for lengths. */
  private readonly reductions: { kernel: number; geometry: Conv1dGeometry }[] = [];

  constructor(
    private readonly config: JasperBlockConfig,
    private readonly around: JasperBlockSurroundings,
  ) {
    super();
    const { filters, repeat, residual } = config;
    const stride = single(config.stride);
    const main: Step[] = [];
    let channels = around.inChannels;
    let index = 0;
    const add = (steps: readonly Step[], modules = steps.length): void => {
      main.push(...steps);
      index += modules;
    };
    for (let i = 0; i < repeat; i++) {
      const last = i === repeat - 1;
      add(this.convolve(index, channels, config.stride_last && !last ? 1 : stride));
      if (!last) add([this.activate()], 2);
      channels = filters;
    }
    if (config.se) add([this.squeezeExcite(`mconv.${index}`)]);
    this.main = main;
    this.dense = residual && around.panes.length > 0;
    const panes = around.panes.length > 0 ? around.panes : [around.inChannels];
    const branchStride = around.residualMode === 'stride_add' ? stride : 1;
    this.adapters = this.child('adapter_layer', new AdapterSlot({ width: filters }));
    this.branches = residual ? panes.map((pane, i) => this.branch(`res.${i}`, pane, branchStride)) : [];
  }

  outputLength(frames: number): number {
    return this.reductions.reduce(
      (length, { kernel, geometry }) => conv1dLength(length, kernel, geometry),
      frames,
    );
  }

  /** `inputs`: of the dense branches, if any, then the block's own. */
  forward(inputs: readonly MaskedFrames[], pass: Pass): MaskedFrames {
    let out = run(this.main, inputs[inputs.length - 1], pass);
    this.branches.forEach((branch, i) => {
      const side = run(branch, inputs[i], pass).x;
      const x = this.around.residualMode === 'max' ? tf.maximum(out.x, side) : tf.add(out.x, side);
      out = { ...out, x };
    });
    const activated = this.activate()(out, pass);
    return { ...activated, x: pass.tap(this.path, this.adapters.forward(activated.x, pass)) };
  }

  /** Convolution (in two parts if separable), normalisation, shuffling of groups. */
  private convolve(index: number, channels: number, stride: number): Step[] {
    const { filters, groups, heads, separable } = this.config;
    const kernel = kernelSize(this.config);
    const dilation = single(this.config.dilation);
    const padding = paddingOf(kernel, stride, dilation, this.config);
    const steps: Step[] = [];
    const main = (label: string, from: number, to: number, convolution: Convolution): void => {
      this.reductions.push(convolution);
      steps.push(this.convolution(label, from, to, convolution));
    };
    if (separable) {
      const geometry = { stride, dilation, padding, groups: channels };
      main(`mconv.${index}`, channels, channels, { kernel, geometry, heads });
      main(`mconv.${index + 1}`, channels, filters, { kernel: 1, geometry: { groups } });
    } else {
      main(`mconv.${index}`, channels, filters, { kernel, geometry: { stride, dilation, padding, groups } });
    }
    steps.push(this.normalise(`mconv.${index + steps.length}`));
    if (groups > 1) steps.push((input) => ({ ...input, x: shuffle(input.x, groups) }));
    return steps;
  }

  private branch(label: string, channels: number, stride: number): Step[] {
    const pointwise = { kernel: 1, geometry: { stride } };
    return [
      this.convolution(`${label}.0`, channels, this.config.filters, pointwise),
      this.normalise(`${label}.1`),
    ];
  }

  /** NeMo keeps a masked convolution in a module of its own, hence `.conv` in the names. */
  private convolution(
    label: string,
    from: number,
    to: number,
    { kernel, geometry, heads = -1 }: Convolution,
  ): Step {
    const { masked, weightInit } = this.around;
    const kernels = heads < 0 ? from : heads;
    const groups = heads < 0 ? (geometry.groups ?? 1) : heads;
    const outputs = heads < 0 ? to : heads;
    const init = weightInit((kernels / groups) * kernel, outputs * kernel);
    const options = { ...geometry, groups, kernel, bias: false, weightInit: init };
    const conv = this.child(masked ? `${label}.conv` : label, new Conv1d(kernels, outputs, options));
    const { stride = 1 } = geometry;
    return ({ x, lengths, mask, extent }, pass) => {
      // What lies beyond the batch is as if it were not there.
      const seenMask = masked ? mask : kernel > 1 ? extent?.mask : undefined;
      const input = seenMask ? tf.mul(x, seenMask) : x;
      const y =
        heads < 0
          ? conv.forward(input)
          : conv1d(input, tf.tile(conv.weight.tensor(), [from / heads, 1, 1]), { ...geometry, groups: from });
      if (stride === 1 && y.shape[1] === x.shape[1]) return { x: y, lengths, mask, extent };
      const fewer = (lengths: Tensor): Tensor => reducedLengths(lengths, kernel, geometry);
      return maskedFrames(y, fewer(lengths), extent && fewer(extent.frames), pass);
    };
  }

  private normalise(label: string): Step {
    const { filters } = this.config;
    const { normalization, normGroups } = this.around;
    if (normalization === 'batch') {
      const norm = this.child(label, new BatchNorm(filters, { epsilon: 1e-3 }));
      return (input, pass) => ({ ...input, x: norm.forward(input.x, { ...pass, extent: input.extent }) });
    }
    const groups = { layer: 1, instance: filters, group: normGroups < 0 ? filters : normGroups }[
      normalization
    ];
    const norm = this.child(label, new GroupNorm(filters, groups));
    return (input) => ({ ...input, x: norm.forward(input.x, input) });
  }

  private activate(): Step {
    return (input, pass) => ({
      ...input,
      x: dropout(this.around.activation(input.x), this.config.dropout, pass),
    });
  }

  private squeezeExcite(label: string): Step {
    const { filters, se_reduction_ratio: ratio, se_context_size: context } = this.config;
    const { activation, weightInit } = this.around;
    const module = this.child(
      label,
      new SqueezeExcite({
        channels: filters,
        hidden: Math.floor(filters / ratio),
        context,
        activation,
        weightInit,
      }),
    );
    return (input, pass) => ({
      ...input,
      x: module.forward(input.x, input.mask, { ...pass, extent: input.extent }),
    });
  }
}

function run(steps: readonly Step[], input: MaskedFrames, pass: Pass): MaskedFrames {
  return steps.reduce((frames, step) => step(frames, pass), input);
}

export function single(value: number | readonly number[]): number {
  return typeof value === 'number' ? value : value[0];
}

function kernelSize({ kernel, kernel_size_factor: factor }: JasperBlockConfig): number {
  const scaled = Math.max(Math.trunc(single(kernel) * factor), 1);
  return scaled % 2 === 0 ? scaled + 1 : scaled;
}

/** Zeros [before, after] that keep the number of frames, or see no more than `future_context` frames ahead. */
function paddingOf(
  kernel: number,
  stride: number,
  dilation: number,
  { future_context: future }: JasperBlockConfig,
): readonly [number, number] {
  if (stride > 1 && dilation > 1) {
    throw new AnemoneError({
      code: 'encoder.stride-dilation',
      path: 'encoder.jasper',
      message: `a block has stride ${stride} and dilation ${dilation}; only one may be above 1`,
    });
  }
  const half = Math.floor((dilation * (kernel - 1)) / 2);
  if (future < 0 || kernel <= future) return [half, half];
  if (dilation > 1) return [dilation * kernel - 1 - dilation * future, dilation * future];
  return [kernel - 1 - future, future];
}

function reducedLengths(lengths: Tensor, kernel: number, geometry: Conv1dGeometry): Tensor {
  const { stride = 1, dilation = 1, padding = [0, 0] } = geometry;
  const shift = padding[0] + padding[1] - dilation * (kernel - 1) - 1;
  const steps = tf.div(tf.add(tf.cast(lengths, 'float32'), tf.scalar(shift)), tf.scalar(stride));
  return tf.cast(tf.add(tf.floor(steps), tf.scalar(1)), 'int32');
}

/** Channel g·n + i goes to i·groups + g. x [B,T,C]. */
function shuffle(x: Tensor, groups: number): Tensor {
  const [batch, frames, channels] = x.shape;
  const grid = tf.reshape(x, [batch, frames, groups, channels / groups]);
  return tf.reshape(tf.transpose(grid, [0, 1, 3, 2]), x.shape);
}
