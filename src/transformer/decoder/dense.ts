// A linear map whose bias is added by the product's own operator.
import { gemm, type Tensor, tf } from '../../engine/index.js';
import { type FusedRows, type Initializer, Linear, productWithStandIn, zeros } from '../../nn/index.js';

/** As `Linear`, [.., in] → [.., out], in one pass over the result. Biases start at 0. */
export class Dense extends Linear {
  constructor(
    width: number,
    out: number,
    options: { readonly bias: boolean; readonly weightInit: Initializer; readonly rows?: FusedRows },
  ) {
    super(width, out, { ...options, biasInit: zeros });
  }

  protected override product(x: Tensor): Tensor {
    const leading = x.shape.slice(0, -1);
    const rows = tf.reshape(x, [-1, this.inFeatures]);
    const rough = productWithStandIn(rows, this.weight);
    const bias = this.bias?.tensor();
    const y = rough
      ? bias
        ? tf.add(rough, bias)
        : rough
      : gemm(rows, this.weight.tensor(), bias, { transposeB: true });
    return tf.reshape(y, [...leading, this.outFeatures]);
  }
}
