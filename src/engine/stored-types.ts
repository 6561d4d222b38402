// The names that element types have in safetensors files, and values of a file as those of a type.
import {
  fromBfloat16,
  fromFloat16,
  type SafeTensor,
  type SafetensorsDtype,
  tensorToFloat32,
  toBfloat16,
  toFloat16,
} from '../formats/index.js';
import type { Engine } from './engine.js';
import type { LowType } from './precision.js';
import type { ProgramState } from './scope.js';
import type { State } from './state.js';
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

/** A state's first value, in the type that it is held in. */
export function firstValue(state: Pick<ProgramState, 'dtype' | 'initialValue'>): HostData {
  return valuesAs(state.dtype, state.initialValue());
}

/** Numbers of float32 in a type of 16 bits, rounded to it; what has the type already as it is. */
export function valuesAs(dtype: DType, values: HostData): HostData {
  if (dtype === 'float16' && !holds(values, dtype)) return toFloat16(values);
  if (dtype === 'bfloat16' && !holds(values, dtype)) return toBfloat16(values);
  return values;
}

/** The numbers of elements of a type, as float32 where that is of 16 bits. */
export function numbersOfType(dtype: DType, values: HostData): HostData {
  if (dtype === 'float16') return fromFloat16(values);
  return dtype === 'bfloat16' ? fromBfloat16(values) : values;
}

/** Holds states of float32 in 16 bits from now on, in an engine and in files; programs go on computing with float32. */
export async function storeIn(
  type: LowType,
  states: Iterable<State>,
  engine: Pick<Engine, 'read' | 'release' | 'write'>,
): Promise<void> {
  for (const state of states) {
    if (state.dtype !== 'float32') continue;
    const value = valuesAs(type, await engine.read(state));
    engine.release([state]);
    state.storeAs(type);
    await engine.write(state, value, true);
  }
}

function asBigInt(value: number | bigint): bigint {
  return typeof value === 'bigint' ? value : BigInt(Math.trunc(value));
}
