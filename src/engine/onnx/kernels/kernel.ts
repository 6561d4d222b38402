// The form kernels are written in, and helpers they share.
import type { DType } from '../../tensors.js';
import { tf } from '../../tf.js';
import type { EmitOptions, GraphBuilder } from '../graph-builder.js';
import type { TraceBackend } from '../trace-backend.js';

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
  const raws = inputs.map((x) => backend.raw(x));
  const raw = raws.reduce<readonly number[]>(
    (acc, { shape: s }) => tf.broadcast_util.assertAndGetBroadcastShape(acc as number[], s as number[]),
    [],
  );
  const name = graph.one(
    op,
    raws.map((r) => r.name),
    options,
  );
  return backend.value(name, shape, dtype, raw);
}

export function broadcastShape(...inputs: Info[]): number[] {
  return inputs.reduce<number[]>((acc, x) => tf.broadcast_util.assertAndGetBroadcastShape(acc, x.shape), []);
}

export function axesOf(axis: number | number[] | undefined | null, shape: readonly number[]): number[] {
  return tf.util.parseAxisParam(axis as number | number[], [...shape]);
}
