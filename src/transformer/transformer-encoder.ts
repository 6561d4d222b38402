// A Transformer encoder over what a speech encoder gives.
import type { Tensor } from '../engine/index.js';
import {
  type CheckpointConfig,
  frameMask,
  LayerCheckpoints,
  LayerNorm,
  Module,
  type Pass,
  type StackLayer,
} from '../nn/index.js';
import { type LayerSizes, TransformerLayer } from './layer.js';
import { causalBias, keyBias } from './masks.js';

export interface TransformerEncoderConfig extends LayerSizes, CheckpointConfig {
  readonly num_layers: number;
  /** Frames see only those before them. */
  readonly mask_future: boolean;
  readonly pre_ln_final_layer_norm: boolean;
}

/** NeMo's Transformer encoder, which may stand between a speech encoder and a Transformer decoder. */
export class TransformerEncoder extends Module {
  private readonly layers: readonly TransformerLayer[];
  readonly checkpoints: LayerCheckpoints;
  private readonly finalNorm: LayerNorm | undefined;

  /** @param section of a config that says it, for messages */
  constructor(
    readonly config: TransformerEncoderConfig,
    section = 'transf_encoder',
  ) {
    super();
    if (config.pre_ln && config.pre_ln_final_layer_norm) {
      this.finalNorm = this.child('final_layer_norm', new LayerNorm(config.hidden_size));
    }
    this.layers = this.children(
      'layers',
      Array.from({ length: config.num_layers }, () => new TransformerLayer(config, { cross: false })),
    );
    this.checkpoints = new LayerCheckpoints(config, this.layers, section);
  }

  /** d: width of what goes in and comes out. */
  get width(): number {
    return this.config.hidden_size;
  }

  /** x [B,T,d], lengths int32 [B] → [B,T,d]. */
  forward(x: Tensor, lengths: Tensor, pass: Pass): Tensor {
    const [, frames] = x.shape;
    const valid = frameMask(lengths, frames);
    const bias = this.config.mask_future ? causalBias(valid) : keyBias(valid);
    const layer: StackLayer = ([x], i, pass) => [this.layers[i].forward(x, bias, pass)];
    const [y] = this.checkpoints.through([x], () => ({ layer, pass }));
    return pass.tap(this.path, this.finalNorm ? this.finalNorm.forward(y) : y);
  }
}
