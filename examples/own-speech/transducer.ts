// Parts of a transducer of your own: a prediction network that remembers one token, and a joint that multiplies.

import {
  type JointLossInput,
  jointKind,
  type PicksOptions,
  PredictionNetwork,
  picksOfLogits,
  predictionKind,
  type RNNTJointConfig,
  TransducerJoint,
  variantHeads,
} from '../../src/asr/index.js';
import { defineSchema } from '../../src/config/index.js';
import { component } from '../../src/container/index.js';
import { type Tensor, tf } from '../../src/engine/index.js';
import { Embedding, Linear } from '../../src/nn/index.js';

/** Each token is a vector; so is "no token yet". */
class LastToken extends PredictionNetwork {
  override readonly stateSize = 1;
  private readonly table: Embedding;

  constructor(
    override readonly vocabulary: number,
    override readonly width: number,
  ) {
    super();
    this.table = this.child('table', new Embedding(vocabulary + 1, width));
  }

  override initialState(): Float32Array {
    return new Float32Array(1);
  }

  /** targets int32 [B,U] → [B,U+1,H] */
  override forward(targets: Tensor): Tensor {
    const none = tf.fill([targets.shape[0] as number, 1], this.vocabulary, 'int32') as Tensor;
    return this.table.forward(tf.concat([none, targets], 1));
  }

  /** last int32 [B] → [B,H] */
  override step(last: Tensor, state: Tensor): { output: Tensor; state: Tensor } {
    return { output: this.table.forward(last), state: tf.clone(state) };
  }
}

export const lastToken = component({
  kind: predictionKind,
  name: 'LastToken',
  schema: defineSchema('LastToken', {
    width: { doc: 'Of the vectors.', format: 'int', min: 1 },
    vocab_size: { doc: 'Set by the model.', format: 'int', default: -1 },
  }),
  create: ({ width, vocab_size }) => new LastToken(vocab_size, width),
});

/** Both projections multiplied. The base class makes them, and has what searches need. */
class ProductJoint extends TransducerJoint {
  private readonly out: Linear;

  constructor(config: RNNTJointConfig) {
    super(config);
    this.out = this.child('out', new Linear(config.jointnet.joint_hidden, this.classes));
  }

  /** [..., J] and [..., J] → [..., K] */
  override logits(encoder: Tensor, prediction: Tensor): Tensor {
    return this.out.forward(tf.tanh(tf.mul(encoder, prediction)));
  }

  /** [B,U+1,T,P]. All of the lattice is held at once, which suits small models. */
  override picks(
    { encoder, prediction, targets }: JointLossInput,
    _pass: unknown,
    { variant }: PicksOptions,
  ): Tensor {
    const logits = this.logits(tf.expandDims(encoder, 2), tf.expandDims(prediction, 1)); // [B,T,U+1,K]
    return picksOfLogits(logits, targets, variantHeads(variant, this.vocabulary));
  }
}

export const productJoint = component({
  kind: jointKind,
  name: 'ProductJoint',
  schema: defineSchema('ProductJoint', {
    num_classes: { doc: 'Set by the model.', format: 'int', default: -1 },
    jointnet: {
      doc: 'Sizes.',
      format: defineSchema('jointnet', {
        joint_hidden: { doc: 'Width.', format: 'int', min: 1 },
        encoder_hidden: { doc: 'Set by the model.', format: 'int', default: -1 },
        pred_hidden: { doc: 'Set by the model.', format: 'int', default: -1 },
      }),
    },
  }),
  create: ({ num_classes, jointnet }) =>
    new ProductJoint({ num_classes, jointnet: { ...jointnet, activation: 'tanh' } }),
});
