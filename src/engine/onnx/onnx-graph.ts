// An ONNX graph as plain data: what is recorded while a function is traced, and written by `model-proto.ts`.
import type { LowType } from '../precision.js';
import { bytesOf, type DType } from '../tensors.js';

/** Element types of onnx.TensorProto. */
export const onnxType = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  bfloat16: 16,
} as const satisfies Record<DType, number>;
export type OnnxType = DType;

/** The domain of operators of our own in C (native/). */
export const NATIVE_DOMAIN = 'anemone';

/** Bytes of one element, by its number in onnx.TensorProto; those of several in a byte count as one. */
const BYTES: Readonly<Record<number, number>> = {
  1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 14: 8, 15: 16, 16: 2,
  17: 1, 18: 1, 19: 1, 20: 1, 21: 1, 22: 1,
}; // biome-ignore format: a table

/** @param element type of onnx.TensorProto */
export function bytesOfElement(element: number): number {
  return BYTES[element] ?? 4;
}

export function bytesOfType(dtype: OnnxType): number {
  return bytesOf(dtype, 1);
}

export interface FloatAttribute {
  readonly float: number;
}
export interface GraphAttribute {
  readonly graph: OnnxGraph;
}
/** Integers are int attributes; a float attribute is `{ float: x }`. */
export type AttributeValue = number | readonly number[] | string | FloatAttribute | GraphAttribute;

export interface OnnxNode {
  readonly op: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  /** What it is a part of: see `inPart`. */
  readonly part?: string;
  /** Of a product that is computed in 16 bits: in which; see passes/autocast.ts. */
  readonly lowType?: LowType;
}

export interface OnnxValue {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** What a model says of the axes instead of `shape`: sizes, names of axes of any size, or '' for no name. */
  readonly dims?: readonly (number | string)[];
}

export interface OnnxInitializer extends OnnxValue {
  /** Little-endian values. */
  readonly bytes: Uint8Array;
  /** Where the bytes are instead of in the model: a file beside it, and the place in that. */
  readonly external?: { readonly location: string; readonly offset: number };
}

export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly initializers: readonly OnnxInitializer[];
}
