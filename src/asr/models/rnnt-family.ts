// Transducers as configs, archives and `inspect` know them; see rnnt-model.ts.
import { componentConfig, defineSchema, sectionOrComponent } from '../../config/index.js';
import { type Tensor, type Tensors, tf } from '../../engine/index.js';
import { evaluationPass } from '../../nn/index.js';
import type { PredictionNetwork } from '../decoders/prediction-network.js';
import type { TransducerJoint } from '../decoders/transducer-joint.js';
import { decodingSchema } from '../decoding/config.js';
import { strategiesOf, transducerDecodingKind } from '../decoding/decoding-kinds.js';
import { rnntLossSchema } from '../losses/config.js';
import { transducerLossKind } from '../losses/loss-kinds.js';
import { lossChoice, strategyChoice } from '../nemo/saved-choices.js';
import { nemoClass, type SpeechParts } from '../nemo/saved-config.js';
import type { SavedSections } from '../nemo/saved-sections.js';
import { type ModelFamily, type StageBound, vocabularyPart } from './model-family.js';
import { commonFields, commonIgnored } from './model-schema.js';

/** What a model knows of its joint. */
const JOINT_SIZES = ['num_classes', 'jointnet.encoder_hidden', 'jointnet.pred_hidden'];

export const rnntFields = {
  ...commonFields,
  decoder: { doc: 'Prediction network.', format: componentConfig('decoder', { given: ['vocab_size'] }) },
  joint: { doc: 'Joint network.', format: componentConfig('joint', { given: JOINT_SIZES }) },
  decoding: {
    doc: 'How hypotheses are found.',
    format: sectionOrComponent(decodingSchema, transducerDecodingKind.kind),
    nullable: true,
    default: null,
  },
  loss: {
    doc: 'Transducer loss.',
    format: sectionOrComponent(rnntLossSchema, transducerLossKind.kind),
    nullable: true,
    default: null,
  },
  rnnt_reduction: {
    doc: 'From costs of utterances to the loss.',
    format: ['mean_batch', 'mean', 'mean_volume', 'sum'],
    default: 'mean_batch',
  },
} as const;

export const rnntModelSchema = defineSchema('EncDecRNNTBPEModel', rnntFields, {
  doc: 'A transducer: encoder, prediction network, joint.',
  ignored: {
    ...commonIgnored,
    interctc: {
      instead: 'a transducer has no CTC branch; hybrid models have',
      harmless: [null, { loss_weights: [], apply_at_layers: [] }],
    },
  },
});

export interface TransducerParts extends SpeechParts {
  /** A recurrent network says how many layers it has. */
  readonly decoder: PredictionNetwork & { readonly layers?: number };
  readonly joint: TransducerJoint;
}

export const rnntFamily: ModelFamily<TransducerParts> = {
  classes: {
    tokens: nemoClass('EncDecRNNTBPEModel', 'rnnt_bpe_models'),
    characters: nemoClass('EncDecRNNTModel', 'rnnt_models'),
  },
  schema: rnntModelSchema,
  recognises: (section) => 'joint' in section || !('decoder' in section),
  archive: { network: ['decoder', 'joint'] },
  bricks: [
    ['decoder', 'decoder'],
    ['joint', 'joint'],
  ],
  choices: {
    loss: lossChoice('loss', 'RNNTLoss', 'rnnt_reduction', true),
    decoding: strategyChoice('decoding', strategiesOf(transducerDecodingKind)),
  },
  ownKeys: { joint: ['max_elements'], loss: ['implementation'], 'decoding.greedy': ['window'] },
  completeConfig: completeTransducer,
  frameClassifiers: [],
  vocabularyModules: ({ decoder, joint }, keptPart) => vocabularyPart([decoder, joint], keptPart),
  stages: (model, { encoded }, inputs, bound) => transducerStages(model, encoded, inputs, bound),
  lossStages: ({ loss }) => ({ 'loss.rnnt': loss }),
};

function completeTransducer(config: SavedSections, { tokenizer, encoder, decoder, joint }: TransducerParts) {
  const vocabulary = [...tokenizer.vocabulary];
  const { joint_hidden, activation } = joint.config.jointnet;
  config.set('', { labels: vocabulary });
  config.set('model_defaults', { enc_hidden: encoder.width, pred_hidden: decoder.width, joint_hidden });
  config.set('decoder', { vocab_size: vocabulary.length });
  config.set('decoder.prednet', { pred_rnn_layers: decoder.layers });
  config.set('joint', { num_classes: vocabulary.length, vocabulary });
  config.set('joint.jointnet', { encoder_hidden: encoder.width, pred_hidden: decoder.width, activation });
  config.setDefault('decoding', { strategy: 'greedy_batch', greedy: { max_symbols: 10 } });
}

/**
 * `decoder.outputs` [1,H,U+1] and `joint.outputs` [1,T',U+1,K]. The joint of a long recording with many tokens can be
 * larger than any memory; then it is not computed.
 * @param encoded what the joint sees of the encoder, [1,T',d]
 */
export function transducerStages(
  { joint, decoder }: TransducerParts,
  encoded: Tensor,
  inputs: Tensors,
  { mostNumbers, leftOut }: StageBound,
): Tensors {
  const predicted = decoder.forward(inputs['targets'], evaluationPass);
  const outputs = tf.transpose(predicted, [0, 2, 1]);
  const [, frames] = encoded.shape as number[];
  const [, rows] = predicted.shape as number[];
  const numbers = frames * rows * joint.classes;
  if (numbers > mostNumbers) {
    leftOut.add(
      `joint.outputs [1,${frames},${rows},${joint.classes}] would take ${((numbers * 4) / 2 ** 30).toFixed(1)} GiB`,
    );
    return { 'decoder.outputs': outputs };
  }
  const logits = joint.logits(
    tf.expandDims(joint.projectEncoder(encoded), 2),
    tf.expandDims(joint.projectPrediction(predicted), 1),
  );
  return { 'decoder.outputs': outputs, 'joint.outputs': tf.logSoftmax(logits) };
}
