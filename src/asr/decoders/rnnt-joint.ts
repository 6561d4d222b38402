// The joint of RNN-T, multi-blank and TDT.
import { type Tensor, tf } from '../../engine/index.js';
import { activationByName, Linear, linear, type Module, type Pass } from '../../nn/index.js';
import type { RNNTJointConfig } from './config.js';
import { jointPicks } from './joint-picks.js';
import { clampedGradient, type JointLossInput, type PicksOptions, TransducerJoint } from './transducer-joint.js'; // biome-ignore format: one line reads better
import { picksOfLogits, variantHeads } from './variant-heads.js';

/**
 * The joint network of a transducer, NeMo's RNNTJoint: combines encoder frames and prediction states into scores of
 * the tokens and blank, and of big blanks or durations if the variant has them. Always gives logits; losses and
 * decoding normalise.
 */
export class RNNTJoint extends TransducerJoint {
  private readonly out: Linear;

  constructor(config: RNNTJointConfig) {
    super(config);
    const { joint_hidden: width } = config.jointnet;
    this.out = this.child(
      `joint_net.${this.outputIndex}`,
      new Linear(width, this.classes, { adapts: false }),
    );
  }

  override get vocabularyLayers(): readonly Module[] {
    return [this.out];
  }

  override logits(encoder: Tensor, prediction: Tensor): Tensor {
    const hidden = activationByName(this.config.jointnet.activation)(this.sum(encoder, prediction));
    const { weight, bias } = this.output();
    return linear(hidden, weight, bias);
  }

  override picks(input: JointLossInput, pass: Pass, { variant, clamp }: PicksOptions): Tensor {
    const heads = variantHeads(variant, this.vocabulary);
    if (this.adapters.active) {
      const hidden = this.activated(this.latticeSum(input, pass), this.config.jointnet.activation, pass);
      const { weight, bias } = this.output();
      const logits = clampedGradient(linear(hidden, weight, bias), clamp);
      return pass.tap(this.path, picksOfLogits(logits, input.targets, heads));
    }
    const picks = jointPicks(
      { ...input, ...this.output(), blank: this.vocabulary, heads },
      this.picksOptions(input, pass, clamp),
    );
    return pass.tap(this.path, picks);
  }

  private output(): { weight: Tensor; bias: Tensor } {
    const weight = this.out.weight.tensor();
    const bias = this.out.bias!.tensor();
    const { temperature } = this.config;
    if (temperature === 1) return { weight, bias };
    const factor = tf.scalar(1 / temperature);
    return { weight: tf.mul(weight, factor), bias: tf.mul(bias, factor) };
  }
}
