// A joint with a language model inside.
import { type Tensor, tf } from '../../engine/index.js';
import { activationByName, Linear, type Module, type Pass } from '../../nn/index.js';
import type { RNNTJointConfig } from './config.js';
import { type JointHead, jointPicks } from './joint-picks.js';
import { clampedGradient, type JointLossInput, type PicksOptions, TransducerJoint } from './transducer-joint.js'; // biome-ignore format: one line reads better
import { picksOfLogits } from './variant-heads.js';

/** NeMo keeps the probability of emitting above this. */
const leastEmission = Math.log(1e-6);

/**
 * The joint of a hybrid autoregressive transducer (Variani et al. 2020), NeMo's HATJoint: whether to emit is one
 * decision (a sigmoid), what to emit another (a softmax over the tokens), so that the tokens alone are a language
 * model inside the transducer.
 */
export class HATJoint extends TransducerJoint {
  private readonly out: Linear;
  private readonly blank: Linear;

  constructor(config: RNNTJointConfig) {
    super(config);
    const { joint_hidden: width } = config.jointnet;
    this.out = this.child(
      `joint_net.${this.outputIndex}`,
      new Linear(width, config.num_classes, { adapts: false }),
    );
    // Tanh, dropout, linear: the dropout counts even where it is 0.
    this.blank = this.child('blank_pred.2', new Linear(width, 1, { adapts: false }));
  }

  override get vocabularyLayers(): readonly Module[] {
    return [this.out];
  }

  /** Log-probabilities; normalising them again changes nothing. */
  override logits(encoder: Tensor, prediction: Tensor): Tensor {
    const sum = this.sum(encoder, prediction);
    const labels = tf.logSoftmax(this.out.forward(this.activate(sum)));
    const { blank, emission } = decide(this.blank.forward(tf.tanh(sum)));
    return tf.concat([tf.add(labels, emission), blank], sum.rank - 1);
  }

  /** Log-probabilities of tokens without looking at the audio: [..., J] → [..., V]. */
  internalLanguageModel(prediction: Tensor): Tensor {
    return tf.logSoftmax(this.out.forward(this.activate(prediction)));
  }

  override picks(input: JointLossInput, pass: Pass, { clamp }: PicksOptions): Tensor {
    const tokens = { size: this.vocabulary, arcs: ['label'] as const };
    if (this.adapters.active) return pass.tap(this.path, this.adaptedPicks(input, pass, tokens, clamp));
    const options = this.picksOptions(input, pass, clamp);
    const [weight, bias] = [this.out.weight.tensor(), this.out.bias!.tensor()];
    const label = jointPicks({ ...input, weight, bias, blank: 0, heads: [tokens] }, options);
    const decision = jointPicks(
      {
        ...input,
        weight: this.blank.weight.tensor(),
        bias: this.blank.bias!.tensor(),
        blank: 0,
        heads: [{ size: 1, arcs: [0], normalise: 'none' }],
      },
      { ...options, activation: 'tanh' },
    );
    const { blank, emission } = decide(decision);
    return pass.tap(this.path, tf.concat([blank, tf.add(label, emission)], 3));
  }

  private adaptedPicks(input: JointLossInput, pass: Pass, tokens: JointHead, clamp?: number): Tensor {
    const sum = this.latticeSum(input, pass);
    const hidden = this.activated(sum, this.config.jointnet.activation, pass);
    const logits = clampedGradient(this.out.forward(hidden), clamp);
    const decision = clampedGradient(this.blank.forward(this.activated(sum, 'tanh', pass)), clamp);
    const { blank, emission } = decide(tf.transpose(decision, [0, 2, 1, 3]));
    return tf.concat([blank, tf.add(picksOfLogits(logits, input.targets, [tokens]), emission)], 3);
  }

  private activate(x: Tensor): Tensor {
    return activationByName(this.config.jointnet.activation)(x);
  }
}

/** log σ(x), and log(1 - σ(x)) kept from below. */
function decide(x: Tensor): { blank: Tensor; emission: Tensor } {
  return {
    blank: tf.neg(tf.softplus(tf.neg(x))),
    emission: tf.maximum(tf.neg(tf.softplus(x)), tf.scalar(leastEmission)),
  };
}
