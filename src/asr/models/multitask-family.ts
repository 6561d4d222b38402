// Multitask models as configs, archives and `inspect` know them; see multitask-model.ts.
import { componentConfig, defineSchema, sectionOrComponent } from '../../config/index.js';
import { type Tensor, type Tensors, tf } from '../../engine/index.js';
import { attentionDecodingSchema } from '../../generation/index.js';
import { evaluationPass, type Pass, tokenLossKind } from '../../nn/index.js';
import { PROMPT_FORMATS } from '../../text/index.js';
import type { TokenHead, TransformerDecoder } from '../../transformer/index.js';
import { attentionDecodingKind, strategiesOf } from '../decoding/decoding-kinds.js';
import type { Encoded } from '../encoders/encoder.js';
import { strategyChoice } from '../nemo/saved-choices.js';
import { nemoClass, type SpeechParts } from '../nemo/saved-config.js';
import type { ModelFamily } from './model-family.js';
import { commonFields, commonIgnored } from './model-schema.js';

export const multiTaskSchema = defineSchema(
  'EncDecMultiTaskModel',
  {
    ...commonFields,
    prompt_format: { doc: 'What prompts are made of.', format: PROMPT_FORMATS },
    prompt_defaults: {
      doc: 'Slots of prompts where data do not say them: a list with role: user and slots.',
      format: 'any',
      nullable: true,
      default: null,
    },
    use_loss_mask_for_prompt: {
      doc: 'Leave the tokens of the prompt out of the loss.',
      format: 'boolean',
      default: false,
    },
    label_smoothing: { doc: 'For loss.label_smoothing to refer to.', format: 'any', optional: true },
    transf_encoder: {
      doc: 'Transformer layers on top of the encoder.',
      format: componentConfig('transf_encoder'),
      nullable: true,
      default: null,
    },
    transf_decoder: {
      doc: 'Attention decoder.',
      format: componentConfig('transf_decoder', { given: ['config_dict.vocab_size'] }),
    },
    head: {
      doc: 'Classifier of the decoder’s states.',
      format: componentConfig('head', { given: ['num_classes'] }),
    },
    decoding: {
      doc: 'How hypotheses are found.',
      format: sectionOrComponent(attentionDecodingSchema, attentionDecodingKind.kind),
      nullable: true,
      default: null,
    },
    loss: { doc: 'Training loss.', format: componentConfig(tokenLossKind.kind) },
  },
  {
    doc: 'An attention encoder-decoder with prompts: transcribes and translates.',
    ignored: {
      ...commonIgnored,
      bleu_tokenizer: { instead: 'BLEU is not reported', harmless: ['13a'] },
      multitask_metrics_cfg: 'WER and CER are reported',
      context_len_for_AR_decoding: { instead: 'a prompt has the length of its format', harmless: [5] },
      restore_timestamps_model: { instead: 'there are no timestamps', harmless: [true, false] },
      timestamps_asr_model: 'there are no timestamps',
    },
  },
);

/** Encoder output as the decoder sees it. */
export interface DecoderMemory {
  /** [B,T',d] */
  readonly states: Tensor;
  /** int32 [B] */
  readonly lengths: Tensor;
}

interface MultiTaskParts extends SpeechParts {
  readonly decoder: TransformerDecoder;
  readonly head: TokenHead;
  bridge(encoded: Encoded, pass: Pass): DecoderMemory;
}

export const multiTaskFamily: ModelFamily<MultiTaskParts> = {
  classes: { tokens: nemoClass('EncDecMultiTaskModel', 'aed_multitask_models') },
  schema: multiTaskSchema,
  recognises: (section) => 'transf_decoder' in section && 'prompt_format' in section,
  archive: { network: ['transf_encoder', 'transf_decoder', 'head'] },
  bricks: [
    ['transf_encoder', 'transf_encoder'],
    ['transf_decoder', 'transf_decoder'],
    ['head', 'head'],
    ['loss', tokenLossKind.kind],
  ],
  choices: { decoding: strategyChoice('decoding', strategiesOf(attentionDecodingKind)) },
  ownKeys: {},
  dataKeys: { use_lhotse: true },
  completeConfig(config, { encoder, decoder }) {
    const { vocab_size } = decoder.config;
    config.set('model_defaults', {
      asr_enc_hidden: encoder.width,
      lm_enc_hidden: decoder.width,
      lm_dec_hidden: decoder.width,
    });
    // Without `encoder`, NeMo's function makes an encoder.
    config.set('transf_decoder', { model_name: null, pretrained: false, encoder: null });
    config.set('transf_decoder.config_dict', { vocab_size });
    config.set('head', { num_classes: vocab_size });
  },
  frameClassifiers: [],
  // Only what has the vocabulary's size, whatever else is kept, as in NeMo.
  vocabularyModules: ({ decoder, head }) => [decoder.embedding.tokens, head],
  stages: attentionStages,
  lossStages: ({ loss }) => ({ 'loss.cross_entropy': loss }),
};

/** `encoder_states` [1,T',D], `transf_decoder.outputs` [1,U,D] and `log_softmax.outputs` [1,U,V] of prompt and text. */
function attentionStages(model: MultiTaskParts, encoder: Encoded, { targets }: Tensors): Tensors {
  const memory = model.bridge(encoder, evaluationPass);
  const [batch, width] = targets.shape;
  // The end token has nothing to predict.
  const tokens = tf.slice(targets, [0, 0], [batch, width - 1]);
  const lengths = tf.fill([batch], width - 1, 'int32') as Tensor;
  const hidden = model.decoder.forward(tokens, lengths, memory, evaluationPass);
  return {
    encoder_states: tf.clone(memory.states),
    'transf_decoder.outputs': hidden,
    'log_softmax.outputs': model.head.forward(hidden, evaluationPass),
  };
}
