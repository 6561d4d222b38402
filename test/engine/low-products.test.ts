// Products in 16 bits: operands are really rounded, everywhere in a program, by the same numbers on all engines.
import { describe, expect, it } from 'vitest';
import {
  createReferenceEngine,
  type Engine,
  float32,
  type HostTensor,
  hostCall,
  inFullPrecision,
  inLowPrecision,
  type LowType,
  OnnxEngine,
  recompute,
  State,
  scan,
  type Tensor,
  type Tensors,
  tf,
  valueAndGrads,
  withProductsIn,
} from '../../src/engine/index.js';
import { runsAsWritten } from '../../src/engine/onnx/passes/foreseen-operators.js';
import { trace } from '../../src/engine/onnx/trace.js';
import { byWay } from './ways.js';

const TYPES = ['float16', 'bfloat16'] as const;
/** Numbers of which neither type holds all digits. */
const numbers = (count: number, seed: number, size = 1) =>
  Float32Array.from({ length: count }, (_, i) => size * Math.sin(12.9898 * i + seed));

/** Rounds by arithmetic, with no bits of the library: to the last place of the type, ties to even. */
function rounded(value: number, type: LowType): number {
  if (value === 0 || !Number.isFinite(value)) return value;
  const [digits, least] = type === 'float16' ? [10, -14] : [7, -126];
  const exponent = Math.max(Math.floor(Math.log2(Math.abs(value))), least);
  const unit = 2 ** (exponent - digits);
  const scaled = value / unit;
  const floor = Math.floor(scaled);
  const rest = scaled - floor;
  const whole = rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
  const result = whole * unit;
  return type === 'float16' && Math.abs(result) > 65504
    ? Math.sign(result) * Number.POSITIVE_INFINITY
    : result;
}

/** The product [n,k]·[k,m] of rounded operands in double precision, rounded as the type's product is. */
function product(a: Float32Array, b: Float32Array, [n, k, m]: readonly number[], type: LowType): number[] {
  const result: number[] = [];
  for (let i = 0; i < n; i++)
    for (let j = 0; j < m; j++) {
      let sum = 0;
      for (let l = 0; l < k; l++) sum += rounded(a[i * k + l], type) * rounded(b[l * m + j], type);
      result.push(type === 'float16' ? rounded(sum, type) : sum);
    }
  return result;
}

async function run(
  engine: Engine,
  fn: (inputs: Tensors) => Tensors,
  inputs: Record<string, HostTensor>,
): Promise<Record<string, number[]>> {
  const program = engine.compile('test', fn);
  const outputs = await program.run(inputs);
  program.dispose();
  return Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, Array.from(data)]));
}

/** The same program in all that computes: both ways to ONNX Runtime, and op by op. */
async function everywhere(
  fn: (inputs: Tensors) => Tensors,
  inputs: Record<string, HostTensor>,
): Promise<Record<string, number[]>[]> {
  const results: Record<string, number[]>[] = [];
  for (const way of ['capi', 'binding'] as const) {
    results.push(await byWay(way, () => run(new OnnxEngine({ threads: 2 }), fn, inputs)));
  }
  results.push(await run(createReferenceEngine(), fn, inputs));
  return results;
}

/** Largest difference, of the largest number. */
function distance(a: readonly number[], b: readonly number[]): number {
  expect(a.length).toBe(b.length);
  const most = Math.max(...b.map(Math.abs));
  return Math.max(...a.map((value, i) => Math.abs(value - b[i]))) / most;
}

const within = (type: LowType, fn: (inputs: Tensors) => Tensors) => (inputs: Tensors) =>
  inLowPrecision(type, () => fn(inputs));

/** A sum in another order may fall to the other side of a tie: one place of float16. */
const TOLERANCE = { float16: 2 ** -10, bfloat16: 2e-6 } as const;

describe.each(TYPES)('products in %s', (type) => {
  const [n, k, m] = [5, 33, 7];
  const a = numbers(n * k, 1, 3);
  const b = numbers(k * m, 2);
  const inputs = { a: float32(a, [n, k]), b: float32(b, [k, m]) };

  it('are those of rounded operands, on every engine', async () => {
    const expected = product(a, b, [n, k, m], type);
    const exact = (await run(createReferenceEngine(), ({ a, b }) => ({ y: tf.matMul(a, b) }), inputs))['y'];
    expect(distance(exact, expected)).toBeGreaterThan(TOLERANCE[type]);
    for (const { y } of await everywhere(
      within(type, ({ a, b }) => ({ y: tf.matMul(a, b) })),
      inputs,
    )) {
      expect(distance(y, expected)).toBeLessThan(TOLERANCE[type]);
    }
  });

  it('of one number show each digit', async () => {
    // 1 + 2^-12 has more digits than either type.
    const x = float32([1 + 2 ** -12], [1, 1]);
    for (const { y } of await everywhere(
      within(type, ({ x }) => ({ y: tf.matMul(x, x) })),
      { x },
    )) {
      expect(y).toEqual([1]);
    }
  });

  it.each([
    ['transposed', ({ a, b }: Tensors) => tf.matMul(tf.transpose(b), a, false, true)],
    ['batched', ({ a, b }: Tensors) => tf.matMul(tf.stack([a, tf.neg(a)]), tf.stack([b, b]))],
    [
      'batched and transposed',
      ({ a, b }: Tensors) => tf.matMul(tf.stack([b, b]), tf.stack([a, a]), true, true),
    ],
    [
      'a convolution',
      ({ a, b }: Tensors) =>
        tf.conv2d(
          tf.reshape(a, [1, 5, 11, 3]) as tf.Tensor4D,
          tf.reshape(tf.slice(b, [0, 0], [18, 3]), [3, 2, 3, 3]) as tf.Tensor4D,
          1,
          'same',
        ),
    ],
    [
      'a depthwise convolution',
      ({ a, b }: Tensors) =>
        tf.depthwiseConv2d(
          tf.reshape(a, [1, 5, 11, 3]) as tf.Tensor4D,
          tf.reshape(tf.slice(b, [0, 0], [9, 1]), [3, 1, 3, 1]) as tf.Tensor4D,
          1,
          'valid',
        ),
    ],
  ] as const)(
    '%s and its gradient agree on every engine, and are not those of 32 bits',
    async (_name, fn) => {
      // biome-ignore format: one line reads better
      const weight = new State('weight', [k, m], 'float32', () => b);
      const step = ({ a }: Tensors): Tensors => {
        let y: Tensor | undefined;
        const { grads } = valueAndGrads(() => {
          const product = fn({ a, b: weight.tensor() });
          y = tf.keep(tf.clone(product));
          return tf.sum(tf.mul(tf.tanh(product), product));
        }, [weight]);
        const kept = tf.clone(y as Tensor);
        y?.dispose();
        return { y: kept, grad: grads[0] };
      };
      const exact = await run(createReferenceEngine(), step, { a: inputs.a });
      const [first, ...others] = await everywhere(within(type, step), { a: inputs.a });
      for (const name of ['y', 'grad']) {
        expect(distance(first[name], exact[name])).toBeGreaterThan(1e-5);
        for (const other of others)
          expect(distance(other[name], first[name])).toBeLessThan(2 * TOLERANCE[type]);
      }
    },
  );

  it('stay in 32 bits inside inFullPrecision, and so do their gradients', async () => {
    const step = ({ a, b }: Tensors): Tensors => {
      const weight = new State('weight', [k, m], 'float32', () => numbers(k * m, 2));
      const { grads, value } = valueAndGrads(
        () => inFullPrecision(() => tf.sum(tf.tanh(tf.matMul(a, tf.add(weight.tensor(), b))))),
        [weight],
      );
      return { value, grad: grads[0] };
    };
    for (const engine of [() => new OnnxEngine({ threads: 2 }), createReferenceEngine]) {
      expect(await run(engine(), within(type, step), inputs)).toEqual(await run(engine(), step, inputs));
    }
  });

  it('leave everything else in 32 bits', async () => {
    const step = ({ a }: Tensors): Tensors => ({
      softmax: tf.softmax(a),
      norm: tf.div(a, tf.sqrt(tf.mean(tf.square(a), 1, true))),
      sum: tf.sum(a),
      exp: tf.exp(a),
      tanh: tf.tanh(tf.mul(a, a)),
    });
    const engine = new OnnxEngine({ threads: 2 });
    expect(await run(engine, within(type, step), inputs)).toEqual(await run(engine, step, inputs));
    await engine.dispose();
  });

  it('in a loop round what comes from around it, and what it carries', async () => {
    const weight = new State('weight', [7, 7], 'float32', () => numbers(49, 3, 0.4));
    const step = ({ a }: Tensors): Tensors => {
      const xs = tf.reshape(tf.slice(a, [0, 0], [5, 28]), [5, 4, 7]);
      const { carry, ys } = scan(
        ([h], [x]) => {
          const next = tf.tanh(tf.add(tf.matMul(h, weight.tensor()), x));
          const inner = scan(([s], [row]) => ({ carry: [tf.matMul(s, weight.tensor(), false, true)], ys: [row] }), [next], [x]); // biome-ignore format: one line reads better
          return { carry: [next], ys: [inner.carry[0]] };
        },
        [tf.zeros([4, 7])],
        [xs],
      );
      return { carry: carry[0], ys: ys[0], after: tf.matMul(ys[0], tf.expandDims(weight.tensor(), 0)) }; // biome-ignore format: one line reads better
    };
    const exact = await run(createReferenceEngine(), step, { a: inputs.a });
    const [first, ...others] = await everywhere(within(type, step), { a: inputs.a });
    for (const name of ['carry', 'ys']) {
      expect(distance(first[name], exact[name])).toBeGreaterThan(1e-4);
      for (const other of others)
        expect(distance(other[name], first[name])).toBeLessThan(4 * TOLERANCE[type]);
    }
  });

  it('work beside host calls and parts that are computed twice', async () => {
    const weight = new State('weight', [7, 7], 'float32', () => numbers(49, 3, 0.4));
    const twice = (xs: HostTensor[]) => xs.map(({ shape, data }) => float32(Array.from(data, (x) => 2 * x), shape)); // biome-ignore format: one line reads better
    const step = ({ a }: Tensors): Tensors => {
      const x = tf.slice(a, [0, 0], [5, 7]);
      const [doubled] = hostCall('twice', twice, [tf.matMul(x, weight.tensor())], [{ dtype: 'float32', shape: [5, 7] }]); // biome-ignore format: one line reads better
      const { value, grads } = valueAndGrads(() => {
        const layer = ([h]: Tensor[]) => [tf.tanh(tf.matMul(h, weight.tensor()))];
        const [h] = recompute(
          layer,
          recompute(layer, [tf.clone(doubled)], () => true),
          () => true,
        );
        return tf.sum(tf.square(h));
      }, [weight]);
      return { value, grad: grads[0], again: tf.matMul(doubled, weight.tensor()) };
    };
    const exact = await run(createReferenceEngine(), step, { a: inputs.a });
    const [first, ...others] = await everywhere(within(type, step), { a: inputs.a });
    for (const name of ['grad', 'again']) {
      expect(distance(first[name], exact[name])).toBeGreaterThan(1e-4);
      for (const other of others)
        expect(distance(other[name], first[name])).toBeLessThan(4 * TOLERANCE[type]);
    }
  });

  it('are placed by the memory plan, which changes no bit', async () => {
    const size = 96;
    const weights = Array.from({ length: 6 }, (_, i) => new State(`w${i}`, [size, size], 'float32', () => numbers(size * size, i, 0.2))); // biome-ignore format: one line reads better
    const step = ({ x }: Tensors): Tensors => {
      const { value, grads } = valueAndGrads(() => {
        let h = x;
        for (const weight of weights) h = tf.tanh(tf.matMul(h, weight.tensor()));
        return tf.mean(tf.square(h));
      }, weights);
      return { value, ...Object.fromEntries(grads.map((grad, i) => [`grad${i}`, grad])) };
    };
    const x = float32(numbers(size * size, 9), [size, size]);
    const traced = trace(within(type, step), { x }, { callsAreNodes: true });
    for (const graph of traced.segments) {
      expect(runsAsWritten(graph, (name) => traced.shapes.get(name))).toBe(true);
      expect(graph.nodes.some(({ op }) => op === 'Cast')).toBe(true);
    }
    const [planned, heap] = [
      new OnnxEngine({ threads: 2 }),
      new OnnxEngine({ threads: 2, plannedMemory: false }),
    ];
    const results = [];
    for (const engine of [planned, heap]) results.push(await run(engine, within(type, step), { x }));
    expect(results[0]).toEqual(results[1]);
  });

  it('keep 16 bits of what waits for the gradient', () => {
    const size = 64;
    const weights = Array.from({ length: 40 }, (_, i) => new State(`w${i}`, [size, size]));
    const step = ({ x }: Tensors): Tensors => {
      const { value, grads } = valueAndGrads(() => {
        let h = x;
        // The sum with x is needed by the product alone.
        for (const weight of weights) h = tf.add(tf.matMul(h, weight.tensor()), x);
        return tf.sum(h);
      }, weights);
      return { value, norm: tf.sum(tf.stack(grads.map((grad) => tf.sum(tf.square(grad))))) };
    };
    const engine = new OnnxEngine({ threads: 1 });
    const memory = (fn: typeof step) =>
      engine.compile('memory', fn).peakBytes?.({ x: { dtype: 'float32', shape: [4 * size, size] } }) ?? 0;
    expect(memory(within(type, step))).toBeLessThan(0.8 * memory(step));
  });
});

describe('float16', () => {
  it('overflows where a device would: in an operand, and in a result', async () => {
    const x = float32([70000, 300], [1, 2]);
    const y = float32([1, 300], [2, 1]);
    const step = ({ x, y }: Tensors): Tensors => ({
      operand: tf.matMul(tf.slice(x, [0, 0], [1, 1]), tf.ones([1, 1])),
      result: tf.matMul(tf.slice(x, [0, 1], [1, 1]), tf.slice(y, [1, 0], [1, 1])),
    });
    for (const result of await everywhere(within('float16', step), { x, y })) {
      expect(result).toEqual({ operand: [Number.POSITIVE_INFINITY], result: [Number.POSITIVE_INFINITY] });
    }
    for (const result of await everywhere(within('bfloat16', step), { x, y })) {
      expect(result['operand'][0]).toBe(70144);
      expect(Number.isFinite(result['result'][0])).toBe(true);
    }
  });
});

describe('withProductsIn', () => {
  it('holds the states of the engine behind it, whose own programs stay in 32 bits', async () => {
    const engine = new OnnxEngine({ threads: 1 });
    const low = withProductsIn(engine, 'bfloat16');
    const weight = new State('weight', [1, 1], 'float32', () => Float32Array.of(1 + 2 ** -12));
    const square = (): Tensors => ({ y: tf.matMul(weight.tensor(), weight.tensor()) });
    expect((await run(low, square, {}))['y']).toEqual([1]);
    expect((await run(engine, square, {}))['y'][0]).toBeGreaterThan(1);
    await low.write(weight, Float32Array.of(2));
    expect(Array.from(await engine.read(weight))).toEqual([2]);
    expect(low.name).toBe(engine.name);
    await low.dispose();
  });
});
