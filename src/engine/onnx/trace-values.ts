// What a tensor is while a function is traced: a name in the graph, or a constant still on the host.
//
// Values may be lazy in two ways, both free in ONNX terms: a tensor that is a broadcast of a smaller value
// keeps the smaller one (`raw`), since elementwise operators broadcast anyway; and reshapes remember what
// they reshaped, so that chains collapse.
import type { DType, HostData } from '../tensors.js';
import { sizeOf } from '../tensors.js';
import type { GraphBuilder } from './graph-builder.js';

export interface TraceValue {
  readonly dtype: DType;
  /** Shape of the graph value `name`; broadcasts to the tensor's shape. */
  readonly raw: readonly number[];
  name: string | undefined;
  /** The graph `name` lives in; loop bodies may use values of graphs around them. */
  readonly graph: GraphBuilder | undefined;
  readonly host: HostData | undefined;
}

export const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((dim, i) => dim === b[i]);

export function hostBytes(values: HostData, dtype: DType): Uint8Array {
  if (dtype === 'float32' && !(values instanceof Float32Array))
    return hostBytes(Float32Array.from(values), dtype);
  if (dtype === 'int32' && !(values instanceof Int32Array)) return hostBytes(Int32Array.from(values), dtype);
  if (dtype === 'bool' && !(values instanceof Uint8Array)) return hostBytes(Uint8Array.from(values), dtype);
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** Host constants that are one repeated number need only one stored. */
export function collapseConstant(
  values: HostData,
  shape: readonly number[],
): { values: HostData; raw: number[] } {
  const size = sizeOf(shape);
  if (size > 1 && values.every((v) => v === values[0])) return { values: values.slice(0, 1), raw: [] };
  return { values, raw: [...shape] };
}
