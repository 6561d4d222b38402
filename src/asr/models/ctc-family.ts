// CTC models as configs, archives and `inspect` know them; see ctc-model.ts.
import { componentConfig, defineSchema, sectionOrComponent } from '../../config/index.js';
import { evaluationPass } from '../../nn/index.js';
import type { ConvASRDecoder } from '../decoders/conv-asr-decoder.js';
import { ctcDecodingSchema } from '../decoding/ctc-config.js';
import { frameDecodingKind, strategiesOf } from '../decoding/decoding-kinds.js';
import { frameLossKind } from '../losses/loss-kinds.js';
import { lossChoice, strategyChoice } from '../nemo/saved-choices.js';
import { nemoClass, type SpeechParts } from '../nemo/saved-config.js';
import { interCtcField } from '../recognition/inter-ctc.js';
import { type ModelFamily, vocabularyPart } from './model-family.js';
import { commonFields, commonIgnored } from './model-schema.js';

/** Keys of a CTC branch, alone or beside a transducer. */
export const ctcFields = {
  decoder: {
    doc: 'Frame classifier.',
    format: componentConfig('decoder', { given: ['num_classes', 'feat_in'] }),
  },
  decoding: {
    doc: 'How hypotheses are found.',
    format: sectionOrComponent(ctcDecodingSchema, frameDecodingKind.kind),
    nullable: true,
    default: null,
  },
  loss: {
    doc: 'Loss of frames. Default: CTCLoss.',
    format: componentConfig(frameLossKind.kind),
    nullable: true,
    default: null,
  },
  ctc_reduction: {
    doc: 'From costs of utterances to the loss.',
    format: ['mean_batch', 'mean', 'mean_volume', 'sum'],
    default: 'mean_batch',
  },
  ctc_implementation: {
    doc: 'Where the lattice is computed: inside the program, or on the host, cutting it in two.',
    format: ['scan', 'host'],
    default: 'scan',
  },
} as const;

/** QuartzNet's config keeps what its blocks share here. */
const shared = { doc: 'For other keys to refer to.', format: 'any', optional: true } as const;

export const ctcModelSchema = defineSchema(
  'EncDecCTCModelBPE',
  {
    ...commonFields,
    ...ctcFields,
    ...interCtcField,
    repeat: shared,
    dropout: shared,
    separable: shared,
  },
  { doc: 'A CTC model: encoder and frame classifier.', ignored: commonIgnored },
);

/** What NeMo's frame classifiers read from their section. */
export function classifierSizes({ tokenizer, encoder }: SpeechParts): Readonly<Record<string, unknown>> {
  const vocabulary = [...tokenizer.vocabulary];
  return { num_classes: vocabulary.length, vocabulary, feat_in: encoder.width };
}

interface CtcParts extends SpeechParts {
  readonly decoder: ConvASRDecoder;
}

export const ctcFamily: ModelFamily<CtcParts> = {
  classes: {
    tokens: nemoClass('EncDecCTCModelBPE', 'ctc_bpe_models'),
    characters: nemoClass('EncDecCTCModel', 'ctc_models'),
  },
  schema: ctcModelSchema,
  recognises: (section) => 'decoder' in section && !('joint' in section),
  archive: { network: ['decoder'] },
  bricks: [['decoder', 'decoder']],
  choices: {
    loss: lossChoice('loss', 'CTCLoss', 'ctc_reduction', false),
    decoding: strategyChoice('decoding', strategiesOf(frameDecodingKind)),
  },
  ownKeys: { 'decoding.greedy': ['window'], '': ['ctc_implementation'] },
  completeConfig(config, model) {
    config.set('', { labels: [...model.tokenizer.vocabulary] });
    config.set('decoder', classifierSizes(model));
  },
  frameClassifiers: ['decoder'],
  vocabularyModules: ({ decoder }, keptPart) => vocabularyPart([decoder], keptPart),
  stages: ({ decoder }, { encoded }) => ({ 'decoder.logprobs': decoder.forward(encoded, evaluationPass) }),
  lossStages: ({ loss }) => ({ 'loss.ctc': loss }),
};
