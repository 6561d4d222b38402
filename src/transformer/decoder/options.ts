// What a causal decoder is made of, whatever family it is of, and how its parts are called in checkpoints.
import type { MlpActivation } from './mlp.js';
import type { NormKind, NormNames } from './norm.js';
import type { RotaryOptions } from './rotary.js';

/** A stack of decoder layers. Families of models are values of this. */
export interface DecoderOptions {
  readonly layers: number;
  /** d: width of what goes in and comes out. */
  readonly width: number;
  /** Width inside the feed-forward block. */
  readonly inner: number;
  /** N: heads of the queries. */
  readonly heads: number;
  /** G: heads of keys and values, which N/G heads of queries share each (Ainslie et al. 2023). */
  readonly groups: number;
  /** D: size of a head. */
  readonly headSize: number;
  readonly activation: MlpActivation;
  readonly norm: NormKind;
  readonly epsilon: number;
  /**
   * Where norms stand: before each block; after its residual; or before it, after attention and inside the feed-forward
   * block (Shleifer et al. 2021, NormFormer). Default pre_ln.
   */
  readonly order?: 'pre_ln' | 'post_ln' | 'normformer';
  /** What each head gives is multiplied by a number that is learned (NormFormer). Default false. */
  readonly scalesHeads?: boolean;
  /** Norms of what each block gives, before the residual, beside those of `order` (Gemma 2). Default false. */
  readonly normsOutputs?: boolean;
  /** Biases of all linear maps. */
  readonly bias: boolean;
  /** Biases of queries, keys and values, where they differ (Qwen 2). Default: `bias`. */
  readonly queryBias?: boolean;
  /** Biases of what attention gives, where they differ. Default: `bias`. */
  readonly projectionBias?: boolean;
  /** Queries and keys are normalised by head (Henry et al. 2020; Qwen 3). Default false. */
  readonly normsQueries?: boolean;
  /** Rotary positions; none: positions are the embedding's, or nobody's. */
  readonly rotary?: RotaryOptions | undefined;
  /** Those of layers with a window, where they differ (Gemma 3). Default: `rotary`. */
  readonly localRotary?: RotaryOptions | undefined;
  /** Scores fall with distance (ALiBi), as `alibiSlopes` says. Default false. */
  readonly alibi?: boolean;
  /** Most positions. */
  readonly positions: number;
  /** Factor of the scores. Default 1/√D. */
  readonly scale?: number | undefined;
  /** Scores are softcap · tanh(score / softcap). Default: as they are. */
  readonly softcap?: number | undefined;
  /** How many positions the queries of each layer see; undefined: all before. */
  readonly windows?: readonly (number | undefined)[] | undefined;
  /** Dropout of what blocks give, of the weights of attention, and after the activation. Default 0. */
  readonly hiddenDropout?: number;
  readonly attentionDropout?: number;
  readonly innerDropout?: number;
  /** Weights start from N(0, initStd²). */
  readonly initStd: number;
  /** Those of the maps back into the residual are smaller by √(2 · layers) (Radford et al. 2019). */
  readonly scalesInit: boolean;
}

interface NormPlace extends NormNames {
  readonly label: string;
}

/** Names of the parts of a layer, as checkpoints have them. */
export interface LayerNames {
  readonly inputNorm: NormPlace;
  readonly attention: string;
  readonly qkv: string;
  readonly queryNorm: string;
  readonly keyNorm: string;
  readonly projection: string;
  readonly headScale: string;
  readonly attentionOutputNorm: string;
  readonly normformerNorm: string;
  readonly mlpNorm: NormPlace;
  readonly mlp: string;
  readonly up: string;
  readonly innerNorm: string;
  readonly down: string;
  readonly mlpOutputNorm: string;
}

/** Names of a whole decoder. */
export interface DecoderNames {
  readonly layers: string;
  readonly finalNorm: string;
  readonly layer: LayerNames;
}

const plainNorm = (label: string): NormPlace => ({ label, weight: 'weight', bias: 'bias' });
const insideLinear = (label: string): NormPlace => ({
  label,
  weight: 'layer_norm_weight',
  bias: 'layer_norm_bias',
});

/** Those of NeMo 1.x without Megatron core (`mcore_gpt: false`). */
export const legacyNames: DecoderNames = {
  layers: 'layers',
  finalNorm: 'final_layernorm',
  layer: {
    inputNorm: plainNorm('input_layernorm'),
    attention: 'self_attention',
    qkv: 'query_key_value',
    queryNorm: 'q_layernorm',
    keyNorm: 'k_layernorm',
    projection: 'dense',
    headScale: 'head_scale_tensor',
    attentionOutputNorm: 'post_self_attn_layernorm',
    normformerNorm: 'post_attention_normformer_norm',
    mlpNorm: plainNorm('post_attention_layernorm'),
    mlp: 'mlp',
    up: 'dense_h_to_4h',
    innerNorm: 'normalization',
    down: 'dense_4h_to_h',
    mlpOutputNorm: 'post_mlp_layernorm',
  },
};

/** Those of Megatron core with Transformer Engine's layers (`mcore_gpt: true`), whose norms belong to the maps after them. */
export const coreNames: DecoderNames = {
  layers: 'layers',
  finalNorm: 'final_layernorm',
  layer: {
    ...legacyNames.layer,
    inputNorm: insideLinear('self_attention.linear_qkv'),
    qkv: 'linear_qkv',
    projection: 'linear_proj',
    mlpNorm: insideLinear('mlp.linear_fc1'),
    up: 'linear_fc1',
    down: 'linear_fc2',
  },
};
