// Plain host-side tensors: what goes into a program and what comes out. Not for device memory.
import { AnemoneError } from '../errors/index.js';

/** Types that ops of tfjs compute on: `bool` is a byte of 0 or 1. */
export type ComputedDType = 'float32' | 'int32' | 'bool';
/**
 * Types of elements. Values of those beside `ComputedDType` are stored, fed and fetched, cast (`cast`) and given to
 * `nativeOp` and host calls; ops of tfjs refuse them.
 */
export type DType = ComputedDType | 'float16' | 'bfloat16' | 'int64' | 'uint8' | 'int8';
/**
 * Elements of a host tensor, row-major: Float32Array for `float32`, Int32Array for `int32`, Uint8Array for `bool` and
 * `uint8`, Int8Array for `int8`, and Uint16Array for the patterns of `float16` and `bfloat16`. Those of `int64` are a
 * BigInt64Array, which this type does not name, so that numbers stay numbers everywhere else: `int64` makes such a tensor,
 * and `int64Values` reads it.
 */
export type HostData = Float32Array | Int32Array | Uint8Array | Uint16Array | Int8Array;

interface ArrayType {
  readonly name: string;
  readonly BYTES_PER_ELEMENT: number;
  new (size: number): object;
  new (memory: ArrayBufferLike, start?: number, length?: number): object;
}

const ARRAYS: Readonly<Record<DType, ArrayType>> = {
  float32: Float32Array,
  int32: Int32Array,
  bool: Uint8Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  int8: Int8Array,
};

/** Whether ops of tfjs compute on a type. */
export function isComputed(dtype: DType): dtype is ComputedDType {
  return dtype === 'float32' || dtype === 'int32' || dtype === 'bool';
}

/** The type that tfjs is told, and that eager engines hold the same numbers in, for one it does not know. */
export function standInOf(dtype: DType): ComputedDType {
  if (isComputed(dtype)) return dtype;
  return dtype === 'float16' || dtype === 'bfloat16' ? 'float32' : 'int32';
}

/** Row-major values on the host. `bool` is stored as 0/1 bytes. */
export interface HostTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: HostData;
}

/** What is known of a tensor before its values are. */
export interface TensorSpec {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** Number of elements of a shape; 1 for a scalar's `[]`. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

/** Memory for `size` elements, all zero. */
export function allocate(dtype: DType, size: number): HostData {
  return new ARRAYS[dtype](size) as HostData;
}

/** Bytes of `size` values. */
export function bytesOf(dtype: DType, size: number): number {
  return size * ARRAYS[dtype].BYTES_PER_ELEMENT;
}

/** Values over memory that is there: over all of it, or so many from byte `start` on. */
export function dataOver(dtype: DType, memory: ArrayBuffer, start = 0, size?: number): HostData {
  return new ARRAYS[dtype](memory, start, size) as HostData;
}

/** @throws AnemoneError `tensor.type`, `tensor.size` where a tensor's data is not what its type and shape say */
export function checkTensor({ dtype, shape, data }: HostTensor, path?: string): void {
  if (!holds(data, dtype)) {
    throw new AnemoneError({
      code: 'tensor.type',
      path,
      message: `elements of ${dtype} do not stand in ${(data as { constructor: { name: string } }).constructor.name}, but in ${ARRAYS[dtype].name}`,
    });
  }
  if (data.length === sizeOf(shape)) return;
  throw new AnemoneError({
    code: 'tensor.size',
    path,
    message: `${data.length} values do not fill shape [${shape.join(', ')}]`,
    hint: data.buffer.byteLength === 0 ? 'has their memory gone to another thread?' : undefined,
  });
}

/**
 * The tensor, if it can take a value of a type and shape.
 * @throws AnemoneError `engine.into` where it cannot
 */
export function taking(target: HostTensor, { dtype, shape }: TensorSpec, path: string): HostTensor {
  if (target.dtype === dtype && target.shape.join() === shape.join()) return target;
  const named = (spec: TensorSpec): string => `${spec.dtype} [${spec.shape.join(', ')}]`;
  throw new AnemoneError({
    code: 'engine.into',
    path,
    message: `a value ${named({ dtype, shape })} does not go into ${named(target)}`,
  });
}

/** Whether an array is one that holds elements of a type. */
export function holds(data: ArrayBufferView, dtype: DType): data is HostData {
  return data instanceof ARRAYS[dtype];
}

/**
 * A float32 host tensor; a Float32Array is taken as it is, anything else copied.
 * @throws AnemoneError where the number of elements is not the shape's
 */
export function float32(data: ArrayLike<number>, shape: readonly number[]): HostTensor {
  return checked({
    dtype: 'float32',
    shape,
    data: data instanceof Float32Array ? data : Float32Array.from(data),
  });
}

/**
 * An int32 host tensor; an Int32Array is taken as it is, anything else copied.
 * @throws AnemoneError where the number of elements is not the shape's
 */
export function int32(data: ArrayLike<number>, shape: readonly number[]): HostTensor {
  return checked({ dtype: 'int32', shape, data: data instanceof Int32Array ? data : Int32Array.from(data) });
}

/**
 * A tensor of any type over the array that its type has; see `HostData`.
 * @throws AnemoneError where it is another array, or the number of elements is not the shape's
 */
export function hostTensor(dtype: DType, data: ArrayBufferView, shape: readonly number[]): HostTensor {
  return checked({ dtype, shape, data: data as HostData });
}

/**
 * An int64 host tensor; a BigInt64Array is taken as it is, anything else copied.
 * @throws AnemoneError where the number of elements is not the shape's
 */
export function int64(data: BigInt64Array | ArrayLike<number>, shape: readonly number[]): HostTensor {
  return hostTensor('int64', data instanceof BigInt64Array ? data : BigInt64Array.from(Array.from(data, BigInt)), shape); // biome-ignore format: one call
}

/** The elements of an int64 tensor. @throws AnemoneError `tensor.type` for one of another type */
export function int64Values({ dtype, data }: HostTensor): BigInt64Array {
  if (dtype === 'int64') return data as unknown as BigInt64Array;
  throw new AnemoneError({ code: 'tensor.type', message: `expected a tensor of int64, got ${dtype}` });
}

function checked(tensor: HostTensor): HostTensor {
  checkTensor(tensor);
  return tensor;
}
