// tfjs-node's convolutions know the paddings `same` and `valid` only. These kernels stand before them and
// turn explicit padding into a Pad (or, for the input's gradient, a Slice) around a `valid` convolution.
import { type Tensor, tf } from '../tf.js';

type Padding = string | number | readonly (readonly [number, number])[];
interface ConvAttrs {
  readonly pad: Padding;
  readonly dataFormat?: string;
  readonly inputShape?: readonly number[];
}
type KernelParams = Parameters<tf.KernelFunc>[0];
/** How a kernel's tensors are padded: `input` named among its inputs, or its result, which is the input's gradient. */
type Role = { readonly pads: 'x' } | { readonly pads: 'result' };

const KERNELS: Readonly<Record<string, Role>> = {
  Conv2D: { pads: 'x' },
  Conv2DBackpropFilter: { pads: 'x' },
  Conv2DBackpropInput: { pads: 'result' },
  DepthwiseConv2dNative: { pads: 'x' },
  DepthwiseConv2dNativeBackpropFilter: { pads: 'x' },
  DepthwiseConv2dNativeBackpropInput: { pads: 'result' },
};

const wrapped = new Set<string>();

/** Idempotent. Call once `backend`'s own kernels are registered. Tensors are NHWC, as tfjs's default. */
export function addExplicitPadding(backend: string): void {
  if (wrapped.has(backend)) return;
  wrapped.add(backend);
  for (const [kernelName, role] of Object.entries(KERNELS)) {
    const original = tf.getKernel(kernelName, backend)?.kernelFunc;
    if (!original) continue;
    tf.unregisterKernel(kernelName, backend);
    tf.registerKernel({
      kernelName,
      backendName: backend,
      kernelFunc: (params) => {
        const attrs = params.attrs as unknown as ConvAttrs;
        const amounts = explicitAmounts(attrs.pad);
        if (!amounts) return original(params);
        return role.pads === 'x'
          ? padInput(original, params, amounts)
          : cropResult(original, params, amounts);
      },
    });
  }
}

/** Padding of [N, H, W, C] as pairs, or undefined for `same` and `valid`. */
function explicitAmounts(pad: Padding): [number, number][] | undefined {
  if (typeof pad === 'string') return undefined;
  if (typeof pad !== 'number') return pad.map(([before, after]) => [before, after]);
  return [
    [0, 0],
    [pad, pad],
    [pad, pad],
    [0, 0],
  ];
}

function padInput(original: tf.KernelFunc, params: KernelParams, amounts: [number, number][]) {
  const padded = tf.pad(params.inputs['x'] as Tensor, amounts);
  const result = original({
    ...params,
    inputs: { ...params.inputs, x: padded },
    attrs: { ...params.attrs, pad: 'valid' },
  });
  padded.dispose();
  return result;
}

function cropResult(original: tf.KernelFunc, params: KernelParams, amounts: [number, number][]) {
  const shape = (params.attrs as unknown as ConvAttrs).inputShape as readonly number[];
  const inputShape = shape.map((size, axis) => size + amounts[axis][0] + amounts[axis][1]);
  const wholeResult = original({ ...params, attrs: { ...params.attrs, pad: 'valid', inputShape } });
  const tensor = tf.engine().makeTensorFromTensorInfo(wholeResult as tf.TensorInfo);
  const result = tf.slice(
    tensor,
    amounts.map(([before]) => before),
    [...shape],
  );
  tensor.dispose();
  return result;
}
