// A thin, typed form of tf.customGrad: the forward says what to keep, the backward gets it back.
import { after, isRecomputed, ordersByDependence, type Tensor, tf } from '../../engine/index.js';

export interface ForwardResult {
  readonly value: Tensor;
  /** Tensors the backward needs; nothing else of the forward survives until then. */
  readonly saved: Tensor[];
}

/** How a gradient is computed. */
export interface CustomGradientOptions {
  /**
   * The backward computes again what the forward has computed. What is saved is then known to it once `dy` is, where that is
   * worth it: a compiler would find the two equal, compute them once, and keep the result. Default false.
   */
  readonly recomputes?: boolean;
}

/** Bytes from which on it pays to compute something again, rather than to keep it: smaller tensors stay in the cache. */
const WORTH_RECOMPUTING = 2 ** 21;

/** Whether the program saves memory by computing something again that has `size` numbers. */
export function isWorthRecomputing(size: number): boolean {
  return ordersByDependence() && !isRecomputed() && size * 4 >= WORTH_RECOMPUTING;
}

/**
 * `forward()` computes a value from `inputs`; `backward(dy, saved)` returns one gradient per input.
 * Code inside is not recorded for differentiation, so `scan` and `hostCall` are allowed there.
 */
export function customGradient(
  inputs: Tensor[],
  forward: () => ForwardResult,
  backward: (dy: Tensor, savedTensors: Tensor[]) => Tensor[],
  { recomputes = false }: CustomGradientOptions = {},
): Tensor {
  const op = tf.customGrad((...args) => {
    const save = args[args.length - 1] as tf.GradSaveFunc;
    const { value, saved } = forward();
    save(saved);
    if (!recomputes || !isWorthRecomputing(Math.max(...saved.map(({ size }) => size))))
      return { value, gradFunc: backward };
    const late = (tensors: Tensor[], dy: Tensor) => tensors.map((tensor) => after(tensor, [dy]));
    return { value, gradFunc: (dy: Tensor, tensors: Tensor[]) => backward(dy, late(tensors, dy)) };
  });
  return op(...inputs);
}
