// Depthwise convolutions and their gradients by the operators of native/, which take images as tfjs has them, with the channels last.
// ONNX Runtime's own compute them channel by channel, so that images are transposed, copied window by window and, for the filter's
// gradient, multiplied tap by tap.
import { productType } from '../../precision.js';
import type { tf } from '../../tf.js';
import { NATIVE_DOMAIN, type OnnxNode } from '../onnx-graph.js';
import type { Info, KernelContext } from './kernel.js';

/** As native/convolution-operators.c names them. */
type Operator = 'DepthwiseConv' | 'DepthwiseConvInputGradient' | 'DepthwiseConvFilterGradient';

/**
 * What the operator gives, [N,H,W,C] or a filter [H,W,C,1]; undefined where there is no such operator, where channels have several
 * filters, and where products are computed in 16 bits.
 */
export function nativeDepthwise(
  { backend, graph }: KernelContext,
  op: Operator,
  inputs: readonly Info[],
  c: tf.backend_util.Conv2DInfo,
  shape: readonly number[],
): Info | undefined {
  const isLow = op !== 'DepthwiseConvFilterGradient' && productType() !== undefined;
  if (backend.limits.convolutions === 'none' || c.outChannels !== c.inChannels || isLow) return undefined;
  const result = op === 'DepthwiseConvFilterGradient' ? shape.slice(0, 2) : shape.slice(1, 3);
  const attributes = { geometry: [...windowOf(c), ...result].join(' '), sizes: shape };
  const names = inputs.map((input) => backend.name(input));
  return backend.value(graph.one(op, names, { domain: NATIVE_DOMAIN, attributes }), shape, 'float32');
}

/** What the geometry of every operator of convolutions begins with; see native/convolution-operators.c. */
export function windowOf({ padInfo: p, ...c }: tf.backend_util.Conv2DInfo): readonly number[] {
  return [c.strideHeight, c.strideWidth, p.top, p.left, c.dilationHeight, c.dilationWidth];
}

/** The operator and inputs of a convolution that adds `bias` [C] itself; undefined if `node` is no such convolution without one. */
export function withBias(node: OnnxNode, bias: string): Pick<OnnxNode, 'inputs' | 'attributes'> | undefined {
  const { op, domain, inputs, attributes } = node;
  if (op !== 'DepthwiseConv' || domain !== NATIVE_DOMAIN || inputs.length !== 2) return undefined;
  return { inputs: [...inputs, bias], attributes };
}
