// NumPy's .npy files (versions 1 to 3): little-endian numbers and booleans. Object arrays, which are
// pickles, are refused.
import { AnemoneError } from '../errors/index.js';
import type { TensorData } from './safetensors.js';

/** An array as an .npy file holds it. */
export interface NpyArray {
  /** NumPy's type string, e.g. `<f4`, `|u1`, `|b1`, `<f2` (as 16-bit patterns). */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Row-major. */
  readonly data: TensorData;
}

interface ArrayType {
  readonly BYTES_PER_ELEMENT: number;
  new (length: number): TensorData;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): TensorData;
}

const TYPES: Readonly<Record<string, ArrayType>> = {
  '<f8': Float64Array,
  '<f4': Float32Array,
  '<f2': Uint16Array,
  '<i8': BigInt64Array,
  '<i4': Int32Array,
  '<i2': Int16Array,
  '|i1': Int8Array,
  '<u8': BigUint64Array,
  '<u4': Uint32Array,
  '<u2': Uint16Array,
  '|u1': Uint8Array,
  '|b1': Uint8Array,
};

const MAGIC = '\x93NUMPY';

/**
 * Reads a whole .npy file.
 * @throws AnemoneError `npy.corrupt`, `npy.unsupported`
 */
export function decodeNpy(bytes: Uint8Array, name = '<bytes>'): NpyArray {
  const fail = (kind: 'corrupt' | 'unsupported', message: string) =>
    new AnemoneError({ code: `npy.${kind}`, message, position: { file: name } });
  if (bytes.length < 10 || String.fromCharCode(...bytes.subarray(0, 6)) !== MAGIC) {
    throw fail('corrupt', 'not an .npy file');
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = bytes[6] > 1;
  const start = wide ? 12 : 10;
  if (bytes.length < start) throw fail('corrupt', 'the header is cut off');
  const headerLength = wide ? view.getUint32(8, true) : view.getUint16(8, true);
  const header = new TextDecoder().decode(bytes.subarray(start, start + headerLength));
  const dtype = /'descr'\s*:\s*'([^']+)'/.exec(header)?.[1];
  const fortran = /'fortran_order'\s*:\s*(True|False)/.exec(header)?.[1];
  const shapeText = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(header)?.[1];
  if (fortran === undefined || shapeText === undefined) throw fail('corrupt', 'the header cannot be read');
  if (dtype === undefined) throw fail('unsupported', 'structured types are not read');
  if (!Object.hasOwn(TYPES, dtype)) throw fail('unsupported', `type ${dtype} is not read`);
  const Type = TYPES[dtype];
  const shape = shapeText
    .split(',')
    .map((s) => s.trim())
    .filter((s) => s !== '')
    .map((s) => Number.parseInt(s, 10));
  const length = shape.reduce((a, b) => a * b, 1);
  if (!Number.isSafeInteger(length) || !shape.every(Number.isSafeInteger)) {
    throw fail('corrupt', `the shape (${shapeText}) is not believable`);
  }
  const from = start + headerLength;
  if (bytes.length - from < length * Type.BYTES_PER_ELEMENT) {
    throw fail('corrupt', `the data of shape [${shape}] is cut off`);
  }
  const alignedBytes = new Uint8Array(bytes.subarray(from, from + length * Type.BYTES_PER_ELEMENT));
  const data = new Type(alignedBytes.buffer, 0, length);
  return { dtype, shape, data: fortran === 'True' ? toRowMajor(data, shape, Type) : data };
}

/** Column-major values put into row-major order. */
function toRowMajor(data: TensorData, shape: readonly number[], Type: ArrayType): TensorData {
  const out = new Type(data.length);
  const index = new Array<number>(shape.length).fill(0);
  for (let row = 0; row < data.length; row++) {
    let column = 0;
    for (let d = shape.length - 1; d >= 0; d--) column = column * shape[d] + index[d];
    out[row] = data[column];
    for (let d = shape.length - 1; d >= 0 && ++index[d] === shape[d]; d--) index[d] = 0;
  }
  return out;
}

/**
 * Writes a .npy file of version 1.
 * @param dtype default: that of the array; `|b1` and `<f2` have to be named
 * @throws AnemoneError `npy.unsupported` when array and shape or type disagree
 */
export function encodeNpy(
  data: TensorData,
  shape: readonly number[] = [data.length],
  dtype?: string,
): Uint8Array {
  const type = dtype ?? Object.keys(TYPES).find((key) => key !== '<f2' && data instanceof TYPES[key]) ?? '';
  const isKnownType = Object.hasOwn(TYPES, type) && data instanceof TYPES[type];
  if (!isKnownType || shape.reduce((a, b) => a * b, 1) !== data.length) {
    throw new AnemoneError({
      code: 'npy.unsupported',
      message: `${data.length} values cannot be written as ${type} [${shape}]`,
    });
  }
  const tuple = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  let header = `{'descr': '${type}', 'fortran_order': False, 'shape': (${tuple}), }`;
  // The data begins at a multiple of 64 bytes, the header ends with a line feed.
  header = `${header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11)}\n`;
  const bytes = new Uint8Array(10 + header.length + data.byteLength);
  for (let i = 0; i < 6; i++) bytes[i] = MAGIC.charCodeAt(i);
  bytes[6] = 1;
  new DataView(bytes.buffer).setUint16(8, header.length, true);
  bytes.set(new TextEncoder().encode(header), 10);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 10 + header.length);
  return bytes;
}
