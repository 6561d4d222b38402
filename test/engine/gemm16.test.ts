// The operator anemone.Gemm16 (native/): against double precision over rounded operands, and against the rehearsal. Where this CPU has
// no avx512_bf16, its code is run with instructions that every CPU has: all but the innermost multiplication is the same.
import { afterAll, describe, expect, it } from 'vitest';
import {
  float32,
  fusedMatMul,
  gemm,
  type HostTensor,
  inLowPrecision,
  OnnxEngine,
  State,
  scan,
  type Tensors,
  tf,
  valueAndGrads,
} from '../../src/engine/index.js';
import { flopsOf } from '../../src/engine/onnx/flops.js';
import { encodeModel } from '../../src/engine/onnx/model-proto.js';
import { NATIVE_DOMAIN, type OnnxGraph, type OnnxNode, onnxType } from '../../src/engine/onnx/onnx-graph.js';
import { hasGemm16, openSession } from '../../src/engine/onnx/open-session.js';
import { runsAsWritten } from '../../src/engine/onnx/passes/foreseen-operators.js';
import { wordsOf } from '../../src/engine/onnx/passes/packed-operands.js';
import { NO_LIMITS } from '../../src/engine/onnx/provider-limits.js';
import { trace } from '../../src/engine/onnx/trace.js';
import { fromBfloat16, toBfloat16 } from '../../src/formats/index.js';
import { skipUnlessGemm16 } from './native-library.js';
import { byWay } from './ways.js';

process.env['ANEMONE_GEMM16'] ??= 'portable';
const engine = new OnnxEngine({ threads: 2 });
afterAll(() => engine.dispose());

const numbers = (count: number, seed: number) =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(12.9898 * i + seed) * (1 + (i % 7)));

type Matrix = { readonly shape: readonly number[]; readonly data: Float32Array };
const matrix = (shape: readonly number[], seed: number): Matrix & HostTensor =>
  float32(
    numbers(
      shape.reduce((a, b) => a * b, 1),
      seed,
    ),
    shape,
  ) as never;

/** op(a) · op(b) of matrices in double precision over operands rounded to bfloat16. */
function exactly(a: Matrix, b: Matrix, [ta, tb]: readonly boolean[]): Float64Array {
  const [x, y] = [a, b].map(({ data }) => fromBfloat16(toBfloat16(data)));
  const [m, k] = ta ? [a.shape[1], a.shape[0]] : a.shape;
  const n = tb ? b.shape[0] : b.shape[1];
  const result = new Float64Array(m * n);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let l = 0; l < k; l++) sum += x[ta ? l * m + i : i * k + l] * y[tb ? j * k + l : l * n + j];
      result[i * n + j] = sum;
    }
  return result;
}

const low = (fn: (inputs: Tensors) => Tensors) => (inputs: Tensors) =>
  inLowPrecision('bfloat16', () => fn(inputs));

async function computed(fn: (inputs: Tensors) => Tensors, inputs: Record<string, HostTensor>, on = engine) {
  const program = on.compile('gemm16', low(fn));
  const outputs = await program.run(inputs);
  program.dispose();
  return Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, data as Float32Array]));
}

/** Of the largest number. */
function distance(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  expect(found.length).toBe(wanted.length);
  let [worst, most] = [0, 1e-30];
  for (let i = 0; i < wanted.length; i++) {
    worst = Math.max(worst, Math.abs(found[i] - wanted[i]));
    most = Math.max(most, Math.abs(wanted[i]));
  }
  return worst / most;
}

const node = (op: string, inputs: string[], output: string, attributes = {}): OnnxNode => ({
  op,
  domain: op === 'Cast' ? '' : NATIVE_DOMAIN,
  inputs,
  outputs: [output],
  attributes,
});
const toLow = (name: string): OnnxNode => node('Cast', [name], `low_${name}`, { to: onnxType.bfloat16 });

function hasBitsOf(found: Float32Array, wanted: Float32Array): boolean {
  return Buffer.from(found.buffer).equals(Buffer.from(wanted.buffer));
}

/** What nodes make of `inputs`: y, of `shape`. */
async function madeBy(
  nodes: readonly OnnxNode[],
  inputs: Record<string, HostTensor>,
  shape: readonly number[],
): Promise<Float32Array> {
  const described = Object.entries(inputs).map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  const graph: OnnxGraph = { nodes, inputs: described, outputs: [{ name: 'y', dtype: 'float32', shape }], initializers: [] }; // biome-ignore format: one line reads better
  const model = { bytes: encodeModel(graph), inputs: Object.keys(inputs), outputs: ['y'], calls: [], weights: [], generation: {} }; // biome-ignore format: one line reads better
  const session = await openSession(model, { provider: 'cpu', threads: 2, optimization: 'disabled', arena: false }); // biome-ignore format: one line reads better
  const y = float32(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);
  await session.run(inputs, { y });
  await session.dispose();
  return y.data as Float32Array;
}

describe('anemone.Gemm16', () => {
  skipUnlessGemm16();

  it('takes the place of products in bfloat16, and is planned for', () => {
    expect(hasGemm16('cpu')).toBe(true);
    const x = { dtype: 'float32', shape: [64, 64] } as const;
    const step = ({ x }: Tensors): Tensors => ({
      a: tf.matMul(x, x),
      b: tf.matMul(tf.expandDims(x, 0), tf.expandDims(x, 0), false, true),
      c: gemm(x, x, tf.slice(x, [0, 0], [1, 64]), { alpha: 0.5 }),
      d: gemm(x, x, x, { beta: 2 }),
    });
    const limits = { ...NO_LIMITS, lowProducts: 'operator' } as const;
    const traced = trace(low(step), { x }, { callsAreNodes: true, limits });
    const [graph] = traced.segments;
    const count = (op: string) => graph.nodes.filter((node) => node.op === op).length;
    expect([count('Gemm16'), count('Gemm'), count('MatMul'), count('FusedMatMul')]).toEqual([3, 1, 0, 0]);
    expect(runsAsWritten(graph, (name) => traced.shapes.get(name))).toBe(true);
  });

  const sizes = [
    [1, 1, 1], [1, 2, 3], [14, 32, 32], [13, 31, 33], [15, 513, 31], [127, 512, 16], [126, 64, 513], [129, 1025, 65],
    [3, 40, 4101], [600, 9, 7], [260, 33, 1030],
  ] as const; // biome-ignore format: a table

  it.each(sizes)('of %s × %s × %s, in each transposition', async (m, k, n) => {
    for (const [ta, tb] of [
      [false, false],
      [true, false],
      [false, true],
      [true, true],
    ]) {
      const a = matrix(ta ? [k, m] : [m, k], 1);
      const b = matrix(tb ? [n, k] : [k, n], 2);
      const { y } = await computed(({ a, b }) => ({ y: tf.matMul(a, b, ta, tb) }), { a, b });
      expect(distance(y, exactly(a, b, [ta, tb]))).toBeLessThan(2e-6);
    }
  });

  it.each(sizes)('of %s × %s × %s, of each mix of operand types', async (m, k, n) => {
    for (const [transA, transB] of [
      [0, 0],
      [1, 0],
      [0, 1],
      [1, 1],
    ]) {
      const a = matrix(transA ? [k, m] : [m, k], 1);
      const b = matrix(transB ? [n, k] : [k, n], 2);
      const c = matrix([n], 3);
      const product = (a: string, b: string) => node('Gemm16', [a, b, 'c'], 'y', { transA, transB, alpha: { float: 0.5 } }); // biome-ignore format: one line reads better
      const y = await madeBy([product('a', 'b')], { a, b, c }, [m, n]);
      const wanted = exactly(a, b, [transA > 0, transB > 0]).map((sum, i) => sum / 2 + c.data[i % n]);
      expect(distance(y, wanted)).toBeLessThan(2e-6);
      const mixes = [
        [toLow('a'), product('low_a', 'b')],
        [toLow('b'), product('a', 'low_b')],
        [toLow('a'), toLow('b'), product('low_a', 'low_b')],
      ];
      for (const nodes of mixes) expect(hasBitsOf(await madeBy(nodes, { a, b, c }, [m, n]), y)).toBe(true);
      if (transA) continue;
      const packing = node('Gemm16Pack', ['low_b'], 'packed', { transB });
      const packed = node('Gemm16', ['low_a', 'packed', 'c'], 'y', { columns: n, alpha: { float: 0.5 } });
      const nodes = [toLow('a'), toLow('b'), packing, packed];
      expect(hasBitsOf(await madeBy(nodes, { a, b, c }, [m, n]), y)).toBe(true);
    }
  });

  it('of batches of each mix of operand types', async () => {
    const [a, b] = [matrix([2, 3, 33, 18], 3), matrix([3, 18, 5], 4)];
    const shape = [2, 3, 33, 5];
    const y = await madeBy([node('Gemm16', ['a', 'b'], 'y')], { a, b }, shape);
    const low = [toLow('a'), toLow('b')];
    for (const operands of [
      ['low_a', 'b'],
      ['a', 'low_b'],
      ['low_a', 'low_b'],
    ])
      expect(await madeBy([...low, node('Gemm16', operands, 'y')], { a, b }, shape)).toEqual(y);
  });

  it('takes no operand of another type, and no packed one that is called bfloat16', async () => {
    const [a, b] = [matrix([4, 4], 1), matrix([4, 4], 2)];
    const half = node('Cast', ['b'], 'half', { to: onnxType.float16 });
    await expect(madeBy([half, node('Gemm16', ['a', 'half'], 'y')], { a, b }, [4, 4])).rejects.toMatchObject({
      message: expect.stringContaining('Gemm16 takes float32 and bfloat16'),
    });
    const words = matrix([wordsOf(4, 4)], 1);
    const packed = node('Gemm16', ['a', 'low_words'], 'y', { columns: 4 });
    await expect(madeBy([toLow('words'), packed], { a, words }, [4, 4])).rejects.toMatchObject({
      message: expect.stringContaining('packed operand'),
    });
  });

  it('keeps what is not a number in bfloat16, and what is not finite', async () => {
    const [a, b] = [matrix([40, 40], 1), matrix([40, 40], 2)];
    a.data[0] = Number.NaN;
    a.data[41] = Number.POSITIVE_INFINITY;
    const y = await madeBy([toLow('a'), node('Gemm16', ['low_a', 'b'], 'y')], { a, b }, [40, 40]);
    expect(y.slice(0, 40).every(Number.isNaN)).toBe(true);
    expect(y.slice(40, 80).some(Number.isFinite)).toBe(false);
    expect(y.slice(80).every(Number.isFinite)).toBe(true);
  });

  it.each([
    [
      [7, 33, 18],
      [7, 18, 21],
    ],
    [
      [33, 18],
      [5, 18, 21],
    ],
    [
      [5, 33, 18],
      [18, 21],
    ],
    [
      [2, 1, 33, 18],
      [1, 3, 18, 21],
    ],
    [
      [2, 3, 4, 18],
      [3, 18, 5],
    ],
  ])('of batches %j and %j', async (shapeA, shapeB) => {
    const [a, b] = [matrix(shapeA, 3), matrix(shapeB, 4)];
    for (const [ta, tb] of [
      [false, false],
      [true, true],
      [true, false],
    ]) {
      const wanted = await byWay('binding', () =>
        computed(product(ta, tb), { a, b }, new OnnxEngine({ threads: 1 })),
      );
      const { y } = await computed(product(ta, tb), { a, b });
      expect(distance(y, wanted['y'])).toBeLessThan(2e-6);
    }
  });

  it('with a factor and a summand, broadcast or whole', async () => {
    const [a, b] = [matrix([35, 20], 1), matrix([20, 33], 2)];
    const product = exactly(a, b, [false, false]);
    for (const shape of [[33], [1, 33], [35, 33], [35, 1], [1]]) {
      const c = matrix(shape, 5);
      const { y, z } = await computed(
        ({ a, b, c }) => ({ y: gemm(a, b, c, { alpha: 0.3 }), z: fusedMatMul(a, b, { alpha: 3 }) }),
        { a, b, c },
      );
      const at = (i: number, j: number) => c.data[(shape.length === 2 && shape[0] > 1 ? i * shape[1] : 0) + (shape.at(-1) === 1 ? 0 : j)]; // biome-ignore format: one line reads better
      const wanted = product.map((value, i) => Math.fround(0.3) * value + at(Math.floor(i / 33), i % 33));
      expect(distance(y, wanted)).toBeLessThan(2e-6);
      expect(
        distance(
          z,
          product.map((value) => 3 * value),
        ),
      ).toBeLessThan(2e-6);
    }
  });

  it('gives the same bits on one thread and on several', async () => {
    const [a, b] = [matrix([700, 530], 1), matrix([530, 600], 2)];
    const batches = matrix([6, 40, 40], 3);
    const step = ({ a, b, batches }: Tensors): Tensors => ({
      y: tf.matMul(a, b),
      z: tf.matMul(batches, batches),
    });
    const results = [];
    for (const threads of [1, 2, 4]) {
      const other = new OnnxEngine({ threads });
      results.push(await computed(step, { a, b, batches }, other));
      await other.dispose();
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  it('keeps what is not a number, and what is not finite', async () => {
    const data = numbers(40 * 40, 1);
    data[0] = Number.NaN;
    data[41] = Number.POSITIVE_INFINITY;
    const { y } = await computed(({ a, b }) => ({ y: tf.matMul(a, b) }), { a: float32(data, [40, 40]), b: matrix([40, 40], 2) }); // biome-ignore format: one line reads better
    expect(y.slice(0, 40).every(Number.isNaN)).toBe(true);
    expect(y.slice(40, 80).some(Number.isFinite)).toBe(false);
    expect(y.slice(80).every(Number.isFinite)).toBe(true);
  });

  it('computes a training step with loops to the numbers of the rehearsal', async () => {
    const weight = new State('weight', [24, 24], 'float32', () => numbers(576, 7).map((x) => x / 30));
    const step = ({ x }: Tensors): Tensors => {
      const { carry } = scan(([h], [row]) => ({ carry: [tf.tanh(tf.add(tf.matMul(h, weight.tensor()), row))], ys: [] }), [tf.zeros([8, 24])], [x]); // biome-ignore format: one line reads better
      const { value, grads } = valueAndGrads(() => {
        const h = tf.tanh(tf.matMul(carry[0], weight.tensor()));
        const scores = tf.softmax(
          tf.matMul(tf.reshape(h, [2, 4, 24]), tf.reshape(h, [2, 4, 24]), false, true),
        );
        return tf.sum(tf.square(tf.matMul(scores, tf.reshape(h, [2, 4, 24]))));
      }, [weight]);
      return { value, grad: grads[0], carry: carry[0] };
    };
    const x = matrix([5, 8, 24], 8);
    const own = await computed(step, { x });
    const rehearsed = await byWay('binding', () => computed(step, { x }, new OnnxEngine({ threads: 1 })));
    // A sum in another order may be rounded to the other neighbour when it is an operand next.
    for (const name of ['value', 'grad', 'carry'])
      expect(distance(own[name], rehearsed[name])).toBeLessThan(2 ** -8);
  });

  it.each([
    [24, 24, false],
    [24, 40, true],
    [513, 33, false],
    [1025, 31, true],
    [5, 4101, false],
    [3, 4130, true],
  ])(
    'takes a matrix [%i, %i] that a loop multiplies with, transposed %s, as it was packed before it',
    async (k, n, transposed) => {
      const x = matrix([3, 15, k], 1);
      const w = matrix(transposed ? [n, k] : [k, n], 2);
      const summand = matrix([n], 3);
      const loop = ({ x, w, summand }: Tensors): Tensors => {
        const product = (row: tf.Tensor) => tf.add(tf.matMul(row, w, false, transposed), summand);
        const { ys } = scan((_, [row]) => ({ carry: [], ys: [product(row)] }), [], [x]);
        return { y: ys[0] };
      };
      const limits = { ...NO_LIMITS, lowProducts: 'operator' } as const;
      const specs = Object.fromEntries(Object.entries({ x, w, summand }).map(([name, { dtype, shape }]) => [name, { dtype, shape }])); // biome-ignore format: one line reads better
      const traced = trace(low(loop), specs, { callsAreNodes: true, limits });
      const { nodes } = traced.segments[0];
      const [packing] = nodes.filter(({ op }) => op === 'Gemm16Pack');
      expect(packing.inputs).toHaveLength(1);
      const body = nodes.find(({ op }) => op === 'Scan')?.attributes['body'] as { graph: OnnxGraph };
      const product = body.graph.nodes.find(({ op }) => op === 'Gemm16');
      expect([product?.inputs[1], product?.attributes['columns']]).toEqual([packing.outputs[0], n]);
      expect(flopsOf(traced)).toBe(2 * 3 * 15 * k * n);

      const { y } = await computed(loop, { x, w, summand });
      const plain = await computed(
        ({ x, w, summand }) => ({
          y: tf.add(tf.matMul(tf.reshape(x, [45, k]), w, false, transposed), summand),
        }),
        { x, w, summand },
      );
      expect(y).toEqual(plain['y']);
    },
  );

  it('packs what several products of a loop take once, and nothing that the loop makes itself', () => {
    const x = { dtype: 'float32', shape: [3, 8, 8] } as const;
    const w = { dtype: 'float32', shape: [8, 8] } as const;
    const loop = ({ x, w }: Tensors): Tensors => {
      const twice = (row: tf.Tensor) => tf.matMul(tf.tanh(tf.matMul(row, w)), tf.tanh(tf.matMul(w, row)));
      const { ys } = scan((_, [row]) => ({ carry: [], ys: [tf.matMul(twice(row), w)] }), [], [x]);
      return { y: ys[0] };
    };
    const limits = { ...NO_LIMITS, lowProducts: 'operator' } as const;
    const { segments } = trace(low(loop), { x, w }, { callsAreNodes: true, limits });
    expect(segments[0].nodes.filter(({ op }) => op === 'Gemm16Pack')).toHaveLength(1);
    const body = segments[0].nodes.find(({ op }) => op === 'Scan')?.attributes['body'] as {
      graph: OnnxGraph;
    };
    const products = body.graph.nodes.filter(({ op }) => op === 'Gemm16');
    expect(products.map(({ attributes }) => attributes['columns'] ?? 0).sort()).toEqual([0, 0, 8, 8]);
  });

  it('is none of the programs in 32 bits, nor of those in float16', async () => {
    const x = float32([1 + 2 ** -12], [1, 1]);
    const program = engine.compile('plain', ({ x }) => ({ y: tf.matMul(x, x) }));
    expect((await program.run({ x }))['y'].data[0]).toBeGreaterThan(1);
    const half = engine.compile('half', ({ x }) => inLowPrecision('float16', () => ({ y: tf.matMul(x, x) })));
    expect((await half.run({ x: float32([300], [1, 1]) }))['y'].data[0]).toBe(Number.POSITIVE_INFINITY);
  });
});

function product(ta: boolean, tb: boolean) {
  return ({ a, b }: Tensors): Tensors => {
    const swapped = (x: tf.Tensor) => tf.transpose(x, [...x.shape.keys()].map((axis, _, { length }) => axis < length - 2 ? axis : 2 * length - 3 - axis)); // biome-ignore format: one line reads better
    return { y: tf.matMul(ta ? swapped(a) : a, tb ? swapped(b) : b, ta, tb) };
  };
}
