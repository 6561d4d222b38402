// Options of the recurrent encoder: NeMo's keys, NeMo's defaults.
import { defineSchema, type InferConfig } from '../../config/index.js';
import { checkpointFields, refineCheckpoints } from '../../nn/index.js';
import { subsamplingTypes } from './conformer-config.js';

const size = { format: 'int', min: 1 } as const;

/** The schema of NeMo's RNNEncoder. */
export const rnnEncoderSchema = defineSchema(
  'RNNEncoder',
  {
    feat_in: { doc: 'Mel bins.', ...size },
    n_layers: { doc: 'LSTM layers.', ...size },
    d_model: { doc: 'Cells of each LSTM and direction.', ...size },
    proj_size: {
      doc: 'Width of the output of each layer, all directions together, to which the LSTM projects.',
      ...size,
    },
    rnn_type: {
      doc: 'Sort of recurrence. NeMo names gru and rnn too and builds neither.',
      format: ['lstm'],
      default: 'lstm',
    },
    bidirectional: {
      doc: 'Read each utterance from its end too; false for an encoder that sees the past only.',
      format: 'boolean',
      default: true,
    },
    subsampling: {
      doc: 'How the frame rate is reduced before the layers; null for not at all.',
      format: subsamplingTypes,
      nullable: true,
      default: 'striding',
    },
    subsampling_factor: { doc: 'Input frames per output frame.', ...size, default: 4 },
    subsampling_conv_channels: { doc: 'Channels; -1 for proj_size.', format: 'int', default: -1 },
    dropout: { doc: 'After each layer.', format: 'number', min: 0, below: 1, default: 0.2 },
    nemo_compat: {
      doc: '1.x: padding leaks into the last frames in the subsampling, as in NeMo up to 2.4. 2.5: it does not.',
      format: ['1.x', '2.5'],
      default: '2.5',
    },
    ...checkpointFields,
  },
  {
    doc: 'Layers of LSTMs with projected outputs (He et al. 2019).',
    refine: refineCheckpoints({ hasAttention: false }),
  },
);

/** A checked `encoder` section of an RNNEncoder. */
export type RNNEncoderConfig = InferConfig<typeof rnnEncoderSchema>;
