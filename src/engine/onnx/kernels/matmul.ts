// Matrix products and lookups by index.
import { sizeOf } from '../../tensors.js';
import { tf } from '../../tf.js';
import type { GraphBuilder } from '../graph-builder.js';
import { castTo } from './elementwise.js';
import { axesOf, dtypeOf, type Info, type Kernel, type KernelTable } from './kernel.js';

const matMul: Kernel = ({ a, b }, { transposeA, transposeB }, { backend, graph }) => {
  const [ra, rb] = [a.shape.length, b.shape.length];
  const rows = a.shape[ra - (transposeA ? 1 : 2)];
  const columns = b.shape[rb - (transposeB ? 2 : 1)];
  const batch = tf.broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const inputs = [backend.name(a), backend.name(b)];
  const attributes = { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0 };
  if (ra === 2 && rb === 2)
    return backend.value(graph.one('Gemm', inputs, { attributes }), [rows, columns], 'float32');
  const name =
    !transposeA && !transposeB
      ? graph.one('MatMul', inputs)
      : backend.limits.standardOperators
        ? graph.one('MatMul', [
            transposeA ? swapLast(graph, inputs[0], ra) : inputs[0],
            transposeB ? swapLast(graph, inputs[1], rb) : inputs[1],
          ])
        : graph.one('FusedMatMul', inputs, { attributes, domain: 'com.microsoft' });
  return backend.value(name, [...batch, rows, columns], 'float32');
};

/** The value `name` of `rank` axes with the last two exchanged. */
function swapLast(graph: GraphBuilder, name: string, rank: number): string {
  const perm = Array.from({ length: rank }, (_, axis) => axis);
  [perm[rank - 2], perm[rank - 1]] = [rank - 1, rank - 2];
  return graph.one('Transpose', [name], { attributes: { perm } });
}

const oneHot: Kernel = ({ indices }, { depth, onValue, offValue, dtype }, { backend, graph }) => {
  // ONNX Runtime's OneHot lacks the int32 combination: compare with 0..depth-1 instead.
  const column = graph.one('Reshape', [backend.name(indices), graph.names.int64([...indices.shape, 1])]);
  const range = {
    dataId: backend.write(
      Int32Array.from({ length: depth }, (_, i) => i),
      [depth],
      'int32',
    ),
    shape: [depth],
    dtype: 'int32',
  } as Info;
  const hit = graph.one('Equal', [column, backend.raw(range).name]);
  const type = dtype ?? 'int32';
  const name = graph.one('Where', [
    hit,
    backend.raw(backend.fill(onValue, [], type)).name,
    backend.raw(backend.fill(offValue, [], type)).name,
  ]);
  return backend.value(name, [...indices.shape, depth], type);
};

/**
 * Rows of x [N, ...] added into the rows of zeros [numSegments, ...] that the ids [N] name. Element by element, by
 * ScatterElements over flat indices: the CPU provider's ScatterND, which takes whole rows, lets its threads add into
 * one row at the same time where an id repeats, and loses some of what they add. ScatterElements is one thread's work
 * there and adds in the order of x, so the sums do not depend on the number of threads.
 */
const unsortedSegmentSum: Kernel = ({ x, segmentIds }, { numSegments }, { backend, graph }) => {
  if (segmentIds.shape.length !== 1) throw new Error('unsortedSegmentSum wants a vector of segment ids');
  const [rows, ...rest] = x.shape;
  const width = sizeOf(rest);
  const int64 = (values: readonly number[]) => graph.names.int64(values);
  const int32 = (values: Int32Array, shape: readonly number[]) =>
    graph.names.constant(new Uint8Array(values.buffer), shape, 'int32');
  const column = graph.one('Reshape', [backend.name(segmentIds), int64([rows, 1])]);
  const starts = graph.one('Mul', [column, int32(Int32Array.of(width), [])]);
  const within = int32(Int32Array.from({ length: width }, (_, i) => i), [1, width]); // biome-ignore format: one table
  const indices = graph.one('Add', [starts, within]);
  backend.value(indices, [rows, width], 'int32');
  const zeros = backend.name(backend.fill(0, [numSegments * width], dtypeOf(x)));
  const flat = (name: string) => graph.one('Reshape', [name, int64([rows * width])]);
  const sums = graph.one('ScatterElements', [zeros, flat(indices), flat(backend.name(x))], {
    attributes: { axis: 0, reduction: 'add' },
  });
  backend.value(sums, [numSegments * width], dtypeOf(x));
  const shape = [numSegments, ...rest];
  return backend.value(graph.one('Reshape', [sums, int64(shape)]), shape, dtypeOf(x));
};

export const matmulKernels: KernelTable = {
  BatchMatMul: matMul,
  OneHot: oneHot,
  GatherV2: ({ x, indices }, { axis, batchDims }, { backend, graph }) => {
    if (batchDims) throw new Error('gather with batchDims is not supported; use oneHot and matMul');
    const at = axesOf(axis, x.shape)[0];
    const name = graph.one('Gather', [backend.name(x), backend.name(indices)], { attributes: { axis: at } });
    return backend.value(
      name,
      [...x.shape.slice(0, at), ...indices.shape, ...x.shape.slice(at + 1)],
      dtypeOf(x),
    );
  },
  UnsortedSegmentSum: unsortedSegmentSum,
  _FusedMatMul: ({ a, b, bias }, { transposeA, transposeB, activation }, context) => {
    const product = matMul({ a, b }, { transposeA, transposeB }, context) as Info;
    const { backend, graph } = context;
    let name = backend.name(product);
    if (bias) name = graph.one('Add', [name, backend.raw(bias).name]);
    const op = { linear: '', relu: 'Relu', sigmoid: 'Sigmoid', tanh: 'Tanh' }[activation as string];
    if (op === undefined) throw new Error(`activation ${activation} of a fused product is not supported`);
    if (op) name = graph.one(op, [name]);
    return backend.value(name, product.shape, 'float32');
  },
  EuclideanNorm: ({ x }, { axis, keepDims }, context) => {
    const { backend, graph } = context;
    const input = dtypeOf(x) === 'float32' ? x : castTo(x, 'float32', context);
    const axes = axesOf(axis, x.shape);
    const name = graph.one('ReduceL2', [backend.name(input), graph.names.int64(axes)], {
      attributes: { keepdims: keepDims ? 1 : 0 },
    });
    const shape = keepDims
      ? x.shape.map((d, i) => (axes.includes(i) ? 1 : d))
      : x.shape.filter((_, i) => !axes.includes(i));
    return backend.value(name, shape, 'float32');
  },
};
