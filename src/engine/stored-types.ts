// The names that element types have in safetensors files, and values of a file as those of a type.
import {
  type SafeTensor,
  type SafetensorsDtype,
  tensorToFloat32,
  toBfloat16,
  toFloat16,
} from '../formats/index.js';
import { allocate, type DType, type HostData, holds } from './tensors.js';

const NAMES = {
  float32: 'F32',
  int32: 'I32',
  bool: 'BOOL',
  float16: 'F16',
  bfloat16: 'BF16',
  int64: 'I64',
  uint8: 'U8',
  int8: 'I8',
} as const satisfies Record<DType, SafetensorsDtype>;

/** The name of a type in a safetensors file. */
export function storedType(dtype: DType): SafetensorsDtype {
  return NAMES[dtype];
}

/** The type of that name; undefined for one that no program takes. */
export function typeStoredAs(name: SafetensorsDtype): DType | undefined {
  return (Object.keys(NAMES) as DType[]).find((dtype) => NAMES[dtype] === name);
}

/** The numbers of a stored tensor as elements of `dtype`, rounded where that has fewer digits; its own memory if they are. */
export function storedValues(tensor: SafeTensor, dtype: DType): HostData {
  const { data } = tensor;
  if (tensor.dtype === NAMES[dtype] && holds(data, dtype)) return data;
  if (dtype === 'float32') return tensorToFloat32(tensor);
  if (dtype === 'float16') return toFloat16(tensorToFloat32(tensor));
  if (dtype === 'bfloat16') return toBfloat16(tensorToFloat32(tensor));
  const values = allocate(dtype, data.length);
  const numbers = tensor.dtype === 'F16' || tensor.dtype === 'BF16' ? tensorToFloat32(tensor) : data;
  if (dtype === 'int64') {
    const wide = values as unknown as BigInt64Array;
    for (let i = 0; i < wide.length; i++) wide[i] = asBigInt(numbers[i]);
  } else for (let i = 0; i < values.length; i++) values[i] = Number(numbers[i]);
  return values;
}

function asBigInt(value: number | bigint): bigint {
  return typeof value === 'bigint' ? value : BigInt(Math.trunc(value));
}
