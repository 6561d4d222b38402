// The Transformer decoder of multitask models.
import { type Tensor, type Tensors, tf } from '../engine/index.js';
import {
  type CheckpointConfig,
  evaluationPass,
  frameMask,
  LayerCheckpoints,
  LayerNorm,
  Module,
  type Pass,
  type StackLayer,
} from '../nn/index.js';
import type { Memory } from './attention.js';
import { type EmbeddingSizes, TransformerEmbedding } from './embedding.js';
import { type CrossAttention, type LayerSizes, TransformerLayer } from './layer.js';
import { causalBias, keyBias } from './masks.js';

export interface TransformerDecoderConfig extends EmbeddingSizes, LayerSizes, CheckpointConfig {
  readonly num_layers: number;
  /** Whether the last layer's output is normalised too; with pre_ln only. */
  readonly pre_ln_final_layer_norm: boolean;
}

/** Encoder output as the decoder sees it. */
export interface EncoderStates {
  /** [B,T',d] */
  readonly states: Tensor;
  /** int32 [B] */
  readonly lengths: Tensor;
}

/** See `TransformerDecoder.extend`. */
export interface ExtendInputs {
  /** int32 [B,U] */
  readonly tokens: Tensor;
  /** [L,B,P,d], of the tokens before */
  readonly past: Tensor;
  /** [B,T',d] of the encoder */
  readonly states: Tensor;
  /** [B,T'], 1 for real frames */
  readonly valid: Tensor;
}

/** What a step needs besides its tokens; see `TransformerDecoder.step`. */
export interface StepInputs {
  /** int32 [N] */
  readonly tokens: Tensor;
  /** int32 [N], positions of the tokens, from 0 */
  readonly positions: Tensor;
  /** int32 [B] */
  readonly lengths: Tensor;
  /** `keys.i` and `values.i` [N,h,L,dk] of the tokens before; `crossKeys.i` and `crossValues.i` [B,h,T',dk]. */
  readonly memory: Tensors;
}

class DecoderBody extends Module {
  /** The stack, from the embedding upwards. */
  readonly layers: readonly TransformerLayer[];
  readonly finalNorm: LayerNorm | undefined;

  constructor(config: TransformerDecoderConfig) {
    super();
    if (config.pre_ln && config.pre_ln_final_layer_norm) {
      this.finalNorm = this.child('final_layer_norm', new LayerNorm(config.hidden_size));
    }
    this.layers = this.children(
      'layers',
      Array.from({ length: config.num_layers }, () => new TransformerLayer(config, { cross: true })),
    );
  }
}

/** NeMo's Transformer decoder (TransformerDecoderNM): tokens in, hidden states out, with attention to an encoder. */
export class TransformerDecoder extends Module {
  readonly embedding: TransformerEmbedding;
  readonly checkpoints: LayerCheckpoints;
  private readonly body: DecoderBody;

  constructor(readonly config: TransformerDecoderConfig) {
    super();
    this.embedding = this.child('_embedding', new TransformerEmbedding(config));
    this.body = this.child('_decoder', new DecoderBody(config));
    this.checkpoints = new LayerCheckpoints(config, this.body.layers, 'transf_decoder.config_dict');
  }

  /** d: width of the hidden states. */
  get width(): number {
    return this.config.hidden_size;
  }

  /** L: number of layers. */
  get layers(): number {
    return this.config.num_layers;
  }

  /** Number of attention heads of a layer. */
  get heads(): number {
    return this.config.num_attention_heads;
  }

  /** tokens int32 [B,U] and their lengths [B] → hidden states [B,U,d]. */
  forward(tokens: Tensor, lengths: Tensor, encoder: EncoderStates, pass: Pass): Tensor {
    const [, length] = tokens.shape;
    const [, frames] = encoder.states.shape;
    const bias = causalBias(frameMask(lengths, length));
    const crossBias = this.crossBias(encoder.lengths, frames);
    // The states are named once for each use: their gradients are then added up in the order in which they would be if
    // nothing were computed again, and come out with the same bits.
    const shared = [encoder.states, encoder.states];
    const layer: StackLayer = ([x], i, pass, [forValues, states]) => {
      const own = this.body.layers[i];
      return [
        own.forward(x, bias, pass, { memory: own.crossMemory(states, forValues, pass), bias: crossBias }),
      ];
    };
    const embedded = this.embedding.forward(tokens, pass);
    const [x] = this.checkpoints.through([embedded], () => ({ layer, pass }), { shared });
    return this.finish(x, pass);
  }

  /**
   * Any number of tokens after any number of others. Gives `hidden`, [B,U,d], and `seen`, [L,B,P+U,d]: that is what each
   * layer has read, the past of the tokens that follow.
   */
  extend({ tokens, past, states, valid }: ExtendInputs, pass: Pass): { hidden: Tensor; seen: Tensor } {
    const [, length] = tokens.shape;
    const [, , before] = past.shape;
    const among = causalBias(tf.ones([1, length]));
    const bias = tf.pad(among, [[0, 0], [0, 0], [0, 0], [before, 0]]); // biome-ignore format: one line reads better
    const crossBias = keyBias(valid);
    const seenStates: Tensor[] = [];
    let x = this.embedding.after(tokens, before, pass);
    this.body.layers.forEach((layer, i) => {
      const cross = { memory: layer.crossMemory(states, states, pass), bias: crossBias };
      // tf.gather stands here because tf.unstack would trace a Reshape that takes the empty axis of a past of length 0
      // for one to be copied.
      const layerPast = tf.gather(past, tf.scalar(i, 'int32'));
      const next = layer.extend(x, layerPast, bias, pass, cross);
      x = next.y;
      seenStates.push(next.seen);
    });
    return { hidden: this.finish(x, pass), seen: tf.stack(seenStates) };
  }

  /** What every step over the same encoder output shares: `crossKeys.i` and `crossValues.i` [B,h,T',dk]. */
  crossMemory(states: Tensor): Tensors {
    const out: Tensors = {};
    this.body.layers.forEach((layer, i) => {
      const { keys, values } = layer.crossMemory(states, states, evaluationPass);
      out[`crossKeys.${i}`] = keys;
      out[`crossValues.${i}`] = values;
    });
    return out;
  }

  /**
   * One token a hypothesis; N is a multiple of B, the hypotheses of an utterance lying together. Gives `hidden`
   * [N,1,d], and `keys.i` and `values.i` [N,h,1,dk], which belong at the token's position in the memory.
   */
  step({ tokens, positions, lengths, memory }: StepInputs, pass: Pass): Tensors {
    const [count] = tokens.shape;
    const [batch] = lengths.shape;
    const [, , room] = memory['keys.0'].shape;
    const [, , frames] = memory['crossKeys.0'].shape;
    const ownRows = tf.ones([count, 1]) as Tensor;
    const bias = keyBias(tf.concat([frameMask(positions, room), ownRows], 1));
    const crossBias = this.crossBias(lengths, frames);
    const out: Tensors = {};
    let x = this.embedding.step(tokens, positions, pass);
    this.body.layers.forEach((layer, i) => {
      const past: Memory = { keys: memory[`keys.${i}`], values: memory[`values.${i}`] };
      const cross: CrossAttention = {
        memory: { keys: memory[`crossKeys.${i}`], values: memory[`crossValues.${i}`] },
        bias: crossBias,
        rows: count / batch,
      };
      const { y, added } = layer.step(x, past, bias, pass, cross);
      x = y;
      out[`keys.${i}`] = added.keys;
      out[`values.${i}`] = added.values;
    });
    return { ...out, hidden: this.finish(x, pass) };
  }

  private finish(x: Tensor, pass: Pass): Tensor {
    const { finalNorm } = this.body;
    return pass.tap(this.path, finalNorm ? finalNorm.forward(x) : x);
  }

  private crossBias(lengths: Tensor, frames: number): Tensor {
    return keyBias(frameMask(lengths, frames));
  }
}
