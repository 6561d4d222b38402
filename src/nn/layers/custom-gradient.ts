// A thin, typed form of tf.customGrad: the forward says what to keep, the backward gets it back.
import { type Tensor, tf } from '../../engine/index.js';

export interface ForwardResult {
  readonly value: Tensor;
  /** Tensors the backward needs; nothing else of the forward survives until then. */
  readonly saved: Tensor[];
}

/**
 * `forward()` computes a value from `inputs`; `backward(dy, saved)` returns one gradient per input.
 * Code inside is not recorded for differentiation, so `scan` and `hostCall` are allowed there.
 */
export function customGradient(
  inputs: Tensor[],
  forward: () => ForwardResult,
  backward: (dy: Tensor, savedTensors: Tensor[]) => Tensor[],
): Tensor {
  const op = tf.customGrad((...args) => {
    const save = args[args.length - 1] as tf.GradSaveFunc;
    const { value, saved } = forward();
    save(saved);
    return { value, gradFunc: backward };
  });
  return op(...inputs);
}
