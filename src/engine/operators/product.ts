// Matrix products with a factor and a summand, without a pass over the result for either.
import { sumTo } from '../autodiff/gradient.js';
import { runCustom } from '../autodiff/tape.js';
import { nativeOp } from '../primitives/native-op.js';
import { type Tensor, tf } from '../tf.js';

/** How a product is made. */
export interface ProductOptions {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  /** Factor of the product. Default 1. */
  readonly alpha?: number;
}

/** Options of `gemm`. */
export interface GemmOptions extends ProductOptions {
  /** Factor of `c`. Default 1. */
  readonly beta?: number;
}

/** alpha A B + beta C. a [M,K], b [K,N] (or transposed), c that broadcasts to the result [M,N]. */
export function gemm(a: Tensor, b: Tensor, c?: Tensor, options: GemmOptions = {}): Tensor {
  const { beta = 1 } = options;
  const [y] = runCustom(c ? [a, b, c] : [a, b], (save) => {
    save([a, b]);
    return {
      outputs: [gemmNode(a, b, c, options)],
      backward: ([dy], [a, b]) => {
        const grads = productGrads(a, b, dy, options, (a, b, options) => gemmNode(a, b, undefined, options));
        if (!c) return grads;
        const summed = sumTo(dy, c.shape);
        return [...grads, beta === 1 ? summed : tf.mul(summed, tf.scalar(beta))];
      },
    };
  });
  return y;
}

/** alpha A B over the last two axes, the leading ones broadcast. a [..,M,K], b [..,K,N] (or transposed). */
export function fusedMatMul(a: Tensor, b: Tensor, options: ProductOptions = {}): Tensor {
  const [y] = runCustom([a, b], (save) => {
    save([a, b]);
    return {
      outputs: [matMulNode(a, b, options)],
      backward: ([dy], [a, b]) => {
        const [da, db] = productGrads(a, b, dy, options, matMulNode);
        return [sumTo(da, a.shape), sumTo(db, b.shape)];
      },
    };
  });
  return y;
}

/** Gradients of alpha A B, each a product of `dy` with the other factor. */
function productGrads(
  a: Tensor,
  b: Tensor,
  dy: Tensor,
  { transposeA = false, transposeB = false, alpha = 1 }: ProductOptions,
  product: (a: Tensor, b: Tensor, options: ProductOptions) => Tensor,
): [Tensor, Tensor] {
  const da = transposeA
    ? product(b, dy, { transposeA: transposeB, transposeB: true, alpha })
    : product(dy, b, { transposeB: !transposeB, alpha });
  const db = transposeB
    ? product(dy, a, { transposeA: true, transposeB: transposeA, alpha })
    : product(a, dy, { transposeA: !transposeA, alpha });
  return [da, db];
}

function gemmNode(a: Tensor, b: Tensor, c: Tensor | undefined, options: GemmOptions): Tensor {
  const { beta = 1 } = options;
  const attributes = { ...attributesOf(options), ...(c ? { beta: { float: beta } } : {}) };
  return nativeOp('Gemm', [a, b, c], [{ dtype: 'float32', shape: shapeOf(a, b, options) }], attributes)[0];
}

function matMulNode(a: Tensor, b: Tensor, options: ProductOptions): Tensor {
  const outputs = [{ dtype: 'float32', shape: shapeOf(a, b, options) } as const];
  return nativeOp('FusedMatMul', [a, b], outputs, attributesOf(options), { domain: 'com.microsoft' })[0];
}

function attributesOf({ transposeA = false, transposeB = false, alpha = 1 }: ProductOptions) {
  return { transA: Number(transposeA), transB: Number(transposeB), alpha: { float: alpha } };
}

function shapeOf(a: Tensor, b: Tensor, { transposeA = false, transposeB = false }: ProductOptions): number[] {
  const [m, k] = lastTwo(a, transposeA);
  const [depth, n] = lastTwo(b, transposeB);
  if (k !== depth) throw new Error(`a product of [${a.shape}] and [${b.shape}] has no common axis`);
  const batch = tf.broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  return [...batch, m, n];
}

function lastTwo({ shape }: Tensor, transposed: boolean): [number, number] {
  const [rows, columns] = shape.slice(-2);
  return transposed ? [columns, rows] : [rows, columns];
}
