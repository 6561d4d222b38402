// From a tensor's description (storage, offset, shape, strides) to its numbers, densely, in C order.
import type { SafeTensor, TensorData } from '../safetensors.js';
import { arrayTypeOf } from '../safetensors.js';
import type { TorchTensor } from './names.js';

/** Numbers of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** How many numbers of its storage a tensor spans, from its offset. */
export function extentOf({ shape, strides }: TorchTensor): number {
  if (shape.includes(0)) return 0;
  return 1 + shape.reduce((sum, size, i) => sum + (size - 1) * strides[i], 0);
}

/** @param bytes those that the tensor spans; taken over, not copied, when they are dense and aligned */
export function materialise(tensor: TorchTensor, bytes: Uint8Array): SafeTensor {
  const { dtype, shape } = tensor;
  const Type = arrayTypeOf(dtype);
  const width = Type.BYTES_PER_ELEMENT;
  const aligned = bytes.byteOffset % width === 0 ? bytes : bytes.slice();
  const span = new Type(aligned.buffer, aligned.byteOffset, aligned.length / width);
  if (isDense(tensor)) return { dtype, shape, data: span };
  const data = new Type(new ArrayBuffer(sizeOf(shape) * width), 0, sizeOf(shape));
  gather(tensor, span, data);
  return { dtype, shape, data };
}

function isDense({ shape, strides }: TorchTensor): boolean {
  let expectedStride = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] !== 1 && strides[i] !== expectedStride) return false;
    expectedStride *= shape[i];
  }
  return true;
}

function gather({ shape, strides }: TorchTensor, from: TensorData, to: TensorData): void {
  const index = shape.map(() => 0);
  let at = 0;
  for (let i = 0; i < to.length; i++) {
    to[i] = from[at];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += strides[axis];
      if (++index[axis] < shape[axis]) break;
      at -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
}
