// Configuration of prediction network, joint and CTC classifier: NeMo's keys.
import { defineSchema } from '../../config/index.js';
import { component } from '../../container/index.js';
import { AnemoneError } from '../../errors/index.js';
import { ConvASRDecoder } from './conv-asr-decoder.js';
import { RNNTDecoder } from './rnnt-decoder.js';
import { RNNTJoint } from './rnnt-joint.js';

const byModel = 'Set by the model from its tokenizer.';
const rate = { format: 'number', min: 0, below: 1 } as const;

const prednetSchema = defineSchema('prednet', {
  pred_hidden: { doc: 'Width of embedding and LSTM.', format: 'int', min: 1 },
  pred_rnn_layers: { doc: 'LSTM layers.', format: 'int', min: 1, default: 1 },
  t_max: {
    doc: 'Longest dependency in tokens; turns on the chrono initialisation of the gates.',
    format: 'int',
    min: 3,
    nullable: true,
    default: null,
  },
  dropout: { doc: 'Between LSTM layers and on the output.', ...rate, default: 0 },
  forget_gate_bias: { doc: 'Start of the forget gate.', format: 'number', nullable: true, default: 1 },
  hidden_hidden_bias_scale: {
    doc: 'Factor on the recurrent forget bias at the start.',
    format: 'number',
    default: 0,
  },
  weights_init_scale: { doc: 'Factor on all initial LSTM weights.', format: 'number', default: 1 },
});

export const rnntDecoderSchema = defineSchema(
  'RNNTDecoder',
  {
    prednet: { doc: 'The recurrent network.', format: prednetSchema },
    vocab_size: { doc: byModel, format: 'int', default: -1 },
    blank_as_pad: { doc: 'Give blank an embedding row of zeros.', format: 'boolean', default: true },
  },
  {
    doc: 'Prediction network of a transducer: embedding and LSTM over the tokens so far.',
    ignored: {
      normalization_mode: { instead: 'the LSTM is not normalised', harmless: [null] },
      random_state_sampling: { instead: 'states start at zero', harmless: [false] },
    },
  },
);

const jointnetSchema = defineSchema('jointnet', {
  joint_hidden: { doc: 'Width.', format: 'int', min: 1 },
  activation: {
    doc: 'On the sum of both projections.',
    format: ['relu', 'tanh', 'sigmoid'],
    default: 'relu',
  },
  dropout: { doc: 'After the activation.', ...rate, default: 0 },
  encoder_hidden: { doc: 'Set by the model.', format: 'int', default: -1 },
  pred_hidden: { doc: 'Set by the model.', format: 'int', default: -1 },
});

export const rnntJointSchema = defineSchema(
  'RNNTJoint',
  {
    jointnet: { doc: 'Sizes.', format: jointnetSchema },
    num_classes: { doc: byModel, format: 'int', default: -1 },
    vocabulary: { doc: byModel, format: 'any', default: null, nullable: true },
    fuse_loss_wer: {
      doc: 'Bound the memory of the loss by that of fused_batch_size utterances.',
      format: 'boolean',
      default: false,
    },
    fused_batch_size: { doc: 'Utterances.', format: 'int', min: 1, nullable: true, default: null },
    max_elements: {
      doc: 'Largest tensor over (utterances, frames, tokens, classes) in training; time is cut into blocks to keep it. Default 2^25.',
      format: 'int',
      min: 1,
      nullable: true,
      default: null,
    },
    temperature: { doc: 'Divides the logits.', format: 'number', above: 0, default: 1 },
  },
  {
    doc: 'Joint network of a transducer: scores of tokens and blank from encoder frame and prediction state.',
    ignored: {
      log_softmax: { instead: 'the joint gives logits; losses and decoding normalise', harmless: [null] },
      preserve_memory: { instead: 'memory is bounded by max_elements', harmless: [false] },
      experimental_fuse_loss_wer: { instead: 'use fuse_loss_wer', harmless: [null, false] },
    },
  },
);

export const convASRDecoderSchema = defineSchema(
  'ConvASRDecoder',
  {
    feat_in: { doc: 'Set by the model.', format: 'int', nullable: true, default: null },
    num_classes: { doc: byModel, format: 'int', default: -1 },
    vocabulary: { doc: byModel, format: 'any', default: null, nullable: true },
  },
  {
    doc: 'Classifier of a CTC model.',
    ignored: {
      init_mode: { instead: 'weights start Xavier-uniform', harmless: ['xavier_uniform'] },
      add_blank: { instead: 'there always is a blank', harmless: [true] },
    },
  },
);

/** A size that the model fills in; a config used outside of a model must give it. */
function given(value: number | null, key: string): number {
  if (value !== null && value > 0) return value;
  throw new AnemoneError({
    code: 'decoder.size',
    path: key,
    message: 'is not known: outside of a model it must be given',
  });
}

export const decoderComponents = [
  component({
    kind: 'decoder',
    name: 'RNNTDecoder',
    aliases: ['nemo.collections.asr.modules.RNNTDecoder'],
    schema: rnntDecoderSchema,
    create: (config) =>
      new RNNTDecoder({ ...config, vocab_size: given(config.vocab_size, 'decoder.vocab_size') }),
  }),
  component({
    kind: 'joint',
    name: 'RNNTJoint',
    aliases: ['nemo.collections.asr.modules.RNNTJoint'],
    schema: rnntJointSchema,
    create: (config) =>
      new RNNTJoint({
        ...config,
        num_classes: given(config.num_classes, 'joint.num_classes'),
        jointnet: {
          ...config.jointnet,
          encoder_hidden: given(config.jointnet.encoder_hidden, 'joint.jointnet.encoder_hidden'),
          pred_hidden: given(config.jointnet.pred_hidden, 'joint.jointnet.pred_hidden'),
        },
      }),
  }),
  component({
    kind: 'decoder',
    name: 'ConvASRDecoder',
    aliases: ['nemo.collections.asr.modules.ConvASRDecoder'],
    schema: convASRDecoderSchema,
    create: (config) =>
      new ConvASRDecoder({
        feat_in: given(config.feat_in, 'decoder.feat_in'),
        num_classes: given(config.num_classes, 'decoder.num_classes'),
      }),
  }),
];
