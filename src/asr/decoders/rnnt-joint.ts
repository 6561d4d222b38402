// The joint network of a transducer, NeMo's RNNTJoint: combines encoder frames and prediction states into
// scores of the tokens and blank. Always gives logits; losses and decoding normalise.
import { type Tensor, tf } from '../../engine/index.js';
import { activationByName, evaluationPass, Linear, linear, Module, type Pass } from '../../nn/index.js';
import { type JointActivation, jointPicks } from './joint-picks.js';

export interface JointNetworkConfig {
  readonly encoder_hidden: number;
  readonly pred_hidden: number;
  readonly joint_hidden: number;
  readonly activation: JointActivation;
  readonly dropout?: number;
}

export interface RNNTJointConfig {
  readonly jointnet: JointNetworkConfig;
  /** Tokens without blank. */
  readonly num_classes: number;
  /** Work through a batch in pieces of the size of `fused_batch_size` utterances. Default false. */
  readonly fuse_loss_wer?: boolean;
  readonly fused_batch_size?: number | null;
  /**
   * No tensor over (utterances, frames, target positions, classes) gets more elements than this in
   * training: time is cut into blocks. Default 2^25 (128 MiB each).
   */
  readonly max_elements?: number | null;
  /** Divides the logits. Default 1. */
  readonly temperature?: number;
}

export interface JointLossInput {
  /** Encoder projection [B,T',J]. */
  readonly encoder: Tensor;
  /** Prediction projection [B,U+1,J]. */
  readonly prediction: Tensor;
  /** int32 [B,U] */
  readonly targets: Tensor;
}

export class RNNTJoint extends Module {
  /** Number of outputs K, blank being the last. */
  readonly classes: number;
  readonly blank: number;
  private readonly enc: Linear;
  private readonly pred: Linear;
  private readonly out: Linear;

  constructor(readonly config: RNNTJointConfig) {
    super();
    const net = config.jointnet;
    this.blank = config.num_classes;
    this.classes = config.num_classes + 1;
    this.pred = this.child('pred', new Linear(net.pred_hidden, net.joint_hidden));
    this.enc = this.child('enc', new Linear(net.encoder_hidden, net.joint_hidden));
    // The index counts the activation and, when there is one, the dropout before it.
    const index = (net.dropout ?? 0) > 0 ? 2 : 1;
    this.out = this.child(`joint_net.${index}`, new Linear(net.joint_hidden, this.classes));
  }

  /** encoded [B,T,d] → [B,T,J]. */
  projectEncoder(encoded: Tensor, pass: Pass = evaluationPass): Tensor {
    return pass.tap(this.enc.path, this.enc.forward(encoded));
  }

  /** prediction [..., H] → [..., J]. */
  projectPrediction(prediction: Tensor, pass: Pass = evaluationPass): Tensor {
    return pass.tap(this.pred.path, this.pred.forward(prediction));
  }

  /** Logits of projections whose shapes broadcast, [..., J] → [..., K]. No dropout. */
  logits(encoder: Tensor, prediction: Tensor): Tensor {
    const hidden = activationByName(this.config.jointnet.activation)(tf.add(encoder, prediction));
    const { weight, bias } = this.output();
    return linear(hidden, weight, bias);
  }

  /** Log-probabilities of blank and next label over the lattice, [B,U+1,T,2]. */
  picks(input: JointLossInput, pass: Pass, clamp = 0): Tensor {
    const net = this.config.jointnet;
    const picks = jointPicks(
      { ...input, ...this.output(), blank: this.blank },
      {
        activation: net.activation,
        dropout: pass.training ? (net.dropout ?? 0) : 0,
        maxElements: this.maxElements(input.encoder.shape[1]!, input.prediction.shape[1]!),
        clamp,
      },
    );
    return pass.tap(this.path, picks);
  }

  private maxElements(frames: number, rows: number): number {
    const { fuse_loss_wer: fused, fused_batch_size: size, max_elements: most } = this.config;
    const bound = most ?? 2 ** 25;
    return fused && size ? Math.min(bound, size * frames * rows * this.classes) : bound;
  }

  private output(): { weight: Tensor; bias: Tensor } {
    const weight = this.out.weight.tensor();
    const bias = this.out.bias!.tensor();
    const temperature = this.config.temperature ?? 1;
    if (temperature === 1) return { weight, bias };
    const factor = tf.scalar(1 / temperature);
    return { weight: tf.mul(weight, factor), bias: tf.mul(bias, factor) };
  }
}
