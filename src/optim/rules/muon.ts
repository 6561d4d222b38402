// Muon (Jordan et al. 2024): the momentum of a matrix is made orthogonal, so that all directions in it count alike, by a few
// Newton–Schulz steps. Vectors, tables of embeddings and heads are AdamW's.
import { fusedMatMul, type Tensor, tf } from '../../engine/index.js';
import type { Parameter } from '../../nn/index.js';
import { namePattern } from '../../nn/index.js';
import { movingAverage, type Scalars, type SlotSpec, type Slots, squaredNorm, store, type UpdateRule } from '../update-rule.js'; // biome-ignore format: one line
import { AdamRule } from './adam.js';

export interface MuonOptions {
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly weight_decay: number;
  /** Newton–Schulz steps. */
  readonly ns_steps: number;
  /**
   * By what the step of a matrix [out, in] is multiplied: √max(1, out/in) (`original`), or 0.2·√max(out, in), which gives it
   * the size of a step of AdamW (`match_rms_adamw`; Liu et al. 2025, Moonlight).
   */
  readonly adjust_lr: 'original' | 'match_rms_adamw';
  /** Patterns over names of matrices that are AdamW's beside tables. */
  readonly adamw: readonly string[];
  /** Rate of what is AdamW's, as a factor of that of the matrices. */
  readonly adamw_lr_scale: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
}

/** Coefficients of the polynomial a·x + b·x³ + c·x⁵, which brings singular values near 1 in few steps. */
const [A, B, C] = [3.4445, -4.775, 2.0315];
const EPSILON = 1e-7;

export class MuonRule implements UpdateRule {
  private readonly adam: AdamRule;
  private readonly isAdams: (name: string) => boolean;

  constructor(private readonly options: MuonOptions) {
    const { betas, eps, weight_decay, adamw } = options;
    this.adam = new AdamRule({ betas, eps, weight_decay, amsgrad: false, decoupled: true });
    const patterns = adamw.map(namePattern);
    this.isAdams = (name) => patterns.some((matches) => matches(name));
  }

  scalars(t: number, lr: number): Record<string, number> {
    const { weight_decay, adamw_lr_scale } = this.options;
    return { lr, matrixShrink: 1 - lr * weight_decay, ...this.adam.scalars(t, lr * adamw_lr_scale) };
  }

  slots(parameter: Parameter): Record<string, SlotSpec> {
    const { shape, isTable, name } = parameter;
    const isMatrix = shape.length === 2 && !isTable && !this.isAdams(name);
    return isMatrix ? { momentum_buffer: { shape } } : this.adam.slots(parameter);
  }

  apply(p: Tensor, g: Tensor, slots: Slots, s: Scalars): Tensor {
    const { momentum, nesterov, weight_decay } = this.options;
    const { momentum_buffer: buffer } = slots;
    if (!buffer) return this.adam.apply(p, g, slots, s);
    const average = store(buffer, movingAverage(buffer.tensor(), g, momentum));
    const direction = nesterov ? movingAverage(average, g, momentum) : average;
    const step = tf.mul(orthogonal(direction, this.options.ns_steps), tf.mul(s['lr'], this.factor(p)));
    return tf.sub(weight_decay === 0 ? p : tf.mul(p, s['matrixShrink']), step);
  }

  private factor({ shape }: Tensor): Tensor {
    const [out, into] = shape as [number, number];
    const { adjust_lr } = this.options;
    return tf.scalar(adjust_lr === 'original' ? Math.sqrt(Math.max(1, out / into)) : 0.2 * Math.sqrt(Math.max(out, into))); // biome-ignore format: one line
  }
}

/** UVᵀ of x = USVᵀ [M,N], nearly: singular values come out between about 0.7 and 1.2. */
export function orthogonal(x: Tensor, steps: number): Tensor {
  const [rows, columns] = x.shape as [number, number];
  const isTall = rows > columns;
  // The products are of the shorter side.
  let y = isTall ? tf.transpose(x) : x;
  y = tf.div(y, tf.add(tf.sqrt(squaredNorm(y)), tf.scalar(EPSILON)));
  for (let i = 0; i < steps; i++) {
    const square = fusedMatMul(y, y, { transposeB: true });
    const polynomial = tf.add(tf.mul(square, tf.scalar(B)), fusedMatMul(square, square, { alpha: C }));
    y = tf.add(tf.mul(y, tf.scalar(A)), fusedMatMul(polynomial, y));
  }
  return isTall ? tf.transpose(y) : y;
}
