// The Squeezeformer.
import { type Tensor, tf, tracesAnyShape } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import {
  absolutePositions,
  attentionMask,
  Conv1d,
  dropout,
  frameMask,
  LayerCheckpoints,
  LayerNorm,
  Linear,
  Module,
  type Pass,
  relativePositions,
  type StackState,
  uniform,
  within,
} from '../../nn/index.js';
import type { LayerContext } from './conformer-layer.js';
import { createSubsampling } from './create-subsampling.js';
import type { Encoded, Encoder, InnerLayers } from './encoder.js';
import type { SqueezeformerEncoderConfig } from './squeezeformer-config.js';
import { SqueezeformerLayer } from './squeezeformer-layer.js';
import type { Frames, Subsampling } from './subsampling.js';

/**
 * The Squeezeformer encoder (Kim et al. 2022), NeMo's SqueezeformerEncoder: layers of which those in the middle may
 * run at half the frame rate.
 */
export class SqueezeformerEncoder extends Module implements Encoder {
  private readonly preEncode: Subsampling | Linear;
  private readonly layers: readonly SqueezeformerLayer[];
  readonly checkpoints: LayerCheckpoints;
  private readonly timeReduce: TimeReduction | undefined;
  private readonly timeRecovery: Linear | undefined;
  private readonly preNorm: LayerNorm;
  private readonly outProj: Linear | undefined;

  constructor(readonly config: SqueezeformerEncoderConfig) {
    super();
    const c = config;
    const width = c.d_model;
    if (width % c.n_heads !== 0)
      throw encoderError('n_heads', `${c.n_heads} heads do not divide d_model ${width}`);
    this.preEncode = this.child(
      'pre_encode',
      createSubsampling({
        kind: c.subsampling,
        factor: c.subsampling_factor,
        featIn: c.feat_in,
        featOut: width,
        channels: c.subsampling_conv_channels > 0 ? c.subsampling_conv_channels : width,
        causal: false,
        nemoCompat: c.nemo_compat,
      }),
    );
    const layers: SqueezeformerLayer[] = [];
    for (let i = 0; i < c.n_layers; i++) {
      layers.push(new SqueezeformerLayer(c, c.untie_biases ? undefined : layers[0]));
    }
    this.layers = this.children('layers', layers);
    this.checkpoints = new LayerCheckpoints(c, layers);
    if (c.time_reduce_idx !== null) {
      const last = Math.max(c.time_reduce_idx, c.time_recovery_idx ?? 0);
      if (last >= c.n_layers)
        throw encoderError('time_reduce_idx', `there is no layer ${last} of ${c.n_layers}`);
      this.timeReduce = this.child('time_reduce_layer', new TimeReduction(width));
      this.timeRecovery = this.child('time_recovery_layer', new Linear(width, width));
    }
    this.preNorm = this.child('pre_ln', new LayerNorm(width));
    const projected = c.feat_out > 0 && c.feat_out !== width;
    this.outProj = projected ? this.child('out_proj', new Linear(width, c.feat_out)) : undefined;
  }

  get width(): number {
    return this.outProj ? this.config.feat_out : this.config.d_model;
  }

  get subsamplingFactor(): number {
    return this.config.subsampling_factor;
  }

  get layerCount(): number {
    return this.layers.length;
  }

  outputLength(frames: number): number {
    return this.preEncode instanceof Linear ? frames : this.preEncode.outputLength(frames);
  }

  /** With `inner`, layers at half the frame rate give half the lengths. */
  forward(features: Tensor, featureLengths: Tensor, callerPass: Pass, inner?: InnerLayers): Encoded {
    const { n_layers: count, time_reduce_idx: reduceAt, time_recovery_idx: recoverAt, ...c } = this.config;
    const wholePass = within(callerPass, callerPass.batchFrames, features);
    const {
      x: subsampled,
      lengths,
      frames,
    } = this.preEncode instanceof Linear
      ? { x: this.preEncode.forward(features), lengths: featureLengths, frames: callerPass.batchFrames }
      : this.preEncode.forward(features, featureLengths, wholePass);
    const fullPass = within(wholePass, frames, subsampled);
    let pass = fullPass;
    const [left, right] = c.att_context_size ?? [-1, -1];
    const fullContext = this.context(subsampled.shape[1]!, lengths, [left, right], c.dropout_emb, pass);
    const project = (y: Tensor): Tensor => (this.outProj ? this.outProj.forward(y) : y);
    let context = fullContext;
    let remaining = lengths;
    let x = this.preNorm.forward(this.start(subsampled, pass));
    let atFullRate: Tensor | undefined;
    const before = (x: Tensor, i: number): Tensor => {
      let changed = x;
      if (this.timeReduce && i === reduceAt) {
        atFullRate = x;
        const fewer = this.timeReduce.forward(x, remaining, fullContext.mask.queries, pass);
        ({ x: changed, lengths: remaining } = fewer);
        pass = within(pass, fewer.frames, changed);
        // Of every second frame, the neighbours within the context are half as many.
        const half = [left, right].map((frames) => (frames < 0 ? -1 : Math.floor(frames / 2)));
        context = this.context(changed.shape[1]!, remaining, half, 0, pass);
      }
      if (this.timeRecovery && atFullRate && i === (recoverAt ?? count - 1)) {
        changed = tf.add(atFullRate, this.timeRecovery.forward(twice(changed, atFullRate.shape[1]!)));
        [context, remaining, atFullRate, pass] = [fullContext, lengths, undefined, fullPass];
      }
      return changed;
    };
    const current = (): StackState => {
      const groupContext = context;
      return { layer: ([x], i, pass) => [this.layers[i].forward(x, groupContext, pass)], pass };
    };
    const each = (i: number, [x]: Tensor[]): Tensor[] => {
      inner?.(i, { encoded: project(x), lengths: remaining });
      return [before(x, i + 1)];
    };
    // The frame rate changes before these layers.
    const changes = [reduceAt, recoverAt ?? count - 1].filter((i) => i !== null && this.timeReduce);
    const breaks = changes.map((i) => (i as number) - 1);
    const between = inner || this.timeReduce ? { breaks, each } : {};
    [x] = this.checkpoints.through([before(x, 0)], current, between);
    return { encoded: pass.tap(this.path, project(x)), lengths };
  }

  private start(x: Tensor, pass: Pass): Tensor {
    const { d_model: width, xscaling, self_attention_model: model, dropout: rate } = this.config;
    const scaled = xscaling ? tf.mul(x, tf.scalar(Math.sqrt(width))) : x;
    const placed = model === 'abs_pos' ? tf.add(scaled, absolutePositions(x.shape[1]!, width)) : scaled;
    return dropout(placed, rate, pass);
  }

  private context(
    frames: number,
    lengths: Tensor,
    [left, right]: readonly number[],
    rate: number,
    pass: Pass,
  ): LayerContext {
    const relative = this.config.self_attention_model === 'rel_pos';
    const positions = relative ? relativePositions(frames, this.config.d_model) : undefined;
    return {
      positions: positions && dropout(positions, rate, pass),
      mask: attentionMask(frameMask(lengths, frames), { style: 'regular', left, right }),
    };
  }
}

/** Depthwise convolution over five frames, two of them after, at every second frame; then pointwise. */
class TimeReduction extends Module {
  private readonly depthwise: Conv1d;
  private readonly pointwise: Conv1d;

  constructor(width: number) {
    super();
    const init = (bound: number) => ({ weightInit: uniform(bound), biasInit: uniform(bound) });
    const strided = { kernel: 5, stride: 2, padding: [3, 3], groups: width } as const;
    this.depthwise = this.child('dw_conv', new Conv1d(width, width, { ...strided, ...init(5 ** -0.5) }));
    this.pointwise = this.child('pw_conv', new Conv1d(width, width, { kernel: 1, ...init(width ** -0.5) }));
  }

  /** x [B,T,d], valid [B,T,1] → [B,⌈T/2⌉,d]. */
  forward(x: Tensor, lengths: Tensor, valid: Tensor, pass: Pass): Frames {
    const [batch, frames, width] = x.shape;
    const reduced = this.pointwise.forward(this.depthwise.forward(tf.mul(x, valid)));
    // The padding makes one frame too many.
    const keptFrames = tf.slice(reduced, [0, 0, 0], [batch, Math.ceil(frames! / 2), width!]);
    const half = (lengths: Tensor): Tensor =>
      tf.cast(tf.floor(tf.mul(tf.add(tf.cast(lengths, 'float32'), tf.scalar(1)), tf.scalar(0.5))), 'int32');
    const { extent } = pass;
    return {
      x: pass.tap(this.path, keptFrames),
      lengths: half(lengths),
      frames: extent && half(extent.frames),
    };
  }
}

/** Each frame twice, the first `frames` of them. x [B,T,d]. */
function twice(x: Tensor, frames: number): Tensor {
  const [batch, half, width] = x.shape;
  const doubled = tf.reshape(tf.concat([x, x], 2), [batch, 2 * half!, width!]);
  // A frame more leaves something to cut off, whether the number of frames is odd or even.
  const pairs = tracesAnyShape() ? tf.pad(doubled, [[0, 0], [0, 1], [0, 0]]) : doubled; // biome-ignore format: one line reads better
  return frames === pairs.shape[1] ? pairs : tf.slice(pairs, [0, 0, 0], [batch, frames, width!]);
}

function encoderError(key: string, message: string): AnemoneError {
  return new AnemoneError({ code: 'encoder.layers', path: `encoder.${key}`, message });
}
