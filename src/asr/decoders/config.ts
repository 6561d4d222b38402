// Options of prediction networks, joints and the CTC classifier: NeMo's keys, NeMo's defaults.
import {
  type ConfigOf,
  defineSchema,
  type FieldDefinitions,
  type GivenConfigOf,
} from '../../config/index.js';
import { checkpointFields, refineCheckpoints } from '../../nn/index.js';

const byModel = 'Set by the model from its tokenizer.';
const rate = { format: 'number', min: 0, below: 1 } as const;

const prednetFields = {
  pred_hidden: { doc: 'Width of embedding and output.', format: 'int', min: 1 },
  pred_rnn_layers: { doc: 'LSTM layers.', format: 'int', min: 1, max: 1000, default: 1 },
  rnn_hidden_size: {
    doc: 'Cells of the LSTM, whose outputs are then projected to pred_hidden; -1 for pred_hidden and no projection.',
    format: 'int',
    default: -1,
  },
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
  ...checkpointFields,
} as const satisfies FieldDefinitions;

const prednetSchema = defineSchema('prednet', prednetFields, {
  refine: refineCheckpoints({ hasAttention: false }),
});

const rnntDecoderFields = {
  prednet: { doc: 'The recurrent network.', format: prednetSchema },
  vocab_size: { doc: byModel, format: 'int', default: -1 },
  blank_as_pad: { doc: 'Give blank an embedding row of zeros.', format: 'boolean', default: true },
  normalization_mode: { doc: 'Only null.', format: 'string', nullable: true, default: null },
} as const satisfies FieldDefinitions;

export const rnntDecoderSchema = defineSchema('RNNTDecoder', rnntDecoderFields, {
  refine: ({ normalization_mode: mode }, report) => {
    if (mode !== null)
      report('normalization_mode', `an LSTM normalised by "${mode}" is not supported, only null is`);
  },
  doc: 'Prediction network of a transducer: embedding and LSTM over the tokens so far.',
  ignored: {
    random_state_sampling: { instead: 'states start at zero', harmless: [false] },
  },
});

const statelessPrednetFields = {
  pred_hidden: { doc: 'Width of all embeddings together.', format: 'int', min: 1 },
  dropout: { doc: 'On the output.', ...rate, default: 0 },
} as const satisfies FieldDefinitions;

const statelessPrednetSchema = defineSchema('stateless prednet', statelessPrednetFields, {
  ignored: {
    pred_rnn_layers: { instead: 'there is no LSTM', harmless: [0, 1] },
    t_max: { instead: 'there is no LSTM', harmless: [null] },
    forget_gate_bias: { instead: 'there is no LSTM', harmless: [1] },
    weights_init_scale: { instead: 'there is no LSTM', harmless: [1] },
    hidden_hidden_bias_scale: { instead: 'there is no LSTM', harmless: [0] },
  },
});

const statelessDecoderFields = {
  prednet: { doc: 'Sizes.', format: statelessPrednetSchema },
  vocab_size: { doc: byModel, format: 'int', default: -1 },
  context_size: { doc: 'Tokens of history.', format: 'int', min: 1, default: 1 },
  normalization_mode: {
    doc: 'Layer normalisation of the output, without parameters.',
    format: ['layer'],
    nullable: true,
    default: null,
  },
} as const satisfies FieldDefinitions;

export const statelessDecoderSchema = defineSchema('StatelessTransducerDecoder', statelessDecoderFields, {
  doc: 'Prediction network of a transducer that looks at the last few tokens only.',
  ignored: {
    blank_as_pad: { instead: 'blank always has a row of zeros', harmless: [true] },
    random_state_sampling: { instead: 'the history starts empty', harmless: [false] },
  },
});

const jointnetFields = {
  joint_hidden: { doc: 'Width.', format: 'int', min: 1 },
  activation: {
    doc: 'On the sum of both projections.',
    format: ['relu', 'tanh', 'sigmoid'],
    default: 'relu',
  },
  dropout: { doc: 'After the activation.', ...rate, default: 0 },
  encoder_hidden: { doc: 'Set by the model.', format: 'int', default: -1 },
  pred_hidden: { doc: 'Set by the model.', format: 'int', default: -1 },
} as const satisfies FieldDefinitions;

const jointnetSchema = defineSchema('jointnet', jointnetFields);

const jointFields = {
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
  preserve_memory: {
    doc: 'Log-probabilities of the lattice are computed again for the gradient instead of kept: 4 bytes for each utterance, frame, token and class less. Beyond max_elements they always are.',
    format: 'boolean',
    default: false,
  },
} as const;

const jointIgnored = {
  log_softmax: { instead: 'the joint gives logits; losses and decoding normalise', harmless: [null] },
  experimental_fuse_loss_wer: { instead: 'use fuse_loss_wer', harmless: [null, false] },
} as const;

const rnntJointFields = {
  ...jointFields,
  num_extra_outputs: {
    doc: 'Outputs beside tokens and blank: the number of durations (TDT) or of big blanks.',
    format: 'nat',
    default: 0,
  },
  temperature: { doc: 'Divides the logits.', format: 'number', above: 0, default: 1 },
} as const satisfies FieldDefinitions;

export const rnntJointSchema = defineSchema('RNNTJoint', rnntJointFields, {
  doc: 'Joint network of a transducer: scores of tokens and blank from encoder frame and prediction state.',
  ignored: jointIgnored,
});

export const hatJointSchema = defineSchema('HATJoint', jointFields, {
  doc: 'Joint network of a hybrid autoregressive transducer: blank is a decision of its own.',
  ignored: { ...jointIgnored, num_extra_outputs: { instead: 'there are none', harmless: [0] } },
});

const convASRDecoderFields = {
  feat_in: { doc: 'Set by the model.', format: 'int', nullable: true, default: null },
  num_classes: { doc: byModel, format: 'int', default: -1 },
  vocabulary: { doc: byModel, format: 'any', default: null, nullable: true },
} as const satisfies FieldDefinitions;

export const convASRDecoderSchema = defineSchema('ConvASRDecoder', convASRDecoderFields, {
  doc: 'Classifier of a CTC model.',
  ignored: {
    init_mode: { instead: 'weights start Xavier-uniform', harmless: ['xavier_uniform'] },
    add_blank: { instead: 'there always is a blank', harmless: [true] },
  },
});

/** Keys that code gives; the sizes are known outside of a model too. */
type Sized<F extends FieldDefinitions, S> = Omit<GivenConfigOf<F>, keyof S | 'vocabulary'> & S;

/** The keys of `prednet`; those with a default may be left out. */
export type PredictionNetworkConfig = GivenConfigOf<typeof prednetFields>;

/** All keys of `prednet`. */
export type ResolvedPrednet = ConfigOf<typeof prednetFields>;

/** The keys of an RNNTDecoder; `vocab_size` counts tokens without blank. */
export type RNNTDecoderConfig = Sized<
  typeof rnntDecoderFields,
  { readonly vocab_size: number; readonly prednet: PredictionNetworkConfig }
>;

/** The keys of a StatelessTransducerDecoder; `vocab_size` counts tokens without blank. */
export type StatelessDecoderConfig = Sized<
  typeof statelessDecoderFields,
  { readonly vocab_size: number; readonly prednet: GivenConfigOf<typeof statelessPrednetFields> }
>;

/** The keys of `jointnet`, with the widths of what is joined. */
export type JointNetworkConfig = Sized<
  typeof jointnetFields,
  { readonly encoder_hidden: number; readonly pred_hidden: number }
>;

/** The keys of a joint; `num_classes` counts tokens without blank. */
export type RNNTJointConfig = Sized<
  typeof rnntJointFields,
  { readonly num_classes: number; readonly jointnet: JointNetworkConfig }
>;

/** All keys of a joint. */
export type ResolvedJointConfig = ConfigOf<typeof rnntJointFields>;

/** The keys of a ConvASRDecoder: width of the encoder's output, tokens without blank. */
export type ConvASRDecoderConfig = Sized<
  typeof convASRDecoderFields,
  { readonly feat_in: number; readonly num_classes: number }
>;
