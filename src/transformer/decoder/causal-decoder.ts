// A stack of decoder layers (Vaswani et al. 2017, without cross-attention; Radford et al. 2018), for language models.
import { type AttentionCache, type Tensor, type Tensors, tf } from '../../engine/index.js';
import {
  type CheckpointConfig,
  LayerCheckpoints,
  Module,
  type Pass,
  type StackLayer,
} from '../../nn/index.js';
import { DecoderLayer } from './layer.js';
import { DecoderNorm } from './norm.js';
import type { DecoderNames, DecoderOptions } from './options.js';
import { RotaryPositions } from './rotary.js';
import type { SequenceContext } from './self-attention.js';

/** How much of the room for keys and values is filled. */
export type CacheFill = Pick<AttentionCache, 'lastPlaces' | 'total'>;

/** Keys and values of all layers, `keys.i` and `values.i` [B,G,room,D], and how much of the room is filled. */
export interface DecoderCache extends CacheFill {
  readonly memory: Tensors;
  /** By window, where layers with one have other rooms, in which they have forgotten what nobody sees any more. */
  readonly windowed?: ReadonlyMap<number, CacheFill> | undefined;
}

/** Size of a head in the cache: the operator of attention over one wants a multiple of 8. With ALiBi keys have their position too. */
export function cachedHeadSize({ headSize, alibi }: Pick<DecoderOptions, 'headSize' | 'alibi'>): number {
  return Math.ceil((headSize + Number(alibi ?? false)) / 8) * 8;
}

/** The layers of a decoder-only Transformer and its last norm. hidden states [B,T,d] → [B,T,d]. */
export class CausalDecoder extends Module {
  readonly checkpoints: LayerCheckpoints;
  private readonly stack: readonly DecoderLayer[];
  private readonly finalNorm: DecoderNorm | undefined;
  private readonly rotary: RotaryPositions | undefined;
  private readonly localRotary: RotaryPositions | undefined;

  /** @param section of a config that holds the checkpointing keys, for messages */
  constructor(
    readonly options: DecoderOptions,
    names: DecoderNames,
    checkpointing: CheckpointConfig = {},
    section = 'model',
  ) {
    super();
    const { layers, width, norm, epsilon, rotary, positions } = options;
    this.stack = this.children(
      names.layers,
      Array.from({ length: layers }, (_, i) => new DecoderLayer(options, i, names.layer)),
    );
    if (options.order !== 'post_ln')
      this.finalNorm = this.child(names.finalNorm, new DecoderNorm(width, norm, epsilon));
    const { localRotary } = options;
    if (localRotary)
      this.localRotary = this.child('local_rotary_pos_emb', new RotaryPositions(positions, localRotary));
    if (rotary) this.rotary = this.child('rotary_pos_emb', new RotaryPositions(positions, rotary));
    this.checkpoints = new LayerCheckpoints(checkpointing, this.stack, section);
  }

  /** x [B,T,d] → same shape. */
  forward(x: Tensor, context: Omit<SequenceContext, 'rotary'>, pass: Pass): Tensor {
    const layer: StackLayer = ([x], i, pass) => [
      this.stack[i].forward(x, { ...context, rotary: this.rotaryOf(i) }, pass),
    ];
    const [y] = this.checkpoints.through([x], () => ({ layer, pass }));
    return this.finish(y, pass);
  }

  /**
   * S new positions after those in the cache. x [B,S,d], positions int32 [B,S] → `hidden` [B,S,d] and the new `keys.i` and
   * `values.i`.
   */
  extend(x: Tensor, positions: Tensor, { memory, windowed, ...all }: DecoderCache, pass: Pass): Tensors {
    const out: Tensors = {};
    // Rows of [B·S,d] pass through the layers: products and norms take them as they are, and every reshape is a node that is run.
    let y = tf.reshape(x, [-1, this.options.width]) as Tensor;
    this.stack.forEach((layer, i) => {
      const cache: AttentionCache = {
        key: memory[`keys.${i}`],
        value: memory[`values.${i}`],
        ...(windowed?.get(this.options.windows?.[i] ?? -1) ?? all),
      };
      const next = layer.extend(y, cache, { positions, rotary: this.rotaryOf(i) }, pass);
      y = next.y;
      out[`keys.${i}`] = next.key;
      out[`values.${i}`] = next.value;
    });
    return { ...out, hidden: tf.reshape(this.finish(y, pass), x.shape) };
  }

  private rotaryOf(layer: number): RotaryPositions | undefined {
    return this.options.windows?.[layer] === undefined ? this.rotary : (this.localRotary ?? this.rotary);
  }

  private finish(x: Tensor, pass: Pass): Tensor {
    return pass.tap(this.path, this.finalNorm ? this.finalNorm.forward(x) : x);
  }
}
