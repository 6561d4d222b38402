// Looks at constants that differ between examples: counted numbers, and tables of which the shorter ones are parts
// of the longest. Decides nothing about the graph.
import type { OnnxInitializer } from '../onnx-graph.js';

/** The values as numbers. */
export function numbersOf({ dtype, bytes }: OnnxInitializer): number[] {
  const { buffer } = bytes.slice();
  if (dtype === 'int64') return Array.from(new BigInt64Array(buffer), Number);
  if (dtype === 'int32') return Array.from(new Int32Array(buffer));
  return dtype === 'bool' ? Array.from(bytes) : Array.from(new Float32Array(buffer));
}

/** The one axis along which the shapes differ. */
export function varyingAxis(constants: readonly OnnxInitializer[]): number | undefined {
  const [{ shape }] = constants;
  if (constants.some((constant) => constant.shape.length !== shape.length)) return undefined;
  const varying = shape.map((_, i) => i).filter((i) => constants.some((c) => c.shape[i] !== shape[i]));
  return varying.length === 1 ? varying[0] : undefined;
}

/** first, first + step, first + 2·step, … in all of them. */
export function arithmeticStep(
  constants: readonly OnnxInitializer[],
): { readonly first: number; readonly step: number } | undefined {
  const [first, second] = numbersOf(constants[0]);
  const step = second - first;
  const counted = constants.every((c) => numbersOf(c).every((n, i) => n === first + i * step));
  return counted ? { first, step } : undefined;
}

/** Where along `axis` each table begins in the last one; undefined where one is no part of it. */
export function rowsInTable(constants: readonly OnnxInitializer[], axis: number): number[] | undefined {
  const whole = constants[constants.length - 1];
  // Leading axes longer than 1 would scatter a row over the table.
  if (whole.shape.slice(0, axis).some((size) => size !== 1)) return undefined;
  const row = whole.bytes.length / whole.shape[axis];
  const starts = constants.map(({ bytes }) => {
    const first = bytes.subarray(0, row);
    for (let at = 0; at + bytes.length <= whole.bytes.length; at += row) {
      if (Buffer.compare(whole.bytes.subarray(at, at + row), first) !== 0) continue;
      if (Buffer.compare(whole.bytes.subarray(at, at + bytes.length), bytes) === 0) return at / row;
    }
    return undefined;
  });
  return starts.includes(undefined) ? undefined : (starts as number[]);
}

/** For messages. */
export function describeConstants(constants: readonly OnnxInitializer[]): string {
  const shown = constants.slice(0, 4).map((constant) => {
    const values = constant.bytes.length <= 128 ? ` = ${numbersOf(constant).join(' ')}` : '';
    return `${constant.dtype}[${constant.shape.join()}]${values}`;
  });
  return shown.join('; ');
}
