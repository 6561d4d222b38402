// Prediction networks, joints and the CTC classifier as components: NeMo's names.
import { component } from '../../container/index.js';
import { AnemoneError } from '../../errors/index.js';
import {
  convASRDecoderSchema,
  hatJointSchema,
  type RNNTJointConfig,
  rnntDecoderSchema,
  rnntJointSchema,
  statelessDecoderSchema,
} from './config.js';
import { ConvASRDecoder } from './conv-asr-decoder.js';
import { HATJoint } from './hat-joint.js';
import { RNNTDecoder } from './rnnt-decoder.js';
import { RNNTJoint } from './rnnt-joint.js';
import { StatelessTransducerDecoder } from './stateless-decoder.js';

/** A size that the model fills in; a config used outside of a model must give it. */
function given(value: number | null, key: string): number {
  if (value !== null && value > 0) return value;
  throw new AnemoneError({
    code: 'decoder.size',
    path: key,
    message: 'is not known: outside of a model it must be given',
  });
}

function withSizes<C extends RNNTJointConfig>(config: C): C {
  return {
    ...config,
    num_classes: given(config.num_classes, 'joint.num_classes'),
    jointnet: {
      ...config.jointnet,
      encoder_hidden: given(config.jointnet.encoder_hidden, 'joint.jointnet.encoder_hidden'),
      pred_hidden: given(config.jointnet.pred_hidden, 'joint.jointnet.pred_hidden'),
    },
  };
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
    kind: 'decoder',
    name: 'StatelessTransducerDecoder',
    aliases: ['nemo.collections.asr.modules.StatelessTransducerDecoder'],
    schema: statelessDecoderSchema,
    create: (config) =>
      new StatelessTransducerDecoder({
        ...config,
        vocab_size: given(config.vocab_size, 'decoder.vocab_size'),
      }),
  }),
  component({
    kind: 'joint',
    name: 'RNNTJoint',
    aliases: ['nemo.collections.asr.modules.RNNTJoint'],
    schema: rnntJointSchema,
    create: (config) => new RNNTJoint(withSizes(config)),
  }),
  component({
    kind: 'joint',
    name: 'HATJoint',
    aliases: ['nemo.collections.asr.modules.HATJoint'],
    schema: hatJointSchema,
    create: (config) => new HATJoint(withSizes(config)),
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
