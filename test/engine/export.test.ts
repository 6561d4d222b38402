import * as ort from 'onnxruntime-node';
import { expect, it } from 'vitest';
import {
  checkExport,
  createReferenceEngine,
  type ExportedInput,
  type ExportSpec,
  exportProgram,
  float32,
  randomBits,
  State,
  scan,
  type Tensors,
  tf,
} from '../../src/engine/index.js';

const x: ExportedInput = { dtype: 'float32', axes: ['rows', 'columns'] };
const examples = [
  { rows: 5, columns: 19 },
  { rows: 12, columns: 17 },
  { rows: 7, columns: 30 },
  { rows: 10, columns: 24 },
  { rows: 13, columns: 35 },
  { rows: 6, columns: 41 },
];

function specOf(fn: (inputs: Tensors) => Tensors, more: Partial<ExportSpec> = {}): ExportSpec {
  return { name: 'test', fn, inputs: { x }, examples, read: async (state) => state.initialValue(), ...more };
}

async function run(model: Uint8Array, rows: number, columns: number) {
  const session = await ort.InferenceSession.create(model, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  const data = Float32Array.from({ length: rows * columns }, (_, i) => i);
  return session.run({ x: new ort.Tensor('float32', data, [rows, columns]) });
}

it('computes reshapes, slices, counted ranges and cut tables from the sizes at run time', async () => {
  const table = (count: number) =>
    Float32Array.from({ length: 2 * count - 1 }, (_, i) => Math.sqrt(100 + i - count));
  const spec = specOf(({ x }) => {
    const [rows, columns] = x.shape;
    const half = Math.ceil(columns / 2);
    const even = tf.pad(x, [[0, 0], [0, 2 * half - columns]]); // biome-ignore format: short
    return {
      pairs: tf.max(tf.reshape(even, [rows, half, 2]), 2),
      flat: tf.slice(tf.reshape(x, [rows * columns]), [columns - 1], [rows * columns - columns]),
      counted: tf.range(0, columns, 1, 'int32'),
      centred: tf.add(tf.tensor1d(table(columns)), tf.scalar(1)),
    };
  });
  const model = await exportProgram(spec);
  for (const [rows, columns] of [
    [1, 1],
    [2, 8],
    [40, 3],
  ]) {
    // biome-ignore format: short
    const out = await run(model, rows, columns);
    const half = Math.ceil(columns / 2);
    const pairs = Array.from({ length: rows * half }, (_, i) => {
      const [row, pair] = [Math.floor(i / half), i % half];
      return row * columns + Math.min(2 * pair + 1, columns - 1);
    });
    expect(out['pairs'].dims).toEqual([rows, half]);
    expect([...(out['pairs'].data as Float32Array)]).toEqual(pairs);
    const flat = Array.from({ length: rows * columns - columns }, (_, i) => columns - 1 + i);
    if (rows > 1) expect([...(out['flat'].data as Float32Array)]).toEqual(flat);
    expect([...(out['counted'].data as Int32Array)]).toEqual(Array.from({ length: columns }, (_, i) => i));
    const centred = table(columns).map((value) => Math.fround(value + 1));
    expect([...(out['centred'].data as Float32Array)]).toEqual([...centred]);
  }
});

it('puts states in as weights under their names, and knows a loop of any length', async () => {
  const weight = new State('cell.weight', [1], 'float32', () => Float32Array.of(2));
  const model = await exportProgram(
    specOf(({ x }) => {
      const [rows] = x.shape;
      const { carry } = scan(
        ([sum], [row]) => ({ carry: [tf.add(sum, tf.mul(tf.sum(row), weight.tensor()))], ys: [] }),
        [tf.zeros([1])],
        [x],
      );
      return { sum: tf.mul(carry[0], tf.scalar(rows)) };
    }),
  );
  expect(Buffer.from(model).includes('cell.weight')).toBe(true);
  expect(Buffer.from(model).includes('com.microsoft')).toBe(false);
  // 2 · (0 + … + 5) · 3 rows
  expect([...((await run(model, 3, 2))['sum'].data as Float32Array)]).toEqual([90]);
});

it.each<[string, (inputs: Tensors) => Tensors, RegExp]>([
  [
    'other nodes at other sizes',
    ({ x }) => ({ y: x.shape[0] > 9 ? tf.sin(x) : tf.cos(x) }),
    /depends on the length or the batch size: Cos .* is Sin/,
  ],
  [
    'a number that no formula gives',
    ({ x }) => ({ y: tf.tile(x, [1, 2 + ((x.shape[0] * 7) % 5)]) }),
    /input 1 of Tile .* is no known function of the sizes: int64\[2\] = 1 2; int64\[2\] = 1 6/,
  ],
  [
    'a table of other values for each length',
    ({ x }) => ({
      y: tf.add(x, tf.tensor1d(Array.from({ length: x.shape[1]! }, (_, i) => i / x.shape[1]!))),
    }),
    /of Add .* is no known function of the sizes: float32\[19\]/,
  ],
  [
    'random numbers',
    ({ x }) => ({ y: tf.add(x, tf.cast(randomBits(1), 'float32')) }),
    /draws random numbers/,
  ],
])('refuses %s', async (_name, fn, message) => {
  await expect(exportProgram(specOf(fn))).rejects.toThrow(message);
});

it('wants examples in which no axis follows another', async () => {
  const lockstep = examples.map((_, i) => ({ rows: 3 + 2 * i, columns: 40 + 6 * i }));
  const exported = exportProgram(specOf(({ x }) => ({ y: tf.sin(x) }), { examples: lockstep }));
  await expect(exported).rejects.toThrow(/axis columns is a function of axis rows/);
});

it('notices when a file computes something else than the function', async () => {
  const engine = createReferenceEngine();
  // Right at the examples, all of which have more than four rows.
  const spec = specOf(({ x }) => ({ y: tf.mul(x, tf.scalar(Math.min(4, x.shape[0]))) }));
  const model = await exportProgram(spec);
  const sample = (rows: number) => ({ x: float32(new Float32Array(rows * 2).fill(1), [rows, 2]) });
  await checkExport(model, spec, engine, [sample(4), sample(9)]);
  await expect(checkExport(model, spec, engine, [sample(3)])).rejects.toThrow(
    /output y differs by .* with x \[3,2\]/,
  );
  await engine.dispose();
});
