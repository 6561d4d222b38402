// Operators of the webgpu provider over many patterns of broadcasting in one process: a shader made for one pattern must
// not serve another that it is wrong for. And nodes of many outputs, each of which is a buffer of the shader.
import { afterAll, describe, expect, it } from 'vitest';
import type { HostTensors, Tensor } from '../../../src/engine/index.js';
import { skipUnless } from '../../skipping.js';
import { webgpuWorks } from '../webgpu.js';

const works = await webgpuWorks();
const { createReferenceEngine, float32, int32, OnnxEngine, tf } = await import(
  '../../../src/engine/index.js'
);

/** Last axes that 4 divides and that it does not, on either side, and sizes that 4 divides by several axes only. */
const PATTERNS: readonly [readonly number[], readonly number[]][] = [
  [[4, 6], [6]], [[4, 6], [4, 1]], [[4, 1], [1, 6]], [[3, 5], [3, 5]],
  [[4, 8], [8]], [[4, 8], [4, 1]], [[4, 1], [4, 8]], [[4, 8], [1, 1]], [[8], [3, 1]], [[], [4, 8]],
  [[3, 2, 2], [2, 2]], [[2, 2], [3, 2, 2]], [[2, 3, 4, 8], [2, 1, 4, 1]], [[2, 1, 4, 1], [2, 3, 4, 8]],
  [[1, 4, 4], [2, 4, 1]], [[2, 6, 2], [1, 6, 2]], [[1, 1, 8, 1], [2, 1, 8, 1]], [[4, 8, 1, 8], [1, 8, 4, 1]],
]; // biome-ignore format: a table

const positive = (x: Tensor) => tf.greater(x, tf.scalar(0, 'int32'));
const real = (x: Tensor) => tf.add(tf.cast(x, 'float32'), tf.scalar(0.5));
const counted = (x: Tensor) => tf.add(x, tf.scalar(1, 'int32'));

type Binary = (a: Tensor, b: Tensor) => Tensor;
const comparisons: Record<string, Binary> = { equal: tf.equal, notEqual: tf.notEqual, greater: tf.greater, greaterEqual: tf.greaterEqual, less: tf.less, lessEqual: tf.lessEqual }; // biome-ignore format: a table
const arithmetic: Record<string, Binary> = { add: tf.add, sub: tf.sub, mul: tf.mul, maximum: tf.maximum, minimum: tf.minimum, floorDiv: tf.floorDiv }; // biome-ignore format: a table
const both = (a: Tensor, b: Tensor) => tf.broadcast_util.assertAndGetBroadcastShape(a.shape, b.shape);
const where =
  (as: (x: Tensor) => Tensor): Binary =>
  (a, b) => {
    const shape = both(a, b);
    const [chosen, other] = [b, tf.zeros(shape, 'int32')].map((x) => tf.broadcastTo(as(x), shape));
    return tf.where(tf.broadcastTo(positive(a), shape), chosen, other);
  };

const families: readonly [string, (x: Tensor) => Tensor, Record<string, Binary>][] = [
  ['bools', positive, { and: tf.logicalAnd, or: tf.logicalOr, ...comparisons }],
  ['whole numbers', counted, { ...comparisons, ...arithmetic }],
  ['numbers', real, { ...comparisons, ...arithmetic, div: tf.div, pow: tf.pow }],
  ['any', (x) => x, { 'where of bools': where(positive), 'where of whole numbers': where(counted), 'where of numbers': where(real) }], // biome-ignore format: a table
];
const operators = families.flatMap(([kind, as, list]) =>
  Object.entries(list).map(([name, op]) => ({ name: `${name} (${kind})`, op, as })),
);

function operands(): HostTensors {
  const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
  const values = (shape: readonly number[], seed: number) =>
    int32(Int32Array.from({ length: size(shape) }, (_, i) => (Math.imul(i + seed, 2654435761) >>> 13) % 3), shape); // biome-ignore format: one formula
  return Object.fromEntries(
    PATTERNS.flatMap(([a, b], k) => [[`a${k}`, values(a, 7 * k + 1)], [`b${k}`, values(b, 11 * k + 5)]]), // biome-ignore format: pairs
  );
}

describe('webgpu', () => {
  skipUnless(works, 'no Vulkan driver answers (Debian: chromium and libvulkan1 bring one in software)');

  const reference = createReferenceEngine();
  const engine = works ? new OnnxEngine({ provider: 'webgpu', onPlacement: () => {} }) : reference;
  afterAll(() => engine.dispose());

  it.each(operators)('$name is right for every pattern', async ({ name, op, as }) => {
    const all = (inputs: Readonly<Record<string, Tensor>>) =>
      Object.fromEntries(
        PATTERNS.map((_, k) => [k, tf.cast(op(as(inputs[`a${k}`]), as(inputs[`b${k}`])), 'float32')]),
      );
    const [expected, actual] = await Promise.all(
      [reference, engine].map((one) => one.compile(name, all).run(operands())),
    );
    PATTERNS.forEach(([a, b], k) => {
      const wrong = expected[k].data.filter(
        (v, i) => Math.abs(actual[k].data[i] - v) > 1e-4 * (1 + Math.abs(v)),
      );
      expect({ a, b, wrong: wrong.length }).toEqual({ a, b, wrong: 0 });
    });
  });

  it.each([6, 7, 8, 9, 12, 50])('a split into %d parts', async (count) => {
    const parts = (x: Tensor) => tf.unstack(x, 1).map((part, i) => tf.mul(part, tf.scalar(i + 1)));
    const program = engine.compile('split', ({ x }) => ({ y: tf.stack(parts(x)) }));
    const { y } = await program.run({ x: float32(new Float32Array(3 * count).fill(1), [3, count]) });
    expect([...y.data]).toEqual(Array.from({ length: 3 * count }, (_, i) => Math.floor(i / 3) + 1));
  });
});
