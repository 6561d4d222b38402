// The encoders as components: NeMo's names. Their keys stand beside each of them.
import { component } from '../../container/index.js';
import { conformerEncoderSchema } from './conformer-config.js';
import { ConformerEncoder } from './conformer-encoder.js';
import { convAsrEncoderSchema } from './conv-asr-config.js';
import { ConvASREncoder } from './conv-asr-encoder.js';
import { rnnEncoderSchema } from './rnn-config.js';
import { RNNEncoder } from './rnn-encoder.js';
import { squeezeformerEncoderSchema } from './squeezeformer-config.js';
import { SqueezeformerEncoder } from './squeezeformer-encoder.js';

export const encoderComponents = [
  component({
    kind: 'encoder',
    name: 'ConformerEncoder',
    aliases: [
      'nemo.collections.asr.modules.ConformerEncoder',
      'nemo.collections.asr.modules.conformer_encoder.ConformerEncoder',
      'nemo.collections.asr.modules.conformer_encoder.ConformerEncoderAdapter',
    ],
    schema: conformerEncoderSchema,
    create: (config) => new ConformerEncoder(config),
  }),
  component({
    kind: 'encoder',
    name: 'ConvASREncoder',
    aliases: [
      'nemo.collections.asr.modules.ConvASREncoder',
      'nemo.collections.asr.modules.conv_asr.ConvASREncoder',
      'nemo.collections.asr.modules.conv_asr.ConvASREncoderAdapter',
    ],
    schema: convAsrEncoderSchema,
    create: (config) => new ConvASREncoder(config),
  }),
  component({
    kind: 'encoder',
    name: 'SqueezeformerEncoder',
    aliases: [
      'nemo.collections.asr.modules.SqueezeformerEncoder',
      'nemo.collections.asr.modules.squeezeformer_encoder.SqueezeformerEncoder',
      'nemo.collections.asr.modules.squeezeformer_encoder.SqueezeformerEncoderAdapter',
    ],
    schema: squeezeformerEncoderSchema,
    create: (config) => new SqueezeformerEncoder(config),
  }),
  component({
    kind: 'encoder',
    name: 'RNNEncoder',
    aliases: [
      'nemo.collections.asr.modules.RNNEncoder',
      'nemo.collections.asr.modules.rnn_encoder.RNNEncoder',
    ],
    schema: rnnEncoderSchema,
    create: (config) => new RNNEncoder(config),
  }),
];
