// Types and small helpers shared by the gradient tables.
import { type Tensor, tf } from '../tf.js';

export type Attrs = Record<string, unknown>;

/** Gradient of one kernel: per input, a function making dL/dinput. `saved` are the inputs then outputs asked for. */
export interface Gradient {
  readonly kernel: string;
  readonly inputs?: readonly string[];
  /** Save the kernel's (first) output as well. */
  readonly output?: boolean;
  readonly saveAllInputs?: boolean;
  readonly backward: (
    dy: Tensor,
    saved: Tensor[],
    attrs: Attrs,
    dys: Tensor[],
  ) => Record<string, () => Tensor>;
}

/** Undoes broadcasting: sums `gradient` over the axes along which an input of `shape` was repeated. */
export function sumTo(gradient: Tensor, shape: readonly number[]): Tensor {
  const axes = tf.broadcast_util.getReductionAxes([...shape], gradient.shape);
  const summed = axes.length > 0 ? tf.sum(gradient, axes) : gradient;
  return tf.reshape(summed, [...shape]);
}

/** `x` with the reduced `axes` put back as size-1 axes. */
export function expandReduced(x: Tensor, inputShape: readonly number[], axes: readonly number[]): Tensor {
  return tf.reshape(
    x,
    inputShape.map((dim, i) => (axes.includes(i) ? 1 : dim)),
  );
}

export function parseAxes(axis: unknown, shape: readonly number[]): number[] {
  return tf.util.parseAxisParam(axis as number | number[], [...shape]);
}

export const scalar = (value: number): Tensor => tf.scalar(value, 'float32');
