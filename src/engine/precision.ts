// In how many bits products are computed: what is traced or run right now may round the operands of its products to 16
// bits. Not where that is done (onnx/passes/autocast.ts, eager/rounded-products.ts).

/** A type of 16 bits that products are computed in. */
export type LowType = 'float16' | 'bfloat16';

let current: LowType | undefined;

/** The type that products made now are computed in; undefined: float32. */
export function productType(): LowType | undefined {
  return current;
}

/** Runs `fn`, whose products are computed in `type`. */
export function withProductType<R>(type: LowType | undefined, fn: () => R): R {
  const outer = current;
  current = type;
  try {
    return fn();
  } finally {
    current = outer;
  }
}

/**
 * Operators of ONNX that are computed in 16 bits, by their operands: products alone. All else stays in float32: norms, softmax,
 * losses, sums, exponentials, logarithms, and whatever is computed number by number.
 */
const LOW_OPERATORS: ReadonlySet<string> = new Set([
  'MatMul',
  'Gemm',
  'FusedMatMul',
  'Conv',
  'ConvTranspose',
]);

/** Whether an operator of ONNX, or of ONNX Runtime, is a product. */
export function isProduct(op: string): boolean {
  return LOW_OPERATORS.has(op);
}

/** The same of kernels of tfjs, with the names of their operands. The filter's gradient of a depthwise convolution is a sum. */
export const LOW_KERNELS: Readonly<Record<string, readonly [string, string]>> = {
  BatchMatMul: ['a', 'b'],
  Conv2D: ['x', 'filter'],
  Conv2DBackpropInput: ['dy', 'filter'],
  Conv2DBackpropFilter: ['x', 'dy'],
  DepthwiseConv2dNative: ['x', 'filter'],
  DepthwiseConv2dNativeBackpropInput: ['dy', 'filter'],
};

/** What a rehearsal does, as the end of a sentence. */
export function rehearsalOf(type: LowType): string {
  const rounded = type === 'float16' ? 'operands and results are' : 'operands are';
  return `their ${rounded} rounded to ${type}, and they are computed in float32, which takes about a tenth longer than precision 32`;
}
