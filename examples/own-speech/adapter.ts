// An adapter of your own (`adapters.NAME: {_target_: FeatureScale}`): one factor a feature, which starts at one (IA3; Liu et al.
// 2022).
import { adapterKind, FeatureAdapter } from '../../src/adapters/index.js';
import { defineSchema } from '../../src/config/index.js';
import { component } from '../../src/container/index.js';
import { type Tensor, tf } from '../../src/engine/index.js';
import { type Parameter, type Pass, zeros } from '../../src/nn/index.js';

class FeatureScale extends FeatureAdapter {
  private readonly scale: Parameter;

  constructor(width: number) {
    super({ stochastic_depth: 0, l2_lambda: 0 });
    this.scale = this.parameter('scale', [width], zeros);
  }

  /** x [B,...,d] → same shape. */
  override forward(x: Tensor, pass: Pass): Tensor {
    return this.join(x, tf.mul(x, this.scale.tensor()), pass);
  }
}

export const featureScale = component({
  kind: adapterKind,
  name: 'FeatureScale',
  schema: defineSchema('FeatureScale', {
    in_features: {
      doc: 'Width of what it adapts; the module that takes it knows it.',
      format: 'int',
      default: -1,
    },
  }),
  create: ({ in_features: width }) => new FeatureScale(width),
});
