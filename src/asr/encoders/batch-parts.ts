// The convolutions of subsampling make the largest tensors of an encoder. Cut by utterances, they take a part of that memory
// (NeMo: `subsampling_conv_chunking_factor`, which splits the batch in the same way).
import { later, type Tensor, tf } from '../../engine/index.js';
import { checkpoint, customGradient, type Pass } from '../../nn/index.js';

/** Utterances of a batch: `count` from `start` on. */
export interface Rows {
  readonly start: number;
  readonly count: number;
}

/** Those rows of x [B,…] or of x [1,…], which all utterances share. */
export function ofRows(x: Tensor, { start, count }: Rows): Tensor {
  const [batch, ...shape] = x.shape;
  if (batch === 1 || batch === count) return x;
  return tf.slice(x, [start, ...shape.map(() => 0)], [count, ...shape]);
}

/** B utterances in groups of ⌊B / parts⌋, at least of one. */
export function batchParts(batch: number, parts: number): readonly Rows[] {
  const size = Math.max(1, Math.floor(batch / parts));
  return Array.from({ length: Math.ceil(batch / size) }, (_, i) => ({
    start: i * size,
    count: Math.min(size, batch - i * size),
  }));
}

/**
 * `fn` of x [B,…], computed for one part of the batch after the other. A training pass keeps x and the result, and computes a
 * part again when it needs its gradient. The result is that of the whole batch; gradients of weights are sums over the
 * parts, which differ in the last bits.
 */
export function inBatchParts(
  x: Tensor,
  parts: number,
  pass: Pass,
  fn: (part: Tensor, rows: Rows) => Tensor,
): Tensor {
  const groups = batchParts(x.shape[0], parts);
  if (parts <= 1 || groups.length === 1) return fn(x, { start: 0, count: x.shape[0] });
  // A number goes from part to part: each waits for the one before it, and on the way back for the one behind it.
  let order = numberOf(x);
  const outputs = groups.map((rows) => {
    const part = ([image, turn]: Tensor[]): Tensor[] => {
      const output = fn(behind(image, turn), rows);
      return [output, behind(turn, output)];
    };
    const [output, next] = checkpoint(part, [ofRows(x, rows), order], pass);
    order = next;
    return output;
  });
  return startOfTheWayBack(tf.concat(outputs, 0), order);
}

/** x, not known before `other` is. */
function behind(x: Tensor, other: Tensor): Tensor {
  return customGradient(
    [x],
    () => ({ value: tf.clone(later(x, [other])), saved: [] }),
    (dy) => [dy],
  );
}

/** x; a gradient of `order`, whose value means nothing, is known when that of x is. */
function startOfTheWayBack(x: Tensor, order: Tensor): Tensor {
  return customGradient(
    [x, order],
    () => ({ value: tf.clone(x), saved: [] }),
    (dy) => [dy, firstNumber(dy)],
  );
}

/** A number that is known when x is, and whose gradient ends here. It is none of its own: a constant waits for nothing. */
function numberOf(x: Tensor): Tensor {
  return customGradient(
    [x],
    () => ({ value: firstNumber(x), saved: [] }),
    () => [tf.zeros(x.shape)],
  );
}

function firstNumber(x: Tensor): Tensor {
  const origin = x.shape.map(() => 0);
  const one = x.shape.map(() => 1);
  return tf.reshape(tf.slice(x, origin, one), []);
}
