// The Conformer.
import { type Tensor, tf, tracesAnyShape } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import {
  absolutePositions,
  attentionMask,
  bandPositions,
  dropout,
  frameMask,
  LayerCheckpoints,
  Linear,
  localAttentionMask,
  localPositions,
  Module,
  type Pass,
  relativePositions,
  type StackLayer,
  type StackState,
  stochasticDepth,
  stochasticDepthSchedule,
  within,
} from '../../nn/index.js';
import { AttentionContexts } from './attention-context.js';
import type { Chunk, EncodedChunk, Past } from './chunk.js';
import { type ChunkOptions, type ChunkPlan, chunkPlan } from './chunk-plan.js';
import {
  type ConformerEncoderConfig,
  conformerEncoderSchema,
  type ResolvedConformerConfig,
} from './conformer-config.js';
import { ConformerLayer, type LayerContext, localContext } from './conformer-layer.js';
import { createSubsampling } from './create-subsampling.js';
import type { Encoded, Encoder, InnerLayers } from './encoder.js';
import { LayerReduction } from './layer-reduction.js';
import type { Cutting, Frames, Subsampling } from './subsampling.js';

/** The Conformer encoder (Gulati et al. 2020), NeMo's ConformerEncoder: subsampling, positions, layers. */
export class ConformerEncoder extends Module implements Encoder {
  readonly config: ResolvedConformerConfig;
  private readonly preEncode: Subsampling | Linear;
  private readonly layers: readonly ConformerLayer[];
  private readonly outProj: Linear | undefined;
  private readonly dropProbabilities: readonly number[];
  private readonly contexts: AttentionContexts;
  private readonly reduction: LayerReduction | undefined;
  readonly checkpoints: LayerCheckpoints;

  constructor(config: ConformerEncoderConfig) {
    super();
    this.config = conformerEncoderSchema.withDefaults(config);
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
    this.checkpoints = new LayerCheckpoints(c, layers);
    const projected = c.feat_out > 0 && c.feat_out !== c.d_model;
    this.outProj = projected ? this.child('out_proj', new Linear(c.d_model, c.feat_out)) : undefined;
    this.dropProbabilities = stochasticDepthSchedule(
      c.n_layers,
      c.stochastic_depth_drop_prob,
      c.stochastic_depth_mode,
      c.stochastic_depth_start_layer,
    );
    this.contexts = new AttentionContexts(c);
    this.reduction = this.reductionOf(c);
  }

  get width(): number {
    return this.outProj ? this.config.feat_out : this.config.d_model;
  }

  get subsamplingFactor(): number {
    return this.config.subsampling_factor * (this.reduction ? this.config.reduction_factor : 1);
  }

  get layerCount(): number {
    return this.layers.length;
  }

  outputLength(frames: number): number {
    const reduced = this.preEncode instanceof Linear ? frames : this.preEncode.outputLength(frames);
    return this.reduction ? this.reduction.outputLength(reduced) : reduced;
  }

  forward(features: Tensor, featureLengths: Tensor, callerPass: Pass, inner?: InnerLayers): Encoded {
    let { x, lengths, pass } = this.subsample(features, featureLengths, callerPass);
    const draw = this.contexts.draw(pass);
    const project = (y: Tensor): Tensor => (this.outProj ? this.outProj.forward(y) : y);
    let context = this.context(x, lengths, draw, pass);
    x = this.start(x, pass);
    const { reduction_position: position } = this.config;
    const current = (): StackState => {
      const groupContext = context;
      const layer: StackLayer = ([x], i, pass) => [
        stochasticDepth(x, this.layers[i].forward(x, groupContext, pass), this.dropProbabilities[i], pass),
      ];
      return { layer, pass };
    };
    const each = (i: number, [y]: Tensor[]): Tensor[] => {
      let x = y;
      if (this.reduction && position === i) {
        ({ x, lengths, pass } = reduced(this.reduction.forward(y, lengths, pass), pass));
        context = this.context(x, lengths, draw, pass);
      }
      inner?.(i, { encoded: project(x), lengths });
      return [x];
    };
    const breaks = this.reduction && position !== null ? [position] : [];
    const between = inner || this.reduction ? { breaks, each } : {};
    [x] = this.checkpoints.through([x], current, between);
    x = project(x);
    if (this.reduction && this.config.reduction_position === -1) {
      ({ x, lengths } = this.reduction.forward(x, lengths, pass));
    }
    return { encoded: pass.tap(this.path, x), lengths };
  }

  /** The frames that the layers see, and a pass that knows how many are the batch's. */
  private subsample(
    features: Tensor,
    lengths: Tensor,
    callerPass: Pass,
  ): { x: Tensor; lengths: Tensor; pass: Pass } {
    const pass = within(callerPass, callerPass.batchFrames, features);
    if (!(this.preEncode instanceof Linear))
      return reduced(this.preEncode.forward(features, lengths, pass), pass);
    return { x: pass.tap(this.preEncode.path, this.preEncode.forward(features)), lengths, pass };
  }

  /** How a stream is cut for `forwardChunk`. @throws AnemoneError `streaming.*` for an encoder that needs all of it */
  chunkPlan(options: ChunkOptions = {}): ChunkPlan {
    if (this.layers.some((layer) => layer.adapters.attends)) {
      throw new AnemoneError({
        code: 'streaming.adapter',
        message: 'attention adapters see whole utterances, so this encoder cannot take a stream',
        hint: "disable them: setEnabledAdapters('NAME', false)",
      });
    }
    const cutting = this.preEncode instanceof Linear ? perFrame : this.preEncode.cutting;
    return chunkPlan(this.config, this.contexts.all, cutting, options);
  }

  /** A chunk of a stream, with what layers saw before it. */
  forwardChunk(chunk: Chunk, pass: Pass): EncodedChunk {
    const { d_model: width } = this.config;
    // Masked, an item that ends inside the chunk gives what it gives alone.
    const { x: subsampled, lengths } =
      this.preEncode instanceof Linear
        ? { x: this.preEncode.forward(chunk.features), lengths: chunk.featureLengths }
        : this.preEncode.forward(chunk.features, chunk.featureLengths, pass, true);
    const [batch, all] = subsampled.shape;
    const frames = all! - chunk.warmup;
    let x = this.start(tf.slice(subsampled, [0, chunk.warmup, 0], [batch, frames, width]), pass);
    const validFrames = chunk.frames ?? between(tf.sub(lengths, tf.scalar(chunk.warmup, 'int32')), 0, frames);
    const valid = frameMask(validFrames, frames);
    const { attention, convolution } = chunk;
    const past = attention ? attention.shape[2]! : 0;
    const before = attention ? tf.reverse(frameMask(chunk.attentionLengths, past), 1) : undefined;
    const context = {
      positions: relativePositions(frames, width, past + frames),
      mask: attentionMask(valid, chunk.context, before),
    };
    const seenInputs: Record<'attention' | 'convolution', Tensor[]> = { attention: [], convolution: [] };
    const remembered = (cache: Tensor | undefined, kind: keyof typeof seenInputs, layer: number): Past => ({
      frames: cache && layerOf(cache, layer),
      see: (inputs) => seenInputs[kind].push(inputs),
    });
    this.layers.forEach((layer, i) => {
      x = layer.forward(x, context, pass, {
        attention: remembered(attention, 'attention', i),
        convolution: remembered(convolution, 'convolution', i),
      });
    });
    return {
      encoded: this.outProj ? this.outProj.forward(x) : x,
      frames: validFrames,
      attention: tf.stack(seenInputs.attention),
      convolution: tf.stack(seenInputs.convolution),
    };
  }

  /** The input of the first layer, from the subsampled frames. */
  private start(x: Tensor, pass: Pass): Tensor {
    const { d_model: width, xscaling, self_attention_model: model, ...c } = this.config;
    const scaled = xscaling ? tf.mul(x, tf.scalar(Math.sqrt(width))) : x;
    // NeMo's positions of local attention drop out by the layers' rate.
    if (model === 'rel_pos_local_attn') return dropout(scaled, c.dropout, pass);
    if (model === 'rel_pos') return dropout(scaled, c.dropout_pre_encoder, pass);
    const table = dropout(absolutePositions(x.shape[1]!, width), c.dropout_emb, pass);
    return dropout(tf.add(scaled, table), c.dropout_pre_encoder, pass);
  }

  /** Positions and masks for the layers that see x [B,T,d]. */
  private context(x: Tensor, lengths: Tensor, draw: Tensor | undefined, pass: Pass): LayerContext {
    const { d_model: width, self_attention_model: model, dropout_emb: rate } = this.config;
    const frames = x.shape[1]!;
    const valid = frameMask(lengths, frames);
    if (model === 'rel_pos_local_attn') {
      const [left, right] = localContext(this.config);
      if (tracesAnyShape()) {
        const mask = attentionMask(valid, { style: 'regular', left, right });
        return { positions: bandPositions(frames, left, right, width), mask };
      }
      return {
        positions: dropout(localPositions(left, right, width), rate, pass),
        mask: localAttentionMask(valid, left, right),
      };
    }
    const positions = model === 'rel_pos' ? dropout(relativePositions(frames, width), rate, pass) : undefined;
    return { positions, mask: this.contexts.mask(valid, draw) };
  }

  private reductionOf(c: ResolvedConformerConfig): LayerReduction | undefined {
    if (!c.reduction || c.reduction_factor <= 1) return undefined;
    const position = c.reduction_position ?? c.n_layers;
    if (position >= c.n_layers) {
      throw new AnemoneError({
        code: 'encoder.reduction-position',
        path: 'encoder.reduction_position',
        message: `${c.reduction_position} is not one of the ${c.n_layers} layers, which count from 0 (-1: after all)`,
      });
    }
    return this.child(
      'reduction_subsampling',
      new LayerReduction({
        kind: c.reduction,
        factor: c.reduction_factor,
        width: position === -1 ? this.width : c.d_model,
        nemoCompat: c.nemo_compat,
      }),
    );
  }
}

function preEncode(c: ResolvedConformerConfig): Subsampling | Linear {
  return createSubsampling({
    kind: c.subsampling,
    factor: c.subsampling_factor,
    featIn: c.feat_in,
    featOut: c.d_model,
    channels: c.subsampling_conv_channels > 0 ? c.subsampling_conv_channels : c.d_model,
    causal: c.causal_downsampling,
    nemoCompat: c.nemo_compat,
    parts: c.subsampling_conv_chunking_factor,
  });
}

const perFrame: Cutting = { kind: 'blocks', warmup: 0 };

/** With the pass for what comes after. */
function reduced({ x, lengths, frames }: Frames, pass: Pass): { x: Tensor; lengths: Tensor; pass: Pass } {
  return { x, lengths, pass: within(pass, frames, x) };
}

/** Whole numbers, none below `least` or above `most`. */
const between = (numbers: Tensor, minimum: number, maximum: number): Tensor =>
  tf.minimum(tf.maximum(numbers, tf.scalar(minimum, 'int32')), tf.scalar(maximum, 'int32'));

/** cache [n,B,C,d] → [B,C,d]. */
function layerOf(cache: Tensor, layer: number): Tensor {
  const [, batch, frames, width] = cache.shape;
  return tf.reshape(tf.slice(cache, [layer, 0, 0, 0], [1, batch, frames!, width!]), [batch, frames!, width!]);
}
