// Plain host-side tensors: what goes into a program and what comes out. Not for device memory.
import { AnemoneError } from '../errors/index.js';

/** Types of elements: `bool` is a byte of 0 or 1. */
export type DType = 'float32' | 'int32' | 'bool';
/**
 * Elements of a host tensor, row-major: Float32Array for `float32`, Int32Array for `int32`, Uint8Array for `bool`.
 */
export type HostData = Float32Array | Int32Array | Uint8Array;

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
  if (dtype === 'float32') return new Float32Array(size);
  return dtype === 'int32' ? new Int32Array(size) : new Uint8Array(size);
}

/** Bytes of `size` values. */
export function bytesOf(dtype: DType, size: number): number {
  return dtype === 'bool' ? size : 4 * size;
}

/** Values over memory that is there, of which they fill all. */
export function dataOver(dtype: DType, memory: ArrayBuffer): HostData {
  if (dtype === 'float32') return new Float32Array(memory);
  return dtype === 'int32' ? new Int32Array(memory) : new Uint8Array(memory);
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

function checked(tensor: HostTensor): HostTensor {
  if (tensor.data.length !== sizeOf(tensor.shape)) {
    throw new AnemoneError({
      code: 'tensor.size',
      message: `${tensor.data.length} values do not fill shape [${tensor.shape.join(', ')}]`,
    });
  }
  return tensor;
}
