// Activations whose gradients keep only their input.

import { type Tensor, tf } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import { customGradient } from './custom-gradient.js';

/** An element-wise function: x [...] to a tensor of the same shape. */
export type Activation = (x: Tensor) => Tensor;

/** x·σ(x), also called swish (Elfwing et al. 2017). */
export function silu(x: Tensor): Tensor {
  return customGradient(
    [x],
    () => ({ value: tf.mul(x, tf.sigmoid(x)), saved: [x] }),
    (dy, [x]) => {
      const gate = tf.sigmoid(x);
      const slope = tf.mul(gate, tf.add(tf.scalar(1), tf.mul(x, tf.sub(tf.scalar(1), gate))));
      return [tf.mul(dy, slope)];
    },
    { recomputes: true },
  );
}

/** First half of the last axis times the sigmoid of the second (Dauphin et al. 2017). [..., 2C] → [..., C]. */
export function glu(x: Tensor): Tensor {
  return customGradient(
    [x],
    () => {
      const [value, gate] = tf.split(x, 2, -1);
      return { value: tf.mul(value, tf.sigmoid(gate)), saved: [x] };
    },
    (dy, [x]) => {
      const [value, gateInput] = tf.split(x, 2, -1);
      const gate = tf.sigmoid(gateInput);
      const dValue = tf.mul(dy, gate);
      const dGate = tf.mul(tf.mul(dValue, value), tf.sub(tf.scalar(1), gate));
      return [tf.concat([dValue, dGate], -1)];
    },
    { recomputes: true },
  );
}

/** x·Φ(x) (Hendrycks & Gimpel 2016), the exact form. */
function gelu(x: Tensor): Tensor {
  const half = tf.mul(x, tf.scalar(0.5));
  return tf.mul(half, tf.add(tf.scalar(1), tf.erf(tf.mul(x, tf.scalar(Math.SQRT1_2)))));
}

/** Self-normalising (Klambauer et al. 2017). */
function selu(x: Tensor): Tensor {
  const [alpha, scale] = [1.6732632423543772, 1.0507009873554805];
  const below = tf.sub(tf.exp(tf.minimum(x, tf.scalar(0))), tf.scalar(1));
  return tf.mul(tf.add(tf.relu(x), tf.mul(below, tf.scalar(alpha))), tf.scalar(scale));
}

const activations: Readonly<Record<string, Activation>> = {
  identity: (x) => x,
  relu: (x) => tf.relu(x),
  hardtanh: (x) => tf.clipByValue(x, -1, 1),
  selu,
  gelu,
  sigmoid: (x) => tf.sigmoid(x),
  tanh: (x) => tf.tanh(x),
  silu,
  swish: silu,
};

/** The activation of that name: identity, relu, hardtanh, selu, gelu, sigmoid, tanh, silu or swish. */
export function activationByName(name: string): Activation {
  const activation = activations[name];
  if (!activation) {
    throw new AnemoneError({
      code: 'nn.activation',
      message: `unknown activation "${name}"`,
      hint: `use one of ${Object.keys(activations).join(', ')}`,
    });
  }
  return activation;
}
