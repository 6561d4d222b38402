// What joints have in common: a projection of the encoder and one of the prediction network, added up. What
// comes after the sum is in rnnt-joint.ts and hat-joint.ts.
import { AdapterSlot } from '../../adapters/index.js';
import { type Tensor, tf } from '../../engine/index.js';
import {
  activationByName,
  customGradient,
  dropout,
  evaluationPass,
  Linear,
  Module,
  type Pass,
} from '../../nn/index.js';
import { type ResolvedJointConfig, type RNNTJointConfig, rnntJointSchema } from './config.js';
import type { JointActivation, JointPicksOptions } from './joint-picks.js';
import type { TransducerVariant } from './transducer-variant.js';

/** What `picks` sees of a batch. */
export interface JointLossInput {
  /** Encoder projection [B,T',J]. */
  readonly encoder: Tensor;
  /** Prediction projection [B,U+1,J]. */
  readonly prediction: Tensor;
  /** int32 [B,U] */
  readonly targets: Tensor;
}

/** Which arcs are picked, and how their gradients are clipped. */
export interface PicksOptions {
  /** What the outputs mean. */
  readonly variant: TransducerVariant;
  /** Clips the gradients of the logits; off when ≤ 0, the default. */
  readonly clamp?: number;
}

/**
 * What joints have in common: a projection of the encoder and one of the prediction network, added up. What comes
 * after the sum is in rnnt-joint.ts and hat-joint.ts.
 */
export abstract class TransducerJoint extends Module {
  readonly config: ResolvedJointConfig;
  /** Tokens without blank. */
  readonly vocabulary: number;
  /** Number of outputs K. */
  readonly classes: number;
  /** The same without tokens and blank. */
  readonly extraOutputs: number;
  protected readonly enc: Linear;
  protected readonly pred: Linear;
  /** On the sum of the projections. With one at work, `picks` holds all of the lattice and `max_elements` has no say. */
  protected readonly adapters: AdapterSlot;

  constructor(config: RNNTJointConfig) {
    super();
    this.config = rnntJointSchema.withDefaults(config);
    const { jointnet: net, num_classes: vocabulary, num_extra_outputs: extraOutputs } = this.config;
    this.vocabulary = vocabulary;
    this.extraOutputs = extraOutputs;
    this.classes = vocabulary + 1 + extraOutputs;
    this.pred = this.child('pred', new Linear(net.pred_hidden, net.joint_hidden));
    this.enc = this.child('enc', new Linear(net.encoder_hidden, net.joint_hidden));
    this.adapters = this.child('adapter_layer', new AdapterSlot({ width: net.joint_hidden }));
  }

  /** What another vocabulary makes anew: all of it, unless a joint knows better. */
  get vocabularyLayers(): readonly Module[] {
    return [this];
  }

  /** Outputs of projections whose shapes broadcast, [..., J] → [..., K]. Not normalised. No dropout. */
  abstract logits(encoder: Tensor, prediction: Tensor): Tensor;

  /** Log-probabilities over the lattice, [B,U+1,T,P]: blank, next label, then what the variant adds. */
  abstract picks(input: JointLossInput, pass: Pass, options: PicksOptions): Tensor;

  /** encoded [B,T,d] → [B,T,J]. */
  projectEncoder(encoded: Tensor, pass: Pass = evaluationPass): Tensor {
    return pass.tap(this.enc.path, this.enc.forward(encoded, pass));
  }

  /** prediction [..., H] → [..., J]. */
  projectPrediction(prediction: Tensor, pass: Pass = evaluationPass): Tensor {
    return pass.tap(this.pred.path, this.pred.forward(prediction, pass));
  }

  /** The two projections together, of shapes that broadcast: [..., J]. */
  protected sum(encoder: Tensor, prediction: Tensor, pass: Pass = evaluationPass): Tensor {
    return this.adapters.forward(tf.add(encoder, prediction), pass);
  }

  /** What `sum` is over the whole lattice, [B,T,U+1,J]. */
  protected latticeSum({ encoder, prediction }: JointLossInput, pass: Pass): Tensor {
    return this.sum(tf.expandDims(encoder, 2), tf.expandDims(prediction, 1), pass);
  }

  /** Activation and dropout of the hidden layer. x [..., J]. */
  protected activated(x: Tensor, activation: JointActivation, pass: Pass): Tensor {
    return dropout(activationByName(activation)(x), this.config.jointnet.dropout, pass);
  }

  /** The index of the output layer in `joint_net`: it counts the activation and the dropout, if there is one. */
  protected get outputIndex(): number {
    return this.config.jointnet.dropout > 0 ? 2 : 1;
  }

  /**
   * What `jointPicks` needs for one batch.
   * @param clamp gradients of the logits are clipped to ±clamp; off when ≤ 0
   */
  protected picksOptions(input: JointLossInput, pass: Pass, clamp = 0): JointPicksOptions {
    const { fuse_loss_wer: fused, fused_batch_size: size, max_elements: maxElements, jointnet } = this.config;
    const frames = input.encoder.shape[1]!;
    const rows = input.prediction.shape[1]!;
    const bound = maxElements ?? 2 ** 25;
    return {
      activation: jointnet.activation,
      dropout: pass.training ? (jointnet.dropout ?? 0) : 0,
      maxElements: fused && size ? Math.min(bound, size * frames * rows * this.classes) : bound,
      recomputes: this.config.preserve_memory,
      clamp,
    };
  }
}

/** x, whose gradient is clipped to ±clamp; off when ≤ 0. */
export function clampedGradient(x: Tensor, clamp = 0): Tensor {
  if (clamp <= 0) return x;
  return customGradient(
    [x],
    () => ({ value: tf.clone(x), saved: [] }),
    (dy) => [tf.clipByValue(dy, -clamp, clamp)],
  );
}
