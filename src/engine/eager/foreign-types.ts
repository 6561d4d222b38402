// Types that tfjs does not know, in eager engines: their numbers are held in a tensor of another type, and which type they
// are is remembered beside it.
import { AnemoneError } from '../../errors/index.js';
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from '../../formats/index.js';
import {
  allocate,
  type DType,
  type HostData,
  type HostTensor,
  int64Values,
  isComputed,
  standInOf,
} from '../tensors.js';
import { type Tensor, tf } from '../tf.js';

const types = new WeakMap<object, DType>();

export function typeOf(tensor: Tensor): DType {
  return types.get(tensor.dataId) ?? (tensor.dtype as DType);
}

/** A tensor with the numbers of `host`. @throws AnemoneError `engine.element-type` for an int64 that no int32 holds */
export function fromHost(host: HostTensor): Tensor {
  const { dtype, shape } = host;
  const tensor = tf.tensor(numbersOf(host) as Int32Array, [...shape], standInOf(dtype));
  return marked(tensor, dtype);
}

export function toHost(tensor: Tensor): HostTensor {
  return hostTensorOf(tensor, tensor.dataSync());
}

export async function download(tensor: Tensor): Promise<HostTensor> {
  return hostTensorOf(tensor, (await tensor.data<'float32'>()).slice());
}

/** The numbers rounded to another type. */
export function cast(x: Tensor, dtype: DType): Tensor {
  if (typeOf(x) === dtype) return tf.clone(x);
  if (isComputed(dtype) && isComputed(typeOf(x))) return tf.cast(x, dtype);
  const data = allocate(dtype, x.size);
  write(data, dtype, x.dataSync());
  return fromHost({ dtype, shape: x.shape, data });
}

/** Notes that the numbers of a new tensor are of a type that tfjs does not know. */
export function marked(tensor: Tensor, dtype: DType): Tensor {
  if (!isComputed(dtype)) types.set(tensor.dataId, dtype);
  return tensor;
}

function hostTensorOf(tensor: Tensor, numbers: ArrayLike<number>): HostTensor {
  const dtype = typeOf(tensor);
  if (isComputed(dtype)) {
    const known = dtype === 'int32' || dtype === 'bool' ? dtype : 'float32';
    return { dtype: known, shape: tensor.shape, data: numbers as HostData };
  }
  const data = allocate(dtype, tensor.size);
  write(data, dtype, numbers);
  return { dtype, shape: tensor.shape, data };
}

/** Numbers into elements of a type. */
function write(data: HostData, dtype: DType, numbers: ArrayLike<number>): void {
  if (dtype === 'int64') {
    const wide = data as unknown as BigInt64Array;
    for (let i = 0; i < wide.length; i++) wide[i] = BigInt(Math.trunc(numbers[i]));
  } else if (dtype === 'float16') data.set(toFloat16(numbers));
  else if (dtype === 'bfloat16') data.set(toBfloat16(numbers));
  else if (dtype === 'bool') data.set(Array.from(numbers, (value) => Number(value !== 0)));
  else data.set(numbers);
}

function numbersOf(host: HostTensor): ArrayLike<number> {
  const { dtype, data } = host;
  if (dtype === 'float16') return fromFloat16(data);
  if (dtype === 'bfloat16') return fromBfloat16(data);
  if (dtype === 'int64') return Int32Array.from(int64Values(host), narrowed);
  return isComputed(dtype) ? data : Int32Array.from(data);
}

function narrowed(value: bigint): number {
  if (BigInt.asIntN(32, value) === value) return Number(value);
  throw new AnemoneError({
    code: 'engine.element-type',
    message: `an engine that runs op by op holds int64 in 32 bits, and ${value} does not fit`,
    hint: 'use engine onnxruntime',
  });
}
