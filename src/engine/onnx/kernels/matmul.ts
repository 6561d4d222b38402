// Matrix products and lookups by index.
import { sizeOf } from '../../tensors.js';
import { tf } from '../../tf.js';
import type { GraphBuilder } from '../graph-builder.js';
import { onnxType } from '../onnx-graph.js';
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

const MOST_INT32 = 2 ** 31 - 1;

/**
 * Rows of x [N, ...] added into the rows of zeros [numSegments, ...] that the ids [N] name. Rows whose id names none are
 * left out, as tfjs's own kernels do: zeros are added to the first row in their place, since a negative index would count from the
 * end here. (One row more, which is cut off, would mean a copy of the table: 64 MiB of a GPT's, whose rows take 4.)
 *
 * Element by element, by ScatterElements over flat indices: the CPU provider's ScatterND, which takes whole rows, lets
 * its threads add into one row at the same time where an id repeats, and loses some of what they add. ScatterElements is
 * one thread's work there and adds in the order of x, so the sums do not depend on the number of threads. It is the
 * fastest right form that was found: 6 ms of CPU for 1,600 rows of 384 into 1,025, where ScatterND takes 2, rows of
 * indices instead of flat ones 13, and a product with one-hot rows 28. (ScatterNDs in a row of so few rows each that
 * ONNX Runtime gives them to one thread take 3, but only a constant of its scheduler makes them right.)
 */
const unsortedSegmentSum: Kernel = ({ x, segmentIds }, { numSegments }, { backend, graph }) => {
  if (segmentIds.shape.length !== 1) throw new Error('unsortedSegmentSum wants a vector of segment ids');
  const dtype = dtypeOf(x);
  const [rows, ...rest] = x.shape;
  const width = sizeOf(rest);
  const size = numSegments * width;
  const shape = [numSegments, ...rest];
  const zero = backend.fill(0, [size], dtype);
  if (size === 0 || rows === 0) return backend.fill(0, shape, dtype);
  const int64 = (values: readonly number[]) => graph.names.int64(values);
  const flat = (name: string) => graph.one('Reshape', [name, int64([rows * width])]);
  const ids = backend.name(segmentIds);
  const isRow = namesRow(ids, numSegments, graph);
  const row = graph.one('Where', [isRow, ids, graph.names.constant(int32Bytes([0]), [], 'int32')]);
  const indices = flatIndices(row, [rows, width], size, graph);
  const table = graph.one('Reshape', [backend.name(x), int64([rows, width])]);
  const counted = graph.one('Where', [
    graph.one('Reshape', [isRow, int64([rows, 1])]),
    table,
    backend.name(backend.fill(0, [], dtype)),
  ]);
  backend.value(counted, [rows, width], dtype);
  const sums = graph.one('ScatterElements', [backend.name(zero), flat(indices), flat(counted)], {
    attributes: { axis: 0, reduction: 'add' },
  });
  backend.value(sums, [size], dtype);
  return backend.value(graph.one('Reshape', [sums, int64(shape)]), shape, dtype);
};

/** Whether each id is in [0, count). */
function namesRow(ids: string, count: number, graph: GraphBuilder): string {
  const number = (value: number) => graph.names.constant(int32Bytes([value]), [], 'int32');
  const isNegative = graph.one('Less', [ids, number(0)]);
  return graph.one('And', [graph.one('Not', [isNegative]), graph.one('Less', [ids, number(count)])]);
}

/**
 * Where the elements of [N, width] rows lie in a flat table of `size` elements, for the row of the table [N] that each is
 * for. In int64 only where int32 does not reach: it takes twice the memory.
 */
function flatIndices(
  row: string,
  shape: readonly [number, number],
  size: number,
  graph: GraphBuilder,
): string {
  const [rows, width] = shape;
  const column = graph.one('Reshape', [row, graph.names.int64([rows, 1])]);
  const places = Array.from({ length: width }, (_, i) => i);
  const int64 = (values: readonly number[]) => graph.names.int64(values);
  if (size - 1 > MOST_INT32) {
    const wide = graph.one('Cast', [column], { attributes: { to: onnxType.int64 } });
    return graph.one('Add', [graph.one('Mul', [wide, int64([width])]), int64(places)]);
  }
  const int32 = (values: readonly number[], dims: readonly number[]) =>
    graph.names.constant(int32Bytes(values), dims, 'int32');
  return graph.one('Add', [graph.one('Mul', [column, int32([width], [])]), int32(places, [1, width])]);
}

const int32Bytes = (values: readonly number[]) => new Uint8Array(Int32Array.from(values).buffer);

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
