// Kernels that rearrange values, and constants.
import { sizeOf } from '../../tensors.js';
import { tf } from '../../tf.js';
import { sameShape } from '../trace-values.js';
import {
  axesOf,
  dtypeOf,
  type Info,
  type Kernel,
  type KernelContext,
  type KernelTable,
  reshapeValue,
} from './kernel.js';
import { transposed } from './layout.js';

export function reshape(x: Info, shape: readonly number[], context: KernelContext): Info {
  const { backend } = context;
  if (sameShape(x.shape, shape) || backend.of(x).raw.length === 0) return backend.broadcast(x, shape);
  const dtype = backend.typeOf(x);
  const name = reshapeValue(backend.name(x, true), shape, dtype, context, x.shape);
  return backend.value(name, shape, dtype);
}

const slice: Kernel = ({ x }, { begin, size }, context) => {
  const { backend, graph } = context;
  const [start, length] = tf.slice_util.parseSliceParams(x as tf.Tensor, begin, size);
  if (sameShape(length, x.shape) && !backend.anyShape) return backend.broadcast(x, x.shape);
  const axes = start.map((_, i) => i).filter((i) => backend.anyShape || length[i] !== x.shape[i]);
  const int64 = (values: number[]) => graph.names.int64(values);
  const inputs = [
    backend.name(x),
    int64(axes.map((i) => start[i])),
    int64(axes.map((i) => start[i] + length[i])),
    int64(axes),
  ];
  return backend.value(graph.one('Slice', inputs), length, dtypeOf(x));
};

const stridedSlice: Kernel = ({ x }, attrs, context) => {
  const { backend, graph } = context;
  const info = tf.slice_util.sliceInfo(
    x.shape, attrs.begin, attrs.end, attrs.strides, attrs.beginMask, attrs.endMask, attrs.ellipsisMask, attrs.newAxisMask, attrs.shrinkAxisMask,
  ); // biome-ignore format: tfjs's argument list
  const axes = info.begin.map((_, i) => i);
  // A negative stride ends before index 0, which ONNX writes as a number below -size.
  const ends = info.end.map((end, i) => (info.strides[i] < 0 && end < 0 ? -(2 ** 31) : end));
  const inputs = [info.begin, ends, axes, info.strides].map((values) => graph.names.int64(values));
  const name = graph.one('Slice', [backend.name(x), ...inputs]);
  return reshape(backend.value(name, info.finalShapeSparse, dtypeOf(x)), info.finalShape, context);
};

const concat: Kernel = (inputs, { axis }, { backend, graph }) => {
  const all = Object.values(inputs);
  const at = axesOf(axis, all[0].shape)[0];
  const parts = backend.anyShape ? all : all.filter((x) => sizeOf(x.shape) > 0);
  if (parts.length <= 1) return backend.broadcast(parts[0] ?? all[0], (parts[0] ?? all[0]).shape);
  const shape = [...parts[0].shape];
  shape[at] = parts.reduce((sum, x) => sum + x.shape[at], 0);
  const name = graph.one(
    'Concat',
    parts.map((x) => backend.name(x)),
    { attributes: { axis: at } },
  );
  return backend.value(name, shape, dtypeOf(parts[0]));
};

const split: Kernel = ({ x }, { numOrSizeSplits, axis }, context) => {
  const { backend, graph } = context;
  const at = axesOf(axis, x.shape)[0];
  const sizes = tf.backend_util.prepareSplitSize(x as tf.Tensor, numOrSizeSplits, at);
  if (sizes.length === 1) return [backend.broadcast(x, x.shape)];
  if (sizes.length > backend.limits.mostOutputs) return splitTwice(x, sizes, at, context);
  const names = graph.emit('Split', [backend.name(x), graph.names.int64(sizes)], {
    attributes: { axis: at },
    outputs: sizes.length,
  });
  return names.map((name, i) => {
    const shape = [...x.shape];
    shape[at] = sizes[i];
    return backend.value(name, shape, dtypeOf(x));
  });
};

/** Into as many runs of parts as a node may have outputs, then each run into its parts. */
function splitTwice(x: Info, sizes: readonly number[], axis: number, context: KernelContext): Info[] {
  const length = Math.ceil(sizes.length / context.backend.limits.mostOutputs);
  const runs = Array.from({ length: Math.ceil(sizes.length / length) }, (_, i) =>
    sizes.slice(i * length, (i + 1) * length),
  );
  const sums = runs.map((run) => run.reduce((a, b) => a + b, 0));
  const parts = split({ x }, { numOrSizeSplits: sums, axis }, context) as Info[];
  return parts.flatMap((part, i) => split({ x: part }, { numOrSizeSplits: runs[i], axis }, context));
}

const pack: Kernel = (inputs, { axis }, context) => {
  const parts = Object.values(inputs);
  const at = axis < 0 ? axis + parts[0].shape.length + 1 : axis;
  const expanded = parts.map((x) => reshape(x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)], context));
  return concat(Object.fromEntries(expanded.map((x, i) => [i, x])), { axis: at }, context);
};

const unpack: Kernel = ({ value }, { axis }, context) => {
  const at = axesOf(axis, value.shape)[0];
  const rest = value.shape.filter((_, i) => i !== at);
  const parts = split({ x: value }, { numOrSizeSplits: value.shape[at], axis: at }, context) as Info[];
  return parts.map((part) => reshape(part, rest, context));
};

export const shapeKernels: KernelTable = {
  Reshape: ({ x }, { shape }, context) =>
    reshape(x, tf.util.inferFromImplicitShape(shape, tf.util.sizeFromShape(x.shape)), context),
  ExpandDims: ({ input }, { dim }, context) => {
    const shape = [...input.shape];
    shape.splice(dim < 0 ? shape.length + dim + 1 : dim, 0, 1);
    return reshape(input, shape, context);
  },
  Transpose: ({ x }, { perm }, { backend, graph }) => {
    const order = [...(perm as number[])];
    if (order.every((axis, i) => axis === i)) return backend.broadcast(x, x.shape);
    const shape = order.map((axis) => x.shape[axis]);
    if (backend.of(x).raw.length === 0) return backend.broadcast(x, shape);
    return backend.value(transposed(graph, backend.name(x), order), shape, dtypeOf(x));
  },
  Slice: slice,
  StridedSlice: stridedSlice,
  Concat: concat,
  SplitV: split,
  Pack: pack,
  Unpack: unpack,
  PadV2: ({ x }, { paddings, constantValue }, { backend, graph }) => {
    const pads = paddings as [number, number][];
    const shape = x.shape.map((dim, i) => dim + pads[i][0] + pads[i][1]);
    if (sameShape(shape, x.shape) && !backend.anyShape) return backend.broadcast(x, shape);
    const amounts = graph.names.int64([...pads.map((p) => p[0]), ...pads.map((p) => p[1])]);
    const value = backend.raw(backend.fill(constantValue, [], dtypeOf(x))).name;
    return backend.value(graph.one('Pad', [backend.name(x), amounts, value]), shape, dtypeOf(x));
  },
  Tile: ({ x }, { reps }, { backend, graph }) => {
    const shape = x.shape.map((dim, i) => dim * reps[i]);
    if (sameShape(shape, x.shape) && !backend.anyShape) return backend.broadcast(x, shape);
    return backend.value(graph.one('Tile', [backend.name(x), graph.names.int64(reps)]), shape, dtypeOf(x));
  },
  BroadcastTo: ({ x }, { shape }, { backend }) => backend.broadcast(x, shape),
  Reverse: ({ x }, { dims }, { backend, graph }) => {
    const axes = axesOf(dims, x.shape);
    const inputs = [axes.map(() => -1), axes.map(() => -(2 ** 31)), axes, axes.map(() => -1)];
    return backend.value(
      graph.one('Slice', [backend.name(x), ...inputs.map((v) => graph.names.int64(v))]),
      x.shape,
      dtypeOf(x),
    );
  },
  Fill: (_inputs, { shape, value, dtype }, { backend }) =>
    backend.fill(Number(value), shape, dtype ?? 'float32'),
  ZerosLike: ({ x }, _attrs, { backend }) => backend.fill(0, x.shape, dtypeOf(x)),
  OnesLike: ({ x }, _attrs, { backend }) => backend.fill(1, x.shape, dtypeOf(x)),
  Range: (_inputs, { start, stop, step, dtype }, { backend }) => {
    const count = Math.max(0, Math.ceil((stop - start) / step));
    const values = Array.from({ length: count }, (_, i) => start + i * step);
    const data = dtype === 'int32' ? Int32Array.from(values) : Float32Array.from(values);
    return { dataId: backend.write(data, [count], dtype), shape: [count], dtype };
  },
};
