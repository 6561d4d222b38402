// The position-wise feed-forward block of (Conformer) transformers.
import type { Tensor } from '../../engine/index.js';
import { Module } from '../module.js';
import type { Pass } from '../pass.js';
import { recomputeCheaply } from '../recompute.js';
import { type Activation, silu } from './activation.js';
import { dropout } from './dropout.js';
import { Linear } from './linear.js';

/** What stands between the two linear maps. */
export interface FeedForwardOptions {
  /** Default 0. */
  readonly dropout?: number;
  /** Default true. */
  readonly bias?: boolean;
  /** Default silu. */
  readonly activation?: Activation;
}

/** linear2(dropout(activation(linear1(x)))). x [..., width] → same shape. */
export class FeedForward extends Module {
  readonly linear1: Linear;
  readonly linear2: Linear;

  constructor(
    width: number,
    hidden: number,
    private readonly options: FeedForwardOptions = {},
  ) {
    super();
    this.linear1 = this.child('linear1', new Linear(width, hidden, { bias: options.bias }));
    this.linear2 = this.child('linear2', new Linear(hidden, width, { bias: options.bias }));
  }

  /** x [...,width] → [...,width], over a hidden layer with activation and dropout. */
  forward(x: Tensor, pass: Pass): Tensor {
    const activation = this.options.activation ?? silu;
    const y = recomputeCheaply(
      ([hidden]) => this.linear2.forward(dropout(activation(hidden), this.options.dropout ?? 0, pass), pass),
      [this.linear1.forward(x, pass)],
      pass,
    );
    return pass.tap(this.path, y);
  }
}
