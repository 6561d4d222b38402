// The feed-forward block of decoders, gated or not (Shazeer 2020, "GLU Variants Improve Transformer").
import { fastGelu, gelu, quickGelu, type Tensor, tf } from '../../engine/index.js';
import { dropout, type Initializer, Module, type Pass, recomputeCheaply } from '../../nn/index.js';
import { Dense } from './dense.js';
import { DecoderNorm, type NormKind } from './norm.js';

/** What stands between the two maps; `gelu` is the exact form, `gelu_tanh` that of GPT-2. */
export type MlpActivation =
  | 'gelu'
  | 'gelu_tanh'
  | 'relu'
  | 'squared_relu'
  | 'quick_gelu'
  | 'silu'
  | 'geglu'
  | 'geglu_tanh'
  | 'reglu'
  | 'swiglu';

const functions: Readonly<Record<MlpActivation, (x: Tensor) => Tensor>> = {
  gelu,
  gelu_tanh: fastGelu,
  relu: (x) => tf.relu(x),
  squared_relu: (x) => tf.square(tf.relu(x)),
  quick_gelu: (x) => quickGelu(x),
  silu: (x) => quickGelu(x, 1),
  geglu: gelu,
  geglu_tanh: fastGelu,
  reglu: (x) => tf.relu(x),
  swiglu: (x) => quickGelu(x, 1),
};

/** Whether half of the first map's output multiplies the activation of the other half. */
export function isGated(activation: MlpActivation): boolean {
  return activation.endsWith('glu') || activation.endsWith('glu_tanh');
}

export interface MlpOptions {
  readonly activation: MlpActivation;
  readonly bias: boolean;
  /** Dropout after the activation. */
  readonly dropout: number;
  readonly inInit: Initializer;
  readonly outInit: Initializer;
  /** A norm before the second map (NormFormer). */
  readonly norm?: { readonly kind: NormKind; readonly epsilon: number } | undefined;
}

/** How the maps are called: Megatron's names have changed. */
export interface MlpNames {
  readonly up: string;
  readonly innerNorm: string;
  readonly down: string;
}

/** From `width` to `inner` numbers and back. Gated: the first map has the gate's rows, then the other's, [2·inner, width]. */
export class DecoderMlp extends Module {
  private readonly up: Dense;
  private readonly norm: DecoderNorm | undefined;
  private readonly down: Dense;

  constructor(
    width: number,
    inner: number,
    private readonly options: MlpOptions,
    names: MlpNames,
  ) {
    super();
    const { activation, bias, inInit, outInit, norm } = options;
    const gated = ['gate', 'up'].map((name) => ({ name, rows: inner }));
    const up = isGated(activation)
      ? new Dense(width, 2 * inner, { bias, weightInit: inInit, rows: { groups: 1, parts: gated } })
      : new Dense(width, inner, { bias, weightInit: inInit });
    this.up = this.child(names.up, up);
    if (norm) this.norm = this.child(names.innerNorm, new DecoderNorm(inner, norm.kind, norm.epsilon));
    this.down = this.child(names.down, new Dense(inner, width, { bias, weightInit: outInit }));
  }

  /** x [..,d] → same shape. What stands between the maps is computed again for the gradient. */
  forward(x: Tensor, pass: Pass): Tensor {
    const { activation, dropout: rate } = this.options;
    const between = ([hidden]: Tensor[]): Tensor => {
      const inner = dropout(activated(hidden, activation), rate, pass);
      return this.down.forward(this.norm ? this.norm.forward(inner) : inner, pass);
    };
    return pass.tap(this.path, recomputeCheaply(between, [this.up.forward(x, pass)], pass));
  }
}

function activated(hidden: Tensor, activation: MlpActivation): Tensor {
  const act = functions[activation];
  if (!isGated(activation)) return act(hidden);
  const [gate, other] = tf.split(hidden, 2, -1);
  return tf.mul(act(gate), other);
}
