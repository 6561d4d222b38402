// The normalisations of decoders, each one operator of ONNX Runtime with its statistics.
import { layerNormalization, rmsNormalization, type Tensor, tf } from '../../engine/index.js';
import { Module, ones, type Parameter, type Pass, zeros } from '../../nn/index.js';

/**
 * - `layernorm` (Ba et al. 2016)
 * - `rmsnorm` (Zhang and Sennrich 2019)
 * - `layernorm_unbiased`: without `bias` (MPT)
 * - `layernorm1p`, `rmsnorm1p`: the weight is stored less 1, so that weight decay draws it to 1 (Megatron; Gemma)
 */
export type NormKind = 'layernorm' | 'layernorm_unbiased' | 'layernorm1p' | 'rmsnorm' | 'rmsnorm1p';

/** How a norm's parameters are called. Default: `weight` and `bias`. */
export interface NormNames {
  readonly weight: string;
  readonly bias: string;
}

/** `weight` [C] and, of the kinds with a mean, mostly `bias` [C]. */
export class DecoderNorm extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;

  constructor(
    readonly width: number,
    readonly kind: NormKind,
    readonly epsilon: number,
    names: NormNames = { weight: 'weight', bias: 'bias' },
  ) {
    super();
    this.weight = this.parameter(names.weight, [width], this.isLessOne ? zeros : ones);
    if (this.isCentred && kind !== 'layernorm_unbiased')
      this.bias = this.parameter(names.bias, [width], zeros);
  }

  /** x [..,C] → same shape. */
  forward(x: Tensor, pass?: Pass): Tensor {
    const stored = this.weight.tensor();
    const scale = this.isLessOne ? tf.add(stored, tf.scalar(1)) : stored;
    const y = this.isCentred
      ? layerNormalization(x, scale, this.bias?.tensor(), this.epsilon)
      : rmsNormalization(x, scale, this.epsilon);
    return pass ? pass.tap(this.path, y) : y;
  }

  private get isCentred(): boolean {
    return this.kind.startsWith('layernorm');
  }

  private get isLessOne(): boolean {
    return this.kind.endsWith('1p');
  }
}

/**
 * The norms that NormFormer adds to layers with norms of a kind: NeMo has them as RMS norms where it has no other, which is so for
 * layernorm1p after attention, but not inside the feed-forward block.
 */
export function normformerKinds(kind: NormKind): {
  readonly afterAttention: NormKind;
  readonly inMlp: NormKind;
} {
  if (kind === 'layernorm' || kind === 'rmsnorm1p') return { afterAttention: kind, inMlp: kind };
  return { afterAttention: 'rmsnorm', inMlp: kind === 'layernorm1p' ? kind : 'rmsnorm' };
}
