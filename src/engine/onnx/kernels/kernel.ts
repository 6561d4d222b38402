// The form kernels are written in, and helpers they share.
import type { DType } from '../../tensors.js';
import { tf } from '../../tf.js';
import type { EmitOptions, GraphBuilder } from '../graph-builder.js';
import type { TraceBackend } from '../trace-backend.js';
import { sameShape } from '../trace-values.js';
import { sharedLayout } from './layout.js';

export type Info = tf.TensorInfo;
export type Inputs = Record<string, Info>;
// biome-ignore lint/suspicious/noExplicitAny: tfjs passes attributes untyped; each kernel names the ones it uses
export type Attrs = any;

export interface KernelContext {
  readonly backend: TraceBackend;
  readonly graph: GraphBuilder;
}
export type Kernel = (inputs: Inputs, attrs: Attrs, context: KernelContext) => Info | Info[];
export type KernelTable = Readonly<Record<string, Kernel>>;

export function dtypeOf(x: Info): DType {
  return x.dtype as DType;
}

/** Emits an operator on full-shape inputs. */
export function emit(
  { graph, backend }: KernelContext,
  op: string,
  inputs: Info[],
  options?: EmitOptions,
): string {
  return graph.one(
    op,
    inputs.map((x) => backend.name(x)),
    options,
  );
}

/** Emits an operator that broadcasts its inputs; the result stays as small as its inputs are. */
export function emitBroadcast(
  { graph, backend }: KernelContext,
  op: string,
  inputs: Info[],
  shape: readonly number[],
  dtype: DType,
  options?: EmitOptions,
): Info {
  const small = inputs.map((x) => backend.raw(x));
  const raw = small.reduce<readonly number[]>(
    (acc, { shape: s }) => tf.broadcast_util.assertAndGetBroadcastShape(acc as number[], s as number[]),
    [],
  );
  const expand = backend.limits.equalShapes.has(op);
  const raws = small.map((r, i) =>
    expand && r.shape.length > 0 ? { name: backend.name(backend.broadcast(inputs[i], raw)), shape: raw } : r,
  );
  const layout = sharedLayout(raws, { graph, backend });
  if (layout) {
    const name = graph.one(op, layout.names, options);
    backend.value(name, layout.perm.map((_, i) => raw[layout.perm.indexOf(i)]), dtype); // biome-ignore format: one call
    return backend.value(graph.one('Transpose', [name], { attributes: { perm: layout.perm } }), shape, dtype, raw); // biome-ignore format: one call
  }
  const ones = trailingOnes(raw);
  if (ones === 0 || raws.every((r) => r.shape.length === 0)) {
    return backend.value(graph.one(op, raws.map((r) => r.name), options), shape, dtype, raw); // biome-ignore format: one call
  }
  // ONNX Runtime broadcasts [.., 1] with a scalar element by element: work without the trailing ones.
  const trimmed = raws.map((r) => {
    const kept = r.shape.length === 0 ? r.shape : r.shape.slice(0, r.shape.length - ones);
    const own = backend.shapeOfName(r.name)?.dtype as DType | undefined;
    return { name: reshapeValue(r.name, kept, own ?? dtype, { graph, backend }, r.shape), shape: kept };
  });
  const trimmedShape = raw.slice(0, raw.length - ones);
  const name = graph.one(op, trimmed.map((r) => r.name), options); // biome-ignore format: one call
  backend.value(name, trimmedShape, dtype);
  return backend.value(reshapeValue(name, raw, dtype, { graph, backend }, trimmedShape), shape, dtype, raw);
}

function trailingOnes(shape: readonly number[]): number {
  let count = 0;
  while (count < shape.length - 1 && shape[shape.length - 1 - count] === 1) count++;
  return count;
}

/** The value `name` of shape `from` as `shape`; chains of reshapes collapse, back to the original if that is its shape. */
export function reshapeValue(
  name: string,
  shape: readonly number[],
  dtype: DType,
  { graph, backend }: KernelContext,
  from: readonly number[],
): string {
  if (sameShape(from, shape)) return name;
  const producer = graph.producer(name);
  const root = producer?.op === 'Reshape' ? producer.inputs[0] : name;
  const known = backend.shapeOfName(root);
  if (known && sameShape(known.shape, shape)) return root;
  const reshaped = graph.one('Reshape', [root, graph.names.int64(shape)]);
  backend.value(reshaped, shape, dtype);
  return reshaped;
}

export function broadcastShape(...inputs: Info[]): number[] {
  return inputs.reduce<number[]>((acc, x) => tf.broadcast_util.assertAndGetBroadcastShape(acc, x.shape), []);
}

export function axesOf(axis: number | number[] | undefined | null, shape: readonly number[]): number[] {
  return tf.util.parseAxisParam(axis as number | number[], [...shape]);
}
