// LayerNormalization and SimplifiedLayerNormalization as functions with gradients. The operators give their statistics too,
// two numbers a row, which is all that the gradients need beside x.
import { runCustom } from '../autodiff/tape.js';
import { nativeOp } from '../primitives/native-op.js';
import { type Tensor, tf } from '../tf.js';

/** (x − mean) / √(variance + epsilon) · scale + bias over the last axis (Ba et al. 2016). x [..,C], scale and bias [C]. */
export function layerNormalization(
  x: Tensor,
  scale: Tensor,
  bias: Tensor | undefined,
  epsilon: number,
): Tensor {
  const statistics = { dtype: 'float32', shape: [...x.shape.slice(0, -1), 1] } as const;
  const leading = x.shape.slice(0, -1).map((_, axis) => axis);
  const inputs = bias ? [x, scale, bias] : [x, scale];
  const [y] = runCustom(inputs, (save) => {
    const [value, mean, inverse] = nativeOp(
      'LayerNormalization',
      inputs,
      [{ dtype: 'float32', shape: x.shape }, statistics, statistics],
      { axis: -1, epsilon: { float: epsilon } },
    );
    save([x, mean, inverse, scale]);
    return {
      outputs: [value],
      backward: ([dy], [x, mean, inverse, scale]) => {
        const normalised = tf.mul(tf.sub(x, mean), inverse);
        const scaled = tf.mul(dy, scale);
        const along = tf.mean(tf.mul(scaled, normalised), -1, true);
        const centred = tf.sub(tf.sub(scaled, tf.mean(scaled, -1, true)), tf.mul(normalised, along));
        const dScale = tf.sum(tf.mul(dy, normalised), leading);
        const grads = [tf.mul(centred, inverse), dScale];
        return bias ? [...grads, tf.sum(dy, leading)] : grads;
      },
    };
  });
  return y;
}

/** x / √(mean(x²) + epsilon) · scale over the last axis: RMSNorm (Zhang and Sennrich 2019). x [..,C], scale [C]. */
export function rmsNormalization(x: Tensor, scale: Tensor, epsilon: number): Tensor {
  const leading = x.shape.slice(0, -1).map((_, axis) => axis);
  const [y] = runCustom([x, scale], (save) => {
    const [value, inverse] = nativeOp(
      'SimplifiedLayerNormalization',
      [x, scale],
      [
        { dtype: 'float32', shape: x.shape },
        { dtype: 'float32', shape: [...x.shape.slice(0, -1), 1] },
      ],
      { axis: -1, epsilon: { float: epsilon } },
    );
    save([x, inverse, scale]);
    return {
      outputs: [value],
      backward: ([dy], [x, inverse, scale]) => {
        const normalised = tf.mul(x, inverse);
        const scaled = tf.mul(dy, scale);
        const along = tf.mean(tf.mul(scaled, normalised), -1, true);
        const dx = tf.mul(tf.sub(scaled, tf.mul(normalised, along)), inverse);
        return [dx, tf.sum(tf.mul(dy, normalised), leading)];
      },
    };
  });
  return y;
}
