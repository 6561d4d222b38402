// Products with matrices of 4 or 8 bits an element, and what makes such a matrix of one of floats.
import { AnemoneError } from '../../errors/index.js';
import { constant } from '../primitives/element-types.js';
import { nativeOp } from '../primitives/native-op.js';
import { float32, type HostTensor, hostTensor } from '../tensors.js';
import type { Tensor } from '../tf.js';

/** A matrix [K,N] in blocks of a column, as MatMulNBits takes it. */
export interface QuantizedMatrix {
  readonly bits: 4 | 8;
  readonly blockSize: number;
  readonly depth: number;
  readonly columns: number;
  /** uint8 [N, blocks, blockSize·bits/8]; of 4 bits the low half of a byte comes first. */
  readonly levels: HostTensor;
  /** float32 [N·blocks]. The zero of all blocks is 2^(bits-1). */
  readonly scales: HostTensor;
}

/**
 * Rounds a matrix to `bits` an element, with one scale for each block of a column: that at which its largest number is the
 * first or last level.
 * @param matrix row-major [K,N]
 * @param blockSize a power of two from 16 on. Default 32
 * @throws AnemoneError `engine.quantize` for another block size, or a matrix of another size
 */
export function quantizeMatrix(
  matrix: Float32Array,
  [depth, columns]: readonly [number, number],
  bits: 4 | 8,
  blockSize = 32,
): QuantizedMatrix {
  if (blockSize < 16 || (blockSize & (blockSize - 1)) !== 0 || matrix.length !== depth * columns) {
    throw new AnemoneError({
      code: 'engine.quantize',
      message: `${matrix.length} numbers as [${depth}, ${columns}] in blocks of ${blockSize}`,
      hint: 'block sizes are powers of two from 16 on',
    });
  }
  const rows = new Float32Array(matrix.length);
  for (let i = 0; i < depth; i++)
    for (let j = 0; j < columns; j++) rows[j * depth + i] = matrix[i * columns + j];
  return quantizeRows(rows, [columns, depth], bits, blockSize).matrix;
}

/** A matrix that was rounded, and what that cost. */
export interface QuantizedRows {
  readonly matrix: QuantizedMatrix;
  /** Σ w² and Σ (w − ŵ)². */
  readonly squared: number;
  readonly lost: number;
}

/**
 * The same of a matrix that lies transposed, as the weights of linear maps do.
 * @param matrix row-major [N,K]
 */
export function quantizeRows(
  matrix: Float32Array,
  [columns, depth]: readonly [number, number],
  bits: 4 | 8,
  blockSize = 32,
): QuantizedRows {
  const blocks = Math.ceil(depth / blockSize);
  const zero = 2 ** (bits - 1);
  const levels = new Uint8Array(columns * blocks * blockSize).fill(zero);
  const scales = new Float32Array(columns * blocks);
  let squared = 0;
  let lost = 0;
  for (let at = 0; at < scales.length; at++) {
    const start = Math.floor(at / blocks) * depth + (at % blocks) * blockSize;
    const end = start + Math.min(blockSize, depth - (at % blocks) * blockSize);
    let largest = 0;
    for (let i = start; i < end; i++) if (Math.abs(matrix[i]) > Math.abs(largest)) largest = matrix[i];
    // The largest number becomes level 0, of which there is one more below zero than above.
    const scale = Math.fround(-largest / zero);
    scales[at] = scale;
    for (let i = start; i < end; i++) {
      const value = matrix[i];
      const nearest = scale === 0 ? 0 : Math.round(value / scale);
      const level = Math.min(Math.max(nearest, -zero), zero - 1);
      levels[at * blockSize + i - start] = level + zero;
      squared += value * value;
      lost += (value - level * scale) ** 2;
    }
  }
  return { matrix: quantized(levels, scales, { bits, blockSize, depth, columns }), squared, lost };
}

function quantized(
  levels: Uint8Array,
  scales: Float32Array,
  layout: Pick<QuantizedMatrix, 'bits' | 'blockSize' | 'depth' | 'columns'>,
): QuantizedMatrix {
  const { bits, blockSize, depth, columns } = layout;
  const blocks = Math.ceil(depth / blockSize);
  return {
    ...layout,
    levels: hostTensor('uint8', bits === 8 ? levels : paired(levels), [
      columns,
      blocks,
      (blockSize * bits) / 8,
    ]),
    scales: float32(scales, [columns * blocks]),
  };
}

/** x [..,K] · matrix [K,N] → [..,N]. Without gradient. */
export function matMulNBits(x: Tensor, matrix: QuantizedMatrix): Tensor {
  return matMulLevels(x, matrix, constant(matrix.levels), constant(matrix.scales));
}

/** Activations are rounded to 8 bits by blocks within the product: with floats ONNX Runtime has no fast kernel for weights of 8 bits. */
const IN_8_BITS = 4;

/**
 * The same with levels and scales that are in the program already, such as states.
 * @param roundsInput whether the operator may round blocks of x to 8 bits, which is much faster. Default false.
 */
export function matMulLevels(
  x: Tensor,
  { bits, blockSize, depth, columns }: Pick<QuantizedMatrix, 'bits' | 'blockSize' | 'depth' | 'columns'>,
  levels: Tensor,
  scales: Tensor,
  roundsInput = false,
): Tensor {
  return nativeOp(
    'MatMulNBits',
    [x, levels, scales],
    [{ dtype: 'float32', shape: [...x.shape.slice(0, -1), columns] }],
    { K: depth, N: columns, bits, block_size: blockSize, ...(roundsInput && { accuracy_level: IN_8_BITS }) },
    { domain: 'com.microsoft' },
  )[0];
}

function paired(levels: Uint8Array): Uint8Array {
  return Uint8Array.from({ length: levels.length / 2 }, (_, i) => levels[2 * i] | (levels[2 * i + 1] << 4));
}
