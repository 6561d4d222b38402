// The Conformer encoder (Gulati et al. 2020), NeMo's ConformerEncoder: subsampling, positions, layers.
import { randomBits, type Tensor, tf } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import {
  type AttentionMask,
  absolutePositions,
  attentionMask,
  dropout,
  frameMask,
  Linear,
  Module,
  type Pass,
  relativePositions,
  stochasticDepth,
  stochasticDepthSchedule,
} from '../../nn/index.js';
import {
  type ConformerEncoderConfig,
  type ContextSize,
  conformerDefaults,
  type ResolvedConformerConfig,
} from './conformer-config.js';
import { ConformerLayer } from './conformer-layer.js';
import type { Encoded, Encoder } from './encoder.js';
import { createSubsampling, type Subsampling } from './subsampling.js';

export class ConformerEncoder extends Module implements Encoder {
  readonly config: ResolvedConformerConfig;
  private readonly preEncode: Subsampling | Linear;
  private readonly layers: readonly ConformerLayer[];
  private readonly outProj: Linear | undefined;
  private readonly dropProbabilities: readonly number[];
  private readonly contexts: readonly ContextSize[];

  constructor(config: ConformerEncoderConfig) {
    super();
    this.config = { ...conformerDefaults, ...withoutUndefined(config) };
    const c = this.config;
    if (c.d_model % c.n_heads !== 0) {
      throw new AnemoneError({
        code: 'encoder.heads',
        path: 'encoder.n_heads',
        message: `${c.n_heads} heads do not divide d_model ${c.d_model}`,
      });
    }
    this.preEncode = this.child('pre_encode', preEncode(c));
    const layers: ConformerLayer[] = [];
    for (let i = 0; i < c.n_layers; i++)
      layers.push(new ConformerLayer(c, c.untie_biases ? undefined : layers[0]));
    this.layers = this.children('layers', layers);
    const projected = c.feat_out > 0 && c.feat_out !== c.d_model;
    this.outProj = projected ? this.child('out_proj', new Linear(c.d_model, c.feat_out)) : undefined;
    this.dropProbabilities = stochasticDepthSchedule(
      c.n_layers,
      c.stochastic_depth_drop_prob,
      c.stochastic_depth_mode,
      c.stochastic_depth_start_layer,
    );
    this.contexts = contextList(c.att_context_size);
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

  forward(features: Tensor, featureLengths: Tensor, pass: Pass): Encoded {
    const { x: reduced, lengths } =
      this.preEncode instanceof Linear
        ? { x: pass.tap(this.preEncode.path, this.preEncode.forward(features)), lengths: featureLengths }
        : this.preEncode.forward(features, featureLengths, pass);
    const frames = reduced.shape[1]!;
    const mask = this.mask(frameMask(lengths, frames), pass);
    const { start, positions } = this.position(reduced, pass);
    let x = start;
    this.layers.forEach((layer, i) => {
      const y = layer.forward(x, { positions, mask }, pass);
      x = stochasticDepth(x, y, this.dropProbabilities[i], pass);
    });
    const encoded = this.outProj ? this.outProj.forward(x) : x;
    return { encoded: pass.tap(this.path, encoded), lengths };
  }

  private position(x: Tensor, pass: Pass): { start: Tensor; positions: Tensor | undefined } {
    const c = this.config;
    const frames = x.shape[1]!;
    const scaled = c.xscaling ? tf.mul(x, tf.scalar(Math.sqrt(c.d_model))) : x;
    if (c.self_attention_model === 'abs_pos') {
      const table = dropout(absolutePositions(frames, c.d_model), c.dropout_emb, pass);
      return { start: dropout(tf.add(scaled, table), c.dropout_pre_encoder, pass), positions: undefined };
    }
    return {
      start: dropout(scaled, c.dropout_pre_encoder, pass),
      positions: dropout(relativePositions(frames, c.d_model), c.dropout_emb, pass),
    };
  }

  /** With several contexts, training draws one per batch and evaluation uses the first. */
  private mask(valid: Tensor, pass: Pass): AttentionMask {
    const style = this.config.att_context_style;
    const masks = this.contexts.map(([left, right]) => attentionMask(valid, { style, left, right }));
    if (!pass.training || masks.length === 1) return masks[0];
    const probabilities = this.config.att_context_probs ?? masks.map(() => 1 / masks.length);
    const draw = tf.reshape(tf.mul(tf.cast(randomBits(1, 23), 'float32'), tf.scalar(2 ** -23)), []);
    let bias = masks[masks.length - 1].bias;
    let cumulative = probabilities.reduce((a, b) => a + b, 0) - probabilities[masks.length - 1];
    for (let i = masks.length - 2; i >= 0; i--) {
      const chosen = tf.cast(tf.less(draw, tf.scalar(cumulative)), 'float32');
      bias = tf.add(bias, tf.mul(tf.sub(masks[i].bias, bias), chosen));
      cumulative -= probabilities[i];
    }
    return { bias, queries: masks[0].queries };
  }
}

function preEncode(c: ResolvedConformerConfig): Subsampling | Linear {
  if (c.subsampling_factor === 1) return new Linear(c.feat_in, c.d_model);
  return createSubsampling({
    kind: c.subsampling,
    factor: c.subsampling_factor,
    featIn: c.feat_in,
    featOut: c.d_model,
    channels: c.subsampling_conv_channels > 0 ? c.subsampling_conv_channels : c.d_model,
    causal: c.causal_downsampling,
    nemoCompat: c.nemo_compat,
  });
}

function contextList(size: ContextSize | readonly ContextSize[]): readonly ContextSize[] {
  const nested = size.length > 0 && Array.isArray(size[0]);
  return nested ? (size as readonly ContextSize[]) : [size as ContextSize];
}

function withoutUndefined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
