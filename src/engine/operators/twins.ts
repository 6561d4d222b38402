// What native operators compute, in ops of tfjs, by domain and name: for engines and providers without a kernel. The
// formulas are those of the operators' documentation (ONNX opset 18; ONNX Runtime's ContribOperators.md).
import type { NativeAttributes, Twin } from '../scope.js';
import { type Tensor, tf } from '../tf.js';
import { groupQueryAttention, rotaryEmbedding } from './attention-twins.js';
import { fractionOf, numberOf } from './attributes.js';
import { matMulNBits } from './quantized-twin.js';

/** Mean and 1 / √(variance + epsilon) over the axes from `axis` on, kept with size 1. */
const layerNormalization: Twin = ([x, scale, bias], attributes) => {
  const input = x as Tensor;
  const axes = lastAxes(input, numberOf(attributes, 'axis', -1));
  const mean = tf.mean(input, axes, true);
  const centred = tf.sub(input, mean);
  const variance = tf.mean(tf.square(centred), axes, true);
  const inverse = tf.rsqrt(tf.add(variance, tf.scalar(fractionOf(attributes, 'epsilon', 1e-5))));
  const scaled = tf.mul(tf.mul(centred, inverse), scale as Tensor);
  return [bias ? tf.add(scaled, bias) : scaled, mean, inverse];
};

/** RMSNorm: no mean is taken away. */
const simplifiedLayerNormalization: Twin = ([x, scale], attributes) => {
  const input = x as Tensor;
  const axes = lastAxes(input, numberOf(attributes, 'axis', -1));
  const square = tf.mean(tf.square(input), axes, true);
  const inverse = tf.rsqrt(tf.add(square, tf.scalar(fractionOf(attributes, 'epsilon', 1e-5))));
  return [tf.mul(tf.mul(input, inverse), scale as Tensor), inverse];
};

/** x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³))), of x plus a bias if there is one. */
const fastGelu: Twin = ([given, bias]) => {
  const x = bias ? tf.add(given as Tensor, bias) : (given as Tensor);
  const cubic = tf.add(x, tf.mul(tf.mul(tf.square(x), x), tf.scalar(0.044715)));
  const inner = tf.mul(cubic, tf.scalar(Math.sqrt(2 / Math.PI)));
  return [tf.mul(tf.mul(x, tf.scalar(0.5)), tf.add(tf.tanh(inner), tf.scalar(1)))];
};

/** x/2 · (1 + erf(x / √2)). */
const gelu: Twin = ([x]) => {
  const inner = tf.erf(tf.mul(x as Tensor, tf.scalar(Math.SQRT1_2)));
  return [tf.mul(tf.mul(x as Tensor, tf.scalar(0.5)), tf.add(inner, tf.scalar(1)))];
};

/** x · sigmoid(alpha x). */
const quickGelu: Twin = ([x], attributes) => {
  const alpha = tf.scalar(fractionOf(attributes, 'alpha', 1.702));
  return [tf.mul(x as Tensor, tf.sigmoid(tf.mul(x as Tensor, alpha)))];
};

/** alpha A B + beta C, of matrices. */
const gemm: Twin = ([a, b, c], attributes) => {
  const product = scaledProduct(a as Tensor, b as Tensor, attributes);
  return [c ? tf.add(product, scaled(c, fractionOf(attributes, 'beta', 1))) : product];
};

/** alpha A B, with leading axes. */
const fusedMatMul: Twin = ([a, b], attributes) => [scaledProduct(a as Tensor, b as Tensor, attributes)];

function scaledProduct(a: Tensor, b: Tensor, attributes: NativeAttributes): Tensor {
  const [transA, transB] = ['transA', 'transB'].map((key) => numberOf(attributes, key, 0) !== 0);
  return scaled(tf.matMul(a, b, transA, transB), fractionOf(attributes, 'alpha', 1));
}

function scaled(x: Tensor, factor: number): Tensor {
  return factor === 1 ? x : tf.mul(x, tf.scalar(factor));
}

function lastAxes(x: Tensor, axis: number): number[] {
  const first = axis < 0 ? axis + x.shape.length : axis;
  return x.shape.map((_, i) => i).filter((i) => i >= first);
}

/** By name, with the domain before it if it is not that of ONNX. */
export const twins: ReadonlyMap<string, Twin> = new Map([
  ['LayerNormalization', layerNormalization],
  ['SimplifiedLayerNormalization', simplifiedLayerNormalization],
  ['Gemm', gemm],
  ['com.microsoft.FusedMatMul', fusedMatMul],
  ['com.microsoft.FastGelu', fastGelu],
  ['com.microsoft.Gelu', gelu],
  ['com.microsoft.QuickGelu', quickGelu],
  ['com.microsoft.RotaryEmbedding', rotaryEmbedding],
  ['com.microsoft.GroupQueryAttention', groupQueryAttention],
  ['com.microsoft.MatMulNBits', matMulNBits],
]);
