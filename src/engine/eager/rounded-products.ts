// Products in 16 bits, in engines that run op by op: the operands are rounded, and for float16 the result, as in the rehearsal of
// compiled programs (onnx/passes/autocast.ts), so that the numbers agree.
import { LOW_KERNELS, type LowType, productType } from '../precision.js';
import { type Tensor, tf } from '../tf.js';
import { cast } from './foreign-types.js';

type KernelParams = Parameters<tf.KernelFunc>[0];

const wrapped = new Set<string>();

/** Idempotent. Call once `backend`'s own kernels are registered. */
export function addRoundedProducts(backend: string): void {
  if (wrapped.has(backend)) return;
  wrapped.add(backend);
  for (const [kernelName, operands] of Object.entries(LOW_KERNELS)) {
    const original = tf.getKernel(kernelName, backend)?.kernelFunc;
    if (!original) continue;
    tf.unregisterKernel(kernelName, backend);
    tf.registerKernel({
      kernelName,
      backendName: backend,
      kernelFunc: (params) => {
        const type = productType();
        return type ? roundedProduct(original, params, operands, type) : original(params);
      },
    });
  }
}

function roundedProduct(
  original: tf.KernelFunc,
  params: KernelParams,
  operands: readonly string[],
  type: LowType,
): tf.TensorInfo | tf.TensorInfo[] {
  const rounded = operands.map((name) => [name, roundedTo(type, params.inputs[name] as Tensor)] as const);
  const inputs = { ...params.inputs, ...Object.fromEntries(rounded) };
  const product = original({ ...params, inputs }) as tf.TensorInfo;
  for (const [, tensor] of rounded) tensor.dispose();
  if (type === 'bfloat16') return product;
  const exact = tf.engine().makeTensorFromTensorInfo(product);
  const result = roundedTo(type, exact);
  exact.dispose();
  return result;
}

function roundedTo(type: LowType, x: Tensor): Tensor {
  const low = cast(x, type);
  const result = cast(low, 'float32');
  low.dispose();
  return result;
}
