// Parts made in code have the defaults that their schemas give to sections.
import { describe, expect, it } from 'vitest';
import { rnntJointSchema } from '../../src/asr/decoders/config.js';
import { conformerEncoderSchema } from '../../src/asr/encoders/conformer-config.js';
import {
  ConformerEncoder,
  HATJoint,
  RNNTDecoder,
  RNNTJoint,
  StatelessTransducerDecoder,
} from '../../src/asr/index.js';
import { components } from '../../src/composition.js';
import { Container } from '../../src/container/index.js';
import type { Module } from '../../src/nn/index.js';

const shapesOf = (module: Module) =>
  [...module.stateDict()].map(([name, state]) => [name, state.shape.join('×')]);

const jointnet = { joint_hidden: 4, encoder_hidden: 6, pred_hidden: 8 };
const cases: readonly (readonly [
  name: string,
  kind: string,
  keys: Record<string, unknown>,
  make: () => Module,
])[] = [
  [
    'ConformerEncoder',
    'encoder',
    { feat_in: 16, n_layers: 1, d_model: 8 },
    () => new ConformerEncoder({ feat_in: 16, n_layers: 1, d_model: 8 }),
  ],
  [
    'RNNTDecoder',
    'decoder',
    { vocab_size: 5, prednet: { pred_hidden: 8 } },
    () => new RNNTDecoder({ vocab_size: 5, prednet: { pred_hidden: 8 } }),
  ],
  [
    'StatelessTransducerDecoder',
    'decoder',
    { vocab_size: 5, prednet: { pred_hidden: 8 } },
    () => new StatelessTransducerDecoder({ vocab_size: 5, prednet: { pred_hidden: 8 } }),
  ],
  ['RNNTJoint', 'joint', { num_classes: 5, jointnet }, () => new RNNTJoint({ num_classes: 5, jointnet })],
  ['HATJoint', 'joint', { num_classes: 5, jointnet }, () => new HATJoint({ num_classes: 5, jointnet })],
];

describe('a part made in code', () => {
  it.each(cases)('%s is that of a section with the same keys', (name, kind, keys, make) => {
    const container = new Container().registerAll(components);
    const built = container.instantiate<Module>({ _target_: name, ...keys } as never, kind);
    expect(shapesOf(make())).toEqual(shapesOf(built));
  });

  it('knows all keys, given or not', () => {
    const keys = {
      feat_in: 16,
      n_layers: 1,
      d_model: 8,
      dropout: undefined,
      att_context_size: [4, 0] as const,
    };
    const { dropout: _, ...written } = keys;
    expect(new ConformerEncoder(keys).config).toEqual({ ...conformerEncoderSchema.parse(written) });
    const joint = { num_classes: 5, jointnet };
    expect(new RNNTJoint(joint).config).toEqual({
      ...rnntJointSchema.parse(joint),
      jointnet: { ...jointnet, activation: 'relu', dropout: 0 },
    });
  });
});
