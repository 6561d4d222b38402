// Native operators: the formula that eager engines compute against ONNX Runtime's kernels, the graph of a provider without
// kernels against both, and gradients against finite differences.
import { afterAll, describe, expect, it } from 'vitest';
import {
  createReferenceEngine,
  fastGelu,
  float32,
  fusedMatMul,
  gelu,
  gemm,
  groupQueryAttention,
  type HostTensors,
  hostCall,
  layerNormalization,
  matMulNBits,
  OnnxEngine,
  quantizeMatrix,
  quickGelu,
  rmsNormalization,
  rotaryEmbedding,
  State,
  tf,
} from '../../../src/engine/index.js';
import { STANDARD_ONLY } from '../../../src/engine/onnx/provider-limits.js';
import { trace } from '../../../src/engine/onnx/trace.js';
import type { Case } from '../conformance/cases.js';
import { expectClose, inputValues, numericGradients, runCase } from '../conformance/run.js';
import { takeWay, WAYS } from '../ways.js';

const reference = createReferenceEngine();
const onnx = new OnnxEngine({ threads: 1 });
afterAll(() => onnx.dispose());

const trained: readonly Case[] = [
  { name: 'LayerNormalization', shapes: [[2, 3, 5], [5], [5]], fn: ([x, w, b]) => layerNormalization(x, w, b, 1e-5) },
  { name: 'LayerNormalization without bias', shapes: [[4, 6], [6]], fn: ([x, w]) => layerNormalization(x, w, undefined, 1e-3) },
  { name: 'SimplifiedLayerNormalization', shapes: [[2, 3, 5], [5]], fn: ([x, w]) => rmsNormalization(x, w, 1e-5) },
  { name: 'FastGelu', shapes: [[3, 7]], fn: ([x]) => fastGelu(tf.mul(x, 3)) },
  { name: 'Gelu', shapes: [[3, 7]], fn: ([x]) => gelu(tf.mul(x, 3)) },
  { name: 'QuickGelu', shapes: [[3, 7]], fn: ([x]) => quickGelu(tf.mul(x, 3)) },
  { name: 'QuickGelu, alpha 1', shapes: [[2, 2, 3]], fn: ([x]) => quickGelu(x, 1) },
  ...[[false, false], [true, false], [false, true], [true, true]].flatMap(([transposeA, transposeB]): Case[] => [
    {
      name: `Gemm with C ${transposeA} ${transposeB}`,
      shapes: [transposeA ? [4, 3] : [3, 4], transposeB ? [5, 4] : [4, 5], [5]],
      fn: ([a, b, c]) => gemm(a, b, c, { transposeA, transposeB, alpha: 0.5, beta: 2 }),
    },
    {
      name: `FusedMatMul ${transposeA} ${transposeB}`,
      shapes: [transposeA ? [2, 4, 3] : [2, 3, 4], transposeB ? [1, 5, 4] : [1, 4, 5]],
      fn: ([a, b]) => fusedMatMul(a, b, { transposeA, transposeB, alpha: 0.3 }),
    },
  ]),
  { name: 'Gemm, C of a column', shapes: [[3, 4], [4, 5], [3, 1]], fn: ([a, b, c]) => gemm(a, b, c) },
  { name: 'Gemm without C, then a bias', shapes: [[3, 4], [4, 5], [5]], fn: ([a, b, c]) => tf.add(gemm(a, b), c) },
  { name: 'FusedMatMul of one matrix', shapes: [[2, 3, 4], [4, 5]], fn: ([a, b]) => fusedMatMul(a, b, { alpha: 2 }) },
]; // biome-ignore format: a table

const angles = (sin: boolean, half = 4) =>
  tf.tensor(Array.from({ length: 16 * half }, (_, i) => (sin ? Math.sin : Math.cos)(Math.floor(i / half) * 0.3 ** (i % half))), [16, half]); // biome-ignore format: one call
const rotary = (interleaved: boolean) => ({ cos: angles(false, 8), sin: angles(true, 8), interleaved });
const matrix = Float32Array.from({ length: 40 * 6 }, (_, i) => Math.sin(i * 1.3) * (1 + (i % 7)));

/** [B,N·D] query, key, value of S positions; past of P positions in a room of 10. */
function attention(batch: number, steps: number, lengths: number[], options: object): Case {
  const [heads, groups, size, room] = [4, 2, 16, 10];
  return {
    name: `GroupQueryAttention ${batch} ${steps} ${JSON.stringify(options)}`,
    gradient: false,
    shapes: [[batch, steps, heads * size], [batch, steps, groups * size], [batch, steps, groups * size], [batch, groups, room, size], [batch, groups, room, size]],
    fn: ([query, key, value, pastKey, pastValue]) => {
      const { turned, ...rest } = options as { turned?: boolean };
      const cache = {
        key: pastKey,
        value: pastValue,
        lastPlaces: tf.tensor1d(lengths, 'int32'),
        total: tf.tensor1d([Math.max(...lengths) + 1], 'int32'),
      };
      const all = groupQueryAttention(query, key, value, cache, room, { heads, groups, ...rest, ...(turned === undefined ? {} : { rotary: rotary(turned) }) });
      // Places that hold nothing yet are anything.
      const filled = tf.tensor(Array.from({ length: batch * room }, (_, i) => Number(i % room <= lengths[Math.floor(i / room)])), [batch, 1, room, 1]);
      return tf.concat([tf.reshape(all.output, [-1]), tf.reshape(tf.mul(all.key, filled), [-1]), tf.reshape(tf.mul(all.value, filled), [-1])]);
    },
  }; // biome-ignore format: long
}

const inferred: readonly Case[] = [
  attention(2, 1, [4, 6], {}),
  attention(2, 5, [4, 4], {}),
  attention(1, 3, [6], {}),
  attention(2, 1, [4, 6], { turned: false }),
  attention(1, 3, [6], { turned: true }),
  attention(2, 1, [7, 5], { window: 3, scale: 0.2 }),
  attention(2, 1, [7, 5], { softcap: 1.5 }),
  {
    name: 'GroupQueryAttention, packed',
    gradient: false,
    shapes: [[2, 1, 8 * 8], [2, 2, 10, 8], [2, 2, 10, 8]],
    fn: ([query, key, value]) =>
      groupQueryAttention(query, undefined, undefined, { key, value, lastPlaces: tf.tensor1d([3, 3], 'int32'), total: tf.tensor1d([4], 'int32') }, 10, { heads: 4, groups: 2 }).output,
  },
  ...[false, true].flatMap((interleaved): Case[] => [
    {
      name: `RotaryEmbedding ${interleaved}`,
      gradient: false,
      shapes: [[2, 3, 16]],
      fn: ([x]) => rotaryEmbedding(x, tf.tensor2d([[0, 1, 2], [5, 3, 9]], [2, 3], 'int32'), angles(false), angles(true), { interleaved }),
    },
    {
      name: `RotaryEmbedding by head, from a position ${interleaved}`,
      gradient: false,
      shapes: [[2, 3, 4, 8]],
      fn: ([x]) => rotaryEmbedding(x, tf.tensor1d([7], 'int32'), angles(false), angles(true), { interleaved }),
    },
    {
      name: `RotaryEmbedding of a part ${interleaved}`,
      gradient: false,
      shapes: [[2, 3, 16]],
      fn: ([x]) => rotaryEmbedding(x, tf.tensor1d([1], 'int32'), angles(false, 2), angles(true, 2), { interleaved, heads: 2 }),
    },
  ]),
  ...([4, 8] as const).flatMap((bits) => [16, 32].map((block): Case => ({
    name: `MatMulNBits of ${bits} bits in blocks of ${block}`,
    gradient: false,
    shapes: [[2, 3, 40]],
    fn: ([x]) => matMulNBits(x, quantizeMatrix(matrix, [40, 6], bits, block)),
  }))),
]; // biome-ignore format: a table

describe.each(WAYS)('operators by the %s equal their formulas', (way) => {
  takeWay(way);
  it.each([...trained, ...inferred])('$name', async (item) => {
    const expected = await runCase(reference, item, inputValues(item));
    const actual = await runCase(onnx, item, inputValues(item));
    expectClose(actual.value, expected.value, 5e-6);
    actual.gradients.forEach((grad, i) => {
      expectClose(grad, expected.gradients[i], 1e-5);
    });
  });
});

describe('gradients against finite differences', () => {
  it.each(trained)('$name', async (item) => {
    const { gradients } = await runCase(reference, item, inputValues(item));
    const numeric = await numericGradients(reference, item);
    gradients.forEach((grad, i) => {
      expectClose(grad, numeric[i], 2e-3);
    });
  });
});

describe('a provider without kernels', () => {
  it.each([...trained, ...inferred])('computes $name by its formula', (item) => {
    const inputs = Object.fromEntries(
      item.shapes.map((shape, i) => [`x${i}`, { dtype: 'float32', shape } as const]),
    );
    const { segments } = trace(
      (tensors) => ({ y: item.fn(item.shapes.map((_, i) => tensors[`x${i}`]), []) }),
      inputs,
      { limits: STANDARD_ONLY },
    ); // biome-ignore format: one call
    const nodes = segments.flatMap((segment) => segment.nodes);
    expect(nodes.filter(({ domain }) => domain !== '').map(({ op }) => op)).toEqual([]);
    expect(nodes.filter(({ op }) => /Normalization/.test(op))).toEqual([]);
  });
});

it('errors of a quantized matrix are at most half of a level', async () => {
  const product = async (bits: 4 | 8) => {
    const eye: HostTensors = { x: float32(Float32Array.from({ length: 1600 }, (_, i) => Number(i % 41 === 0)), [40, 40]) }; // biome-ignore format: one line
    const q = quantizeMatrix(matrix, [40, 6], bits, 16);
    const { y } = await onnx.compile('q', ({ x }) => ({ y: matMulNBits(x, q) })).run(eye);
    return { y: y.data, scales: q.scales.data };
  };
  for (const bits of [4, 8] as const) {
    const { y, scales } = await product(bits);
    matrix.forEach((value, i) => {
      const block = (i % 6) * 3 + Math.floor(i / 6 / 16);
      expect(Math.abs(y[i] - value)).toBeLessThan(Math.abs(scales[block]) * (bits === 4 ? 1.01 : 0.51));
    });
  }
});

describe.each(WAYS)('optional inputs that are left out, by the %s', (way) => {
  takeWay(way);
  it('do no harm to a program that is cut, whose states are written in place, and that is asked for its memory', async () => {
    const engine = new OnnxEngine({ threads: 1 });
    const total = new State('total', [2, 1, 32]);
    const program = engine.compile('step', ({ query, key }) => {
      const cache = { key, value: key, lastPlaces: tf.tensor1d([3, 3], 'int32'), total: tf.tensor1d([4], 'int32') };
      const [twice] = hostCall('twice', ([x]) => [{ ...x, data: Float32Array.from(x.data, (v) => 2 * v) }], [query], [{ dtype: 'float32', shape: query.shape }]);
      const { output } = groupQueryAttention(twice, undefined, undefined, cache, 4, { heads: 4, groups: 2 });
      const norm = layerNormalization(output, tf.ones([32]), undefined, 1e-5);
      total.assign(tf.add(total.tensor(), norm));
      return { largest: tf.max(tf.abs(norm)), output };
    });
    const inputs = {
      query: float32(Float32Array.from({ length: 128 }, (_, i) => Math.sin(i)), [2, 1, 64]),
      key: float32(Float32Array.from({ length: 128 }, (_, i) => Math.cos(i)), [2, 2, 4, 8]),
    };
    expect(program.peakBytes?.(inputs)).toBeGreaterThan(0);
    const first = await program.run(inputs);
    await program.run(inputs);
    const sums = await engine.read(total);
    expect(Math.max(...sums.map(Math.abs))).toBeCloseTo(2 * first['largest'].data[0], 5);
    await engine.dispose();
  });
}); // biome-ignore format: long
