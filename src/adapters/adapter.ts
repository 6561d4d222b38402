// What adapters have in common.
import { type Tensor, tf } from '../engine/index.js';
import { depthFactor, Module, type Pass } from '../nn/index.js';

/** How an adapter's output joins its input: NeMo's ResidualAddAdapterStrategy. */
export interface ResidualAdd {
  /** Probability that an adapter adds nothing in a training step. */
  readonly stochastic_depth: number;
  /** Weight of the squared length of what is added, as a cost of its own; 0 for none. */
  readonly l2_lambda: number;
}

/**
 * What adapters have in common: small modules beside a frozen network that add something to what passes through it
 * (Houlsby et al. 2019). Where they stand is in adapter-slot.ts; which there are, in linear-adapter.ts and
 * attention-adapter.ts.
 */
export abstract class Adapter extends Module {
  constructor(private readonly strategy: ResidualAdd) {
    super();
  }

  /** x + added, both [B,...,d]; in training maybe x alone, and maybe at a cost. */
  protected join(x: Tensor, addition: Tensor, pass: Pass): Tensor {
    if (!pass.training) return tf.add(x, addition);
    const { stochastic_depth: probability, l2_lambda: weight } = this.strategy;
    const keptAddition = probability > 0 ? tf.mul(addition, depthFactor(probability)) : addition;
    if (weight > 0 && this.isTrained()) {
      // The penalty is the mean over the batch of the sums over all other axes.
      pass.cost?.(tf.mul(tf.sum(tf.square(keptAddition)), tf.scalar(weight / x.shape[0])));
    }
    return tf.add(x, keptAddition);
  }

  private isTrained(): boolean {
    for (const parameter of this.parameters()) if (parameter.trainable) return true;
    return false;
  }
}

/** An adapter of what passes through its place, frame by frame or not: what one of your own extends. */
export abstract class FeatureAdapter extends Adapter {
  /** x [B,...,d] → same shape; `join` of the base class adds. A new adapter should change nothing. */
  abstract forward(x: Tensor, pass: Pass): Tensor;
}
