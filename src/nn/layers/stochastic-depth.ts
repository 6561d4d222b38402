// Stochastic depth (Huang et al. 2016): whole residual layers are left out at random in training.
import { randomBits, type Tensor, tf } from '../../engine/index.js';
import type { Pass } from '../pass.js';

const bits = 24;

/**
 * With `probability` the layer's input, else input + (output - input)/(1 - probability); one draw for the
 * whole batch. The layer is computed either way, for a program has no branches.
 */
export function stochasticDepth(input: Tensor, output: Tensor, probability: number, pass: Pass): Tensor {
  if (!pass.training || probability <= 0) return output;
  return tf.add(input, tf.mul(tf.sub(output, input), depthFactor(probability)));
}

/** A scalar drawn in training: 0 with `probability`, else 1/(1 - probability). */
export function depthFactor(probability: number): Tensor {
  if (probability >= 1) return tf.scalar(0);
  const threshold = Math.round(probability * 2 ** bits);
  const isKept = tf.cast(tf.greaterEqual(randomBits(1, bits), tf.scalar(threshold, 'int32')), 'float32');
  return tf.mul(tf.reshape(isKept, []), tf.scalar(1 / (1 - probability)));
}

/**
 * Drop probability of each layer: the first `startLayer` are always kept; the others get
 * probability·l/M (linear, l = 1…M) or `probability` (uniform).
 */
export function stochasticDepthSchedule(
  layers: number,
  probability: number,
  mode: 'linear' | 'uniform',
  startLayer: number,
): number[] {
  const droppable = layers - startLayer;
  return Array.from({ length: layers }, (_, i) => {
    if (i < startLayer || probability <= 0) return 0;
    return mode === 'uniform' ? probability : (probability * (i - startLayer + 1)) / droppable;
  });
}
