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
  return tf.reshape(maskFromFactors(maskFactors(rows, columns), probability), [...shape]);
}

/** The random numbers behind a mask [rows, columns]: int32 [rows,1] and [1,columns]. */
export interface MaskFactors {
  readonly rows: Tensor;
  readonly columns: Tensor;
}

/** Draws factors of a mask, for code that makes the mask in pieces (rows may be sliced) or twice. */
export function maskFactors(rows: number, columns: number): MaskFactors {
  return {
    rows: tf.reshape(oddIntegers(rows, 30), [rows, 1]),
    columns: tf.reshape(oddIntegers(columns, 21), [1, columns]),
  };
}

/** The bool mask of those factors, each element true with probability `probability`. */
export function maskFromFactors({ rows, columns }: MaskFactors, probability: number): Tensor {
  const threshold = Math.round(probability * 2 ** 32 - 2 ** 31);
  if (threshold >= 2 ** 31) return tf.fill([rows.shape[0], columns.shape[1]!], 1, 'bool');
  return tf.less(tf.mul(rows, columns), tf.scalar(threshold, 'int32'));
}

/** Random odd integers below 2^(bits+1). */
function oddIntegers(count: number, bits: number): Tensor {
  return tf.add(tf.mul(randomBits(count, bits), tf.scalar(2, 'int32')), tf.scalar(1, 'int32'));
}
