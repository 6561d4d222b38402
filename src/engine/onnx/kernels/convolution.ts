// 2-D convolutions (tfjs layout NHWC) and their gradients, through ONNX Conv and ConvTranspose (NCHW).
import { readsChannelsLast } from '../../layout-hint.js';
import { tf } from '../../tf.js';
import type { EmitOptions } from '../graph-builder.js';
import type { Attrs, Info, Kernel, KernelContext, KernelTable } from './kernel.js';
import { transposed } from './layout.js';
import { imageOfColumns, tapOfImage } from './native-columns.js';
import { nativeDepthwise } from './native-depthwise.js';

type ConvInfo = tf.backend_util.Conv2DInfo;

function convInfo(
  x: readonly number[],
  filter: readonly number[],
  attrs: Attrs,
  depthwise = false,
): ConvInfo {
  if (attrs.dataFormat && attrs.dataFormat !== 'NHWC') throw new Error('convolutions take NHWC only');
  return tf.backend_util.computeConv2DInfo(
    x as [number, number, number, number],
    filter as [number, number, number, number],
    attrs.strides,
    attrs.dilations ?? 1,
    attrs.pad,
    attrs.dimRoundingMode,
    depthwise,
  );
}

const padsOf = ({ padInfo: p }: ConvInfo): number[] => [p.top, p.left, p.bottom, p.right];
const stridesOf = (c: ConvInfo): number[] => [c.strideHeight, c.strideWidth];
const dilationsOf = (c: ConvInfo): number[] => [c.dilationHeight, c.dilationWidth];

/** An operator whose result is an intermediate of these kernels; its shape serves estimates of memory. */
function one(
  { graph, backend }: KernelContext,
  op: string,
  inputs: readonly string[],
  shape: readonly number[],
  attributes: EmitOptions['attributes'] = {},
): string {
  const name = graph.one(op, inputs, { attributes });
  backend.value(name, shape, 'float32');
  return name;
}

/** Described, too: what is not has no place in the planned block. */
function transpose({ graph, backend }: KernelContext, x: Info, perm: readonly number[]): string {
  const name = transposed(graph, backend.name(x), perm);
  backend.value(name, perm.map((axis) => x.shape[axis]), 'float32'); // biome-ignore format: one line reads better
  return name;
}

const toNchw = (context: KernelContext, x: Info): string => transpose(context, x, [0, 3, 1, 2]);
const nchw = ([n, h, w, c]: readonly number[]): number[] => [n, c, h, w];
const toNhwc = ({ graph }: KernelContext, name: string): string => transposed(graph, name, [0, 2, 3, 1]);

/** Rows/columns of input that the last window does not reach: ConvTranspose must add them back. */
function outputPadding(c: ConvInfo): number[] {
  const rest = (
    size: number,
    out: number,
    stride: number,
    k: number,
    dilation: number,
    before: number,
    after: number,
  ) => size - (stride * (out - 1) + (k - 1) * dilation + 1 - before - after);
  const p = c.padInfo;
  return [
    rest(c.inHeight, c.outHeight, c.strideHeight, c.filterHeight, c.dilationHeight, p.top, p.bottom),
    rest(c.inWidth, c.outWidth, c.strideWidth, c.filterWidth, c.dilationWidth, p.left, p.right),
  ];
}

/** [kh,kw,in,mult] filter as ONNX's grouped [in·mult,1,kh,kw]. */
function groupedFilter(context: KernelContext, filter: Info, c: ConvInfo): string {
  const moved = transpose(context, filter, [2, 3, 0, 1]);
  const shape = [c.outChannels, 1, c.filterHeight, c.filterWidth];
  return one(context, 'Reshape', [moved, context.graph.names.int64(shape)], shape);
}

/** Below this many input channels the filter's gradient is one product of copied windows, not one a tap. */
const FEW_CHANNELS = 8;

const conv2d: Kernel = ({ x, filter }, attrs, context) => {
  const c = convInfo(x.shape, filter.shape, attrs);
  const isLast = readsChannelsLast() && context.backend.limits.convolutions !== 'none';
  if (c.inChannels === 1 && isLast) return ofWindows(context, x, filter, c);
  const inputs = [toNchw(context, x), transpose(context, filter, [3, 2, 0, 1])];
  const attributes = { pads: padsOf(c), strides: stridesOf(c), dilations: dilationsOf(c) };
  const name = one(context, 'Conv', inputs, nchw(c.outShape), attributes);
  return context.backend.value(toNhwc(context, name), c.outShape, 'float32');
};

const conv2dInputGradient: Kernel = ({ dy, filter }, attrs, context) => {
  const c = convInfo(attrs.inputShape, filter.shape, attrs);
  const ofColumns = imageOfColumns(context, dy, filter, c);
  if (ofColumns) return ofColumns;
  const inputs = [toNchw(context, dy), transpose(context, filter, [3, 2, 0, 1])];
  const attributes = {
    pads: padsOf(c),
    strides: stridesOf(c),
    dilations: dilationsOf(c),
    output_padding: outputPadding(c),
  };
  const name = one(context, 'ConvTranspose', inputs, nchw(attrs.inputShape), attributes);
  return context.backend.value(toNhwc(context, name), attrs.inputShape, 'float32');
};

/** One product of copied windows: channels come out last, as the operators of native/ take them. Of one channel, with the bits of Conv. */
function ofWindows(context: KernelContext, x: Info, filter: Info, c: ConvInfo): Info {
  const { backend, graph } = context;
  const rows = windows(context, x, c);
  const weights = graph.one('Reshape', [
    backend.name(filter),
    graph.names.int64([rows.columns, c.outChannels]),
  ]);
  const size = c.batchSize * c.outHeight * c.outWidth;
  const product = one(context, 'Gemm', [rows.name, weights], [size, c.outChannels]);
  return backend.value(graph.one('Reshape', [product, graph.names.int64(c.outShape)]), c.outShape, 'float32');
}

/** Every output position's window of x as a row: [N·outH·outW, kh·kw·in]. */
function windows(context: KernelContext, x: Info, c: ConvInfo): { name: string; columns: number } {
  const { graph } = context;
  const taps = tapsOf(context, x, c);
  const columns = taps.length * c.inChannels;
  const shape = [c.batchSize, c.outHeight, c.outWidth, columns];
  const all = taps.length === 1 ? taps[0] : one(context, 'Concat', taps, shape, { axis: 3 });
  const rows = c.batchSize * c.outHeight * c.outWidth;
  return { name: graph.one('Reshape', [all, graph.names.int64([rows, columns])]), columns };
}

/** What each filter tap multiplies of x [N,H,W,C], [N,outH,outW,C] each, the kernel's rows one after the other. */
function tapsOf(context: KernelContext, x: Info, c: ConvInfo): string[] {
  const places = Array.from({ length: c.filterHeight * c.filterWidth }, (_, tap) => {
    return [Math.floor(tap / c.filterWidth), tap % c.filterWidth] as const;
  });
  const native = places.map((place) => tapOfImage(context, x, c, place));
  if (native.every((tap) => tap !== undefined)) return native;
  const padded = pad(context, x, c);
  return places.map(([i, j]) => tapView(context, padded, c, i, j));
}

function pad(context: KernelContext, x: Info, { padInfo: p, ...c }: ConvInfo): string {
  const before = context.graph.names.int64([0, p.top, p.left, 0, 0, p.bottom, p.right, 0]);
  const shape = [c.batchSize, c.inHeight + p.top + p.bottom, c.inWidth + p.left + p.right, c.inChannels];
  return one(context, 'Pad', [context.backend.name(x), before], shape);
}

/** The part of padded x [N,H,W,C] that filter tap (i, j) multiplies, [N,outH,outW,C]. */
function tapView(context: KernelContext, padded: string, c: ConvInfo, i: number, j: number): string {
  const top = i * c.dilationHeight;
  const left = j * c.dilationWidth;
  const bottom = top + (c.outHeight - 1) * c.strideHeight + 1;
  const right = left + (c.outWidth - 1) * c.strideWidth + 1;
  const parts = [
    [top, left],
    [bottom, right],
    [1, 2],
    [c.strideHeight, c.strideWidth],
  ];
  const shape = [c.batchSize, c.outHeight, c.outWidth, c.inChannels];
  return one(context, 'Slice', [padded, ...parts.map((v) => context.graph.names.int64(v))], shape);
}

/** dW = Σ over windows of x ⊗ dy: one matrix product per filter tap, on a strided view of x. */
const conv2dFilterGradient: Kernel = ({ x, dy }, attrs, context) => {
  const { backend, graph } = context;
  const c = convInfo(x.shape, attrs.filterShape, attrs);
  const rows = c.batchSize * c.outHeight * c.outWidth;
  const gradient = graph.one('Reshape', [backend.name(dy), graph.names.int64([rows, c.outChannels])]);
  if (c.inChannels < FEW_CHANNELS) {
    const product = graph.one('Gemm', [windows(context, x, c).name, gradient], {
      attributes: { transA: 1, transB: 0 },
    });
    const name = graph.one('Reshape', [product, graph.names.int64(attrs.filterShape)]);
    return backend.value(name, attrs.filterShape, 'float32');
  }
  const taps = tapsOf(context, x, c).map((view) => {
    const flat = graph.one('Reshape', [view, graph.names.int64([rows, c.inChannels])]);
    const tap = one(context, 'Gemm', [flat, gradient], [c.inChannels, c.outChannels], { transA: 1 });
    return graph.one('Reshape', [tap, graph.names.int64([1, c.inChannels, c.outChannels])]);
  });
  const stacked = taps.length === 1 ? taps[0] : graph.one('Concat', taps, { attributes: { axis: 0 } });
  return backend.value(
    graph.one('Reshape', [stacked, graph.names.int64(attrs.filterShape)]),
    attrs.filterShape,
    'float32',
  );
};

const depthwise: Kernel = ({ x, filter }, attrs, context) => {
  const c = convInfo(x.shape, filter.shape, attrs, true);
  const native = nativeDepthwise(context, 'DepthwiseConv', [x, filter], c, c.outShape);
  if (native) return native;
  const inputs = [toNchw(context, x), groupedFilter(context, filter, c)];
  const attributes = {
    group: c.inChannels,
    pads: padsOf(c),
    strides: stridesOf(c),
    dilations: dilationsOf(c),
  };
  const name = one(context, 'Conv', inputs, nchw(c.outShape), attributes);
  return context.backend.value(toNhwc(context, name), c.outShape, 'float32');
};

const depthwiseInputGradient: Kernel = ({ dy, filter }, attrs, context) => {
  const { backend } = context;
  const c = convInfo(attrs.inputShape, filter.shape, attrs, true);
  const native = nativeDepthwise(context, 'DepthwiseConvInputGradient', [dy, filter], c, attrs.inputShape);
  if (native) return native;
  const inputs = [toNchw(context, dy), groupedFilter(context, filter, c)];
  const apart = backend.limits.plainGroups && c.outChannels !== c.inChannels;
  const attributes = {
    group: apart ? c.outChannels : c.inChannels,
    pads: padsOf(c),
    strides: stridesOf(c),
    dilations: dilationsOf(c),
    output_padding: outputPadding(c),
  };
  const shape = nchw(attrs.inputShape);
  const name = apart
    ? sumOfChannels(
        context,
        one(context, 'ConvTranspose', inputs, [shape[0], c.outChannels, shape[2], shape[3]], attributes),
        shape,
        c,
      )
    : one(context, 'ConvTranspose', inputs, shape, attributes);
  return backend.value(toNhwc(context, name), attrs.inputShape, 'float32');
};

/** From one image for each output channel, [N,in·mult,H,W], the sums over those of an input channel, [N,in,H,W]. */
function sumOfChannels(
  context: KernelContext,
  name: string,
  [n, channels, h, w]: readonly number[],
  { outChannels }: ConvInfo,
): string {
  const { names } = context.graph;
  const grouped = [n, channels, outChannels / channels, h, w];
  const parts = one(context, 'Reshape', [name, names.int64(grouped)], grouped);
  return one(context, 'ReduceSum', [parts, names.int64([2])], [n, channels, h, w], { keepdims: 0 });
}

/** Per tap: sum over positions of x·dy, channel by channel. */
const depthwiseFilterGradient: Kernel = ({ x, dy }, attrs, context) => {
  const { backend, graph } = context;
  const c = convInfo(x.shape, attrs.filterShape, attrs, true);
  const native = nativeDepthwise(context, 'DepthwiseConvFilterGradient', [x, dy], c, attrs.filterShape);
  if (native) return native;
  const multiplier = c.outChannels / c.inChannels;
  const outShape = [c.batchSize, c.outHeight, c.outWidth];
  const gradient = graph.one('Reshape', [
    backend.name(dy),
    graph.names.int64([...outShape, c.inChannels, multiplier]),
  ]);
  const taps = tapsOf(context, x, c).map((tap) => {
    const view = graph.one('Reshape', [tap, graph.names.int64([...outShape, c.inChannels, 1])]);
    const product = graph.one('Mul', [view, gradient]);
    return graph.one('ReduceSum', [product, graph.names.int64([0, 1, 2])], { attributes: { keepdims: 0 } });
  });
  const stacked = taps.length === 1 ? taps[0] : graph.one('Concat', taps, { attributes: { axis: 0 } });
  return backend.value(
    graph.one('Reshape', [stacked, graph.names.int64(attrs.filterShape)]),
    attrs.filterShape,
    'float32',
  );
};

export const convolutionKernels: KernelTable = {
  Conv2D: conv2d,
  Conv2DBackpropInput: conv2dInputGradient,
  Conv2DBackpropFilter: conv2dFilterGradient,
  DepthwiseConv2dNative: depthwise,
  DepthwiseConv2dNativeBackpropInput: depthwiseInputGradient,
  DepthwiseConv2dNativeBackpropFilter: depthwiseFilterGradient,
};
