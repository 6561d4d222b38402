// Random masks inside programs. The bits come from the host (a counter-based stream keyed by the run), so
// every engine draws the same mask and a resumed run draws the masks it would have drawn.
import { currentScope } from '../scope.js';
import { type Tensor, tf } from '../tf.js';

/** Fresh uniform integers in [0, 2^bits), bits ≤ 31, int32 [count]. */
export function randomBits(count: number, bits = 31): Tensor {
  return currentScope().randomBits(count, bits);
}

/**
 * A bool mask of `shape`, each element true with probability `probability`.
 *
 * A full tensor of random bits would cost more to feed than dropout itself, so the mask is a product hash:
 * element (i, j) compares (r_i · c_j mod 2^32) with a threshold, r and c being fresh random odd integers
 * (multiply-shift hashing; rows r_i are the leading axes, columns c_j the last). r < 2^31 and c < 2^22 keep
 * the product below 2^53, so that engines computing in doubles get the same 32 bits.
 */
export function bernoulliMask(shape: readonly number[], probability: number): Tensor {
  const columns = shape.length === 0 ? 1 : shape[shape.length - 1];
  const rows = shape.slice(0, -1).reduce((a, b) => a * b, 1);
  const threshold = Math.round(probability * 2 ** 32 - 2 ** 31);
  if (threshold >= 2 ** 31) return tf.fill([...shape], 1, 'bool');
  const product = tf.mul(
    tf.reshape(oddIntegers(rows, 30), [rows, 1]),
    tf.reshape(oddIntegers(columns, 21), [1, columns]),
  );
  return tf.reshape(tf.less(product, tf.scalar(threshold, 'int32')), [...shape]);
}

/** Random odd integers below 2^(bits+1). */
function oddIntegers(count: number, bits: number): Tensor {
  return tf.add(tf.mul(randomBits(count, bits), tf.scalar(2, 'int32')), tf.scalar(1, 'int32'));
}
