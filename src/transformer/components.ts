// Configuration of the Transformer parts of multitask models: NeMo's keys.
import { defineSchema } from '../config/index.js';
import { component } from '../container/index.js';
import { AnemoneError } from '../errors/index.js';
import { checkpointFields, refineCheckpoints, SmoothedCrossEntropyLoss, tokenLossKind } from '../nn/index.js';
import { TokenClassifier, type TokenClassifierConfig } from './token-classifier.js';
import { TransformerDecoder, type TransformerDecoderConfig } from './transformer-decoder.js';
import { TransformerEncoder, type TransformerEncoderConfig } from './transformer-encoder.js';

const rate = { format: 'number', min: 0, below: 1, default: 0 } as const;
const byModel = 'Set by the model from its tokenizer.';

const layerFields = {
  hidden_size: { doc: 'Width.', format: 'int', min: 1 },
  inner_size: { doc: 'Width inside the feed-forward block.', format: 'int', min: 1 },
  num_layers: { doc: 'Layers.', format: 'nat', max: 1000 },
  num_attention_heads: { doc: 'Heads; they share the width.', format: 'int', min: 1, default: 1 },
  attn_score_dropout: { doc: 'Of the attention weights.', ...rate },
  attn_layer_dropout: { doc: 'Of what attention gives.', ...rate },
  ffn_dropout: { doc: 'Of what the feed-forward block gives.', ...rate },
  hidden_act: { doc: 'Inside the feed-forward block.', format: ['relu', 'gelu'], default: 'relu' },
  pre_ln: { doc: 'Normalise before each block instead of after it.', format: 'boolean', default: false },
  ...checkpointFields,
} as const;

const finalNorm = {
  doc: 'With pre_ln: normalise the output of the last layer too.',
  format: 'boolean',
  default: true,
} as const;

const decoderConfigSchema = defineSchema(
  'config_dict',
  {
    ...layerFields,
    vocab_size: { doc: byModel, format: 'any', default: null, nullable: true },
    max_sequence_length: { doc: 'Most tokens, the prompt included.', format: 'int', min: 1, default: 512 },
    num_token_types: { doc: 'Rows of an embedding that speech does not use.', format: 'nat', default: 2 },
    embedding_dropout: { doc: 'Of the embeddings.', ...rate },
    learn_positional_encodings: {
      doc: 'Learn the positions instead of sines and cosines.',
      format: 'boolean',
      default: false,
    },
  },
  { doc: 'Sizes.', refine: refineCheckpoints() },
);

export const transformerDecoderSchema = defineSchema(
  'get_nemo_transformer',
  {
    config_dict: { doc: 'Sizes.', format: decoderConfigSchema },
    pre_ln_final_layer_norm: finalNorm,
  },
  {
    doc: 'Transformer decoder with attention to the encoder (Vaswani et al. 2017).',
    ignored: {
      model_name: { instead: 'models are not downloaded by name', harmless: [null] },
      pretrained: { instead: 'models are not downloaded by name', harmless: [false, null] },
      encoder: { instead: 'this is a decoder', harmless: [null, false] },
    },
  },
);

export const transformerEncoderSchema = defineSchema(
  'TransformerEncoder',
  {
    ...layerFields,
    mask_future: { doc: 'Frames see only those before them.', format: 'boolean', default: false },
    pre_ln_final_layer_norm: finalNorm,
  },
  {
    doc: 'Transformer layers between the encoder and the decoder; none with num_layers: 0.',
    refine: refineCheckpoints(),
  },
);

export const tokenClassifierSchema = defineSchema(
  'TokenClassifier',
  {
    num_layers: { doc: 'Only 1.', format: [1], default: 1 },
    hidden_size: { doc: 'Width of the decoder.', format: 'int', min: 1 },
    num_classes: { doc: byModel, format: 'any', default: null, nullable: true },
    log_softmax: { doc: 'Only true.', format: [true], default: true },
    dropout: { doc: 'Of the hidden states.', ...rate },
    activation: { doc: 'Between layers; there is one layer.', format: 'string', default: 'relu' },
    use_transformer_init: {
      doc: 'Only kept: weights are initialised as NeMo’s model does in the end.',
      format: 'boolean',
      default: true,
    },
  },
  { doc: 'From hidden states to log-probabilities; its matrix is the embedding of the decoder.' },
);

export const crossEntropySchema = defineSchema(
  'SmoothedCrossEntropyLoss',
  {
    label_smoothing: {
      doc: 'Share of the target spread over all tokens.',
      format: 'number',
      min: 0,
      below: 1,
      default: 0,
    },
    pad_id: { doc: byModel, format: 'any', default: null, nullable: true },
    eps: { doc: 'Added to the number of tokens.', format: 'number', min: 0, default: 1e-6 },
    predict_last_k: { doc: 'Only 0: all tokens count.', format: [0], default: 0 },
    per_token_reduction: { doc: 'Only true: the mean over tokens.', format: [true], default: true },
  },
  { doc: 'Cross-entropy of the next token, the mean over the tokens of a batch.' },
);

/** The sizes are a section of their own, and one key stands beside it. */
type DecoderSection = {
  readonly config_dict: Record<string, unknown>;
  readonly pre_ln_final_layer_norm: boolean;
};

/** The Transformer encoder and decoder of NeMo's multitask models. */
export const transformerComponents = [
  component({
    kind: 'transf_decoder',
    name: 'TransformerDecoder',
    aliases: [
      'nemo.collections.asr.modules.transformer.get_nemo_transformer',
      'nemo.collections.nlp.modules.common.transformer.get_nemo_transformer',
    ],
    schema: transformerDecoderSchema,
    create: (config) => {
      const { config_dict: sizes, pre_ln_final_layer_norm: last } = config as unknown as DecoderSection;
      const all = { ...sizes, pre_ln_final_layer_norm: last } as unknown as TransformerDecoderConfig;
      return new TransformerDecoder(wholeHeads(all, 'model.transf_decoder.config_dict'));
    },
  }),
  component({
    kind: 'transf_encoder',
    name: 'TransformerEncoder',
    aliases: [
      'nemo.collections.asr.modules.transformer.transformer_encoders.TransformerEncoder',
      'nemo.collections.nlp.modules.common.transformer.transformer_encoders.TransformerEncoder',
    ],
    schema: transformerEncoderSchema,
    create: (config) =>
      new TransformerEncoder(wholeHeads(config as TransformerEncoderConfig, 'model.transf_encoder')),
  }),
  component({
    kind: 'head',
    name: 'TokenClassifier',
    aliases: [
      'nemo.collections.asr.parts.submodules.token_classifier.TokenClassifier',
      'nemo.collections.nlp.modules.common.TokenClassifier',
    ],
    schema: tokenClassifierSchema,
    create: (config) => new TokenClassifier(config as TokenClassifierConfig),
  }),
  component({
    kind: tokenLossKind,
    name: 'SmoothedCrossEntropyLoss',
    aliases: [
      'nemo.collections.common.losses.smoothed_cross_entropy.SmoothedCrossEntropyLoss',
      'nemo.collections.common.losses.SmoothedCrossEntropyLoss',
    ],
    schema: crossEntropySchema,
    create: ({ label_smoothing, eps }) => new SmoothedCrossEntropyLoss(label_smoothing, eps),
  }),
];

function wholeHeads<C extends { readonly hidden_size: number; readonly num_attention_heads: number }>(
  config: C,
  path: string,
): C {
  const { hidden_size: width, num_attention_heads: heads } = config;
  if (width % heads === 0) return config;
  throw new AnemoneError({
    code: 'config.invalid-value',
    path: `${path}.num_attention_heads`,
    message: `${heads} heads cannot share a width of ${width}`,
  });
}
