// The bottleneck adapter (Houlsby et al. 2019), NeMo's LinearAdapter: normalise, narrow, activate, widen.
import type { Tensor } from '../engine/index.js';
import { activationByName, dropout, LayerNorm, Linear, type Pass, zeros } from '../nn/index.js';
import { FeatureAdapter, type ResidualAdd } from './adapter.js';

export interface LinearAdapterConfig {
  /** Width d of what it adapts. */
  readonly in_features: number;
  /** Width of the bottleneck. */
  readonly dim: number;
  readonly activation: string;
  /** Whether normalisation comes first or last. */
  readonly norm_position: 'pre' | 'post';
  /** On what is added. */
  readonly dropout: number;
  readonly adapter_strategy: ResidualAdd;
}

/** The last layer starts at zero, so that a new adapter changes nothing. */
export class LinearAdapter extends FeatureAdapter {
  private readonly norm: LayerNorm;
  private readonly down: Linear;
  private readonly up: Linear;

  constructor(private readonly config: LinearAdapterConfig) {
    super(config.adapter_strategy);
    const { in_features: width, dim, norm_position: position } = config;
    const start = { bias: false, ...(position === 'pre' && { weightInit: zeros }) };
    // The layers have the places of PyTorch's Sequential, where the activation counts.
    const first = position === 'pre' ? 1 : 0;
    const norm = new LayerNorm(width, undefined, position === 'post' ? zeros : undefined);
    if (position === 'pre') this.child('module.0', norm);
    this.down = this.child(`module.${first}`, new Linear(width, dim, { bias: false }));
    this.up = this.child(`module.${first + 2}`, new Linear(dim, width, start));
    if (position === 'post') this.child('module.3', norm);
    this.norm = norm;
  }

  /** x [B,...,d] → same shape. */
  override forward(x: Tensor, pass: Pass): Tensor {
    const { activation, norm_position: position, dropout: rate } = this.config;
    const input = position === 'pre' ? this.norm.forward(x) : x;
    const wide = this.up.forward(activationByName(activation)(this.down.forward(input)));
    const addition = position === 'post' ? this.norm.forward(wide) : wide;
    return this.join(x, dropout(addition, rate, pass), pass);
  }
}
