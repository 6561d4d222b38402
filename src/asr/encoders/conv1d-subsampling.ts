// Subsampling by convolutions over time alone, with the mel bins as channels; there is no projection after them.
import { type Tensor, tf } from '../../engine/index.js';
import { Conv1d, frameMask, type Pass } from '../../nn/index.js';
import {
  type Cutting,
  causalCutting,
  type Frames,
  halving,
  maskedRelu,
  Subsampling,
  type SubsamplingOptions,
  stageCount,
} from './subsampling.js';

const kernel = 5;

/** `striding_conv1d`, `dw_striding_conv1d`: stages that each halve the frames; the last one is d_model wide. */
export class Conv1dSubsampling extends Subsampling {
  private readonly stages: readonly (readonly Conv1d[])[];
  private readonly length: ReturnType<typeof halving>;

  constructor(private readonly options: SubsamplingOptions) {
    super();
    const { featIn, featOut, channels } = options;
    const depthwise = options.kind === 'dw_striding_conv1d';
    // NeMo's depthwise kind knows no causal padding.
    const padding: readonly [number, number] = options.causal && !depthwise ? [kernel - 1, 1] : [2, 2];
    const count = stageCount(options.factor);
    this.stages = Array.from({ length: count }, (_, i) => {
      const from = i === 0 ? featIn : channels;
      const to = i === count - 1 ? featOut : channels;
      const strided = { kernel, stride: 2, padding };
      if (!depthwise) return [this.child(`conv.${2 * i}`, new Conv1d(from, to, strided))];
      return [
        this.child(`conv.${3 * i}`, new Conv1d(from, from, { ...strided, groups: from })),
        this.child(`conv.${3 * i + 1}`, new Conv1d(from, to, { kernel: 1 })),
      ];
    });
    this.length = halving(padding[0] + padding[1] - kernel, 'floor', 1);
  }

  override outputLength(frames: number): number {
    return this.stages.reduce((length) => this.length.apply(length), frames);
  }

  get cutting(): Cutting | undefined {
    const { causal, kind, factor } = this.options;
    return causal && kind === 'striding_conv1d' ? causalCutting(kernel, factor) : undefined;
  }

  override forward(
    x: Tensor,
    lengths: Tensor,
    pass: Pass,
    masked = this.options.nemoCompat === '2.5',
  ): Frames {
    let remaining = lengths;
    let batchFrames = pass.extent?.frames;
    const maskOf = (frames: Tensor): Tensor | undefined => {
      const ends = masked ? remaining : batchFrames;
      return ends && tf.reshape(frameMask(ends, frames.shape[1]!), [masked ? frames.shape[0] : 1, -1, 1]);
    };
    const mask = maskOf(x);
    let y = mask ? tf.mul(x, mask) : x;
    for (const stage of this.stages) {
      for (const convolution of stage) y = convolution.forward(y);
      remaining = this.length.tensor(remaining);
      batchFrames = batchFrames && this.length.tensor(batchFrames);
      y = maskedRelu(y, maskOf(y));
    }
    return { x: pass.tap(this.path, y), lengths: remaining, frames: batchFrames };
  }
}
