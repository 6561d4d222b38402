// Reductions, softmax, cumulative sums.
import type { DType } from '../../tensors.js';
import { castTo } from './elementwise.js';
import {
  axesOf,
  dtypeOf,
  emit,
  type Info,
  type Kernel,
  type KernelContext,
  type KernelTable,
} from './kernel.js';

function reduced(shape: readonly number[], axes: readonly number[], keepDims: boolean): number[] {
  if (keepDims) return shape.map((dim, i) => (axes.includes(i) ? 1 : dim));
  return shape.filter((_, i) => !axes.includes(i));
}

function reduce(
  op: string,
  x: Info,
  axes: number[],
  keepDims: boolean,
  { backend, graph }: KernelContext,
): Info {
  const shape = reduced(x.shape, axes, keepDims);
  if (axes.length === 0) return backend.broadcast(x, x.shape);
  const name = graph.one(op, [backend.name(x), graph.names.int64(axes)], {
    attributes: { keepdims: keepDims ? 1 : 0 },
  });
  return backend.value(name, shape, dtypeOf(x));
}

const reduction =
  (op: string, axisKey = 'axis'): Kernel =>
  ({ x }, attrs, context) => {
    const input = dtypeOf(x) === 'bool' ? castTo(x, 'int32', context) : x;
    return reduce(op, input, axesOf(attrs[axisKey], x.shape), attrs.keepDims ?? false, context);
  };

/** any/all: bools through int32, which ReduceMax and ReduceMin take. */
const logical =
  (op: string): Kernel =>
  ({ x }, attrs, context) =>
    castTo(
      reduce(op, castTo(x, 'int32', context), axesOf(attrs.axis, x.shape), attrs.keepDims ?? false, context),
      'bool',
      context,
    );

const arg =
  (op: string): Kernel =>
  ({ x }, { axis }, context) => {
    const at = axesOf(axis, x.shape)[0];
    const name = emit(context, op, [x], { attributes: { axis: at, keepdims: 0 } });
    const cast = context.graph.one('Cast', [name], { attributes: { to: 6 } });
    return context.backend.value(cast, reduced(x.shape, [at], false), 'int32' satisfies DType);
  };

export const reductionKernels: KernelTable = {
  Sum: reduction('ReduceSum'),
  Mean: reduction('ReduceMean'),
  Prod: reduction('ReduceProd'),
  Max: reduction('ReduceMax', 'reductionIndices'),
  Min: reduction('ReduceMin'),
  Any: logical('ReduceMax'),
  All: logical('ReduceMin'),
  ArgMax: arg('ArgMax'),
  ArgMin: arg('ArgMin'),
  Softmax: ({ logits }, { dim }, context) =>
    context.backend.value(
      emit(context, 'Softmax', [logits], { attributes: { axis: dim } }),
      logits.shape,
      'float32',
    ),
  LogSoftmax: ({ logits }, { axis }, context) =>
    context.backend.value(
      emit(context, 'LogSoftmax', [logits], { attributes: { axis } }),
      logits.shape,
      'float32',
    ),
  Cumsum: ({ x }, { axis, exclusive, reverse }, { backend, graph }) => {
    const at = backend.raw({ ...backend.fill(axesOf(axis, x.shape)[0], [], 'int32') }).name;
    const attributes = { exclusive: exclusive ? 1 : 0, reverse: reverse ? 1 : 0 };
    return backend.value(graph.one('CumSum', [backend.name(x), at], { attributes }), x.shape, dtypeOf(x));
  },
};
