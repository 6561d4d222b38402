// The operator anemone.Pointwise (native/) and the pass that puts chains of operations in it: the same bits as the operators one by one.
import { afterAll, describe, expect, it } from 'vitest';
import {
  type Engine,
  float32,
  type HostTensor,
  OnnxEngine,
  State,
  type Tensor,
  type Tensors,
  tf,
  valueAndGrads,
} from '../../src/engine/index.js';
import { NO_LIMITS } from '../../src/engine/onnx/provider-limits.js';
import { trace } from '../../src/engine/onnx/trace.js';
import { CounterRandom } from '../../src/random/index.js';
import { skipUnlessBuilt } from './native-library.js';
import { byWay } from './ways.js';

const engine = new OnnxEngine({ threads: 2 });
afterAll(() => engine.dispose());

const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
const numbers = (shape: readonly number[], seed: number) =>
  float32(
    Float32Array.from({ length: size(shape) }, (_, i) => Math.sin(12.9898 * i + seed) * (1 + (i % 7))),
    shape,
  );

type Step = (inputs: Tensors) => Tensors;

function traced(fn: Step, inputs: Readonly<Record<string, HostTensor>>, pointwise = true) {
  const program = trace(fn, inputs, { limits: { ...NO_LIMITS, pointwise }, callsAreNodes: true });
  return program.segments.flatMap(({ nodes }) => nodes);
}

const opsOf = (...of: Parameters<typeof traced>) => traced(...of).map(({ op }) => op);

async function run(fn: Step, inputs: Readonly<Record<string, HostTensor>>, on: Engine = engine) {
  const program = on.compile('pointwise', fn);
  const outputs = await program.run(inputs);
  program.dispose();
  return Object.fromEntries(Object.entries(outputs).map(([key, { data }]) => [key, [...data]]));
}

/** By the operator, and by the binding, which has none of ours. */
async function bothWays(fn: Step, inputs: Readonly<Record<string, HostTensor>>) {
  const found = await byWay('capi', () => run(fn, inputs, new OnnxEngine({ threads: 2 })));
  const wanted = await byWay('binding', () => run(fn, inputs, new OnnxEngine({ threads: 2 })));
  return { found, wanted };
}

/** Each operation, with rows, columns, single numbers and masks, in a chain that has one result. */
const everything: Step = ({ x, y, row, column, one }) => {
  const mask = tf.cast(tf.less(x, y), 'float32');
  const shifted = tf.div(tf.sub(tf.mul(tf.add(x, row), column), tf.neg(y)), tf.add(tf.abs(y), 1.5));
  return { z: tf.mul(tf.sqrt(tf.abs(tf.mul(shifted, one))), mask) };
};

const OPERATIONS: readonly ((a: Tensor, b: Tensor) => Tensor)[] = [
  tf.add,
  tf.sub,
  (a, b) => tf.sub(b, a),
  tf.mul,
  (a, b) => tf.div(a, tf.add(tf.abs(b), 0.5)),
  (a) => tf.sqrt(tf.abs(a)),
  (a) => tf.neg(a),
];

const inputsOf = (shape: readonly number[]) => ({
  x: numbers(shape, 1),
  y: numbers(shape, 2),
  row: numbers([shape.at(-1) ?? 1], 3),
  column: numbers([...shape.slice(0, -1), 1], 4),
  one: numbers([], 5),
});

describe('a chain', () => {
  skipUnlessBuilt();
  it.each([[[7]], [[3, 5]], [[1, 1]], [[2, 1, 512]], [[4, 33, 129]], [[2, 40, 511]], [[600, 1]]])(
    'over %j has the bits of its operations one by one',
    async (shape) => {
      const { found, wanted } = await bothWays(everything, inputsOf(shape));
      expect(found).toEqual(wanted);
      expect(new Set(found['z']).size).toBeGreaterThan(size(shape) / 4 > 4 ? 4 : 0);
    },
  );

  it('has these bits whatever is in it', async () => {
    const random = new CounterRandom(7);
    const drawn = { count: 0 };
    const draw = (n: number) => Math.floor(random.uniform(drawn.count++) * n);
    for (let program = 0; program < 12; program++) {
      const shape = [1 + draw(30), 1 + draw(600)];
      const start = drawn.count;
      const step: Step = (inputs) => {
        drawn.count = start;
        const values = Object.values(inputs);
        let z: Tensor = inputs['x'];
        for (let i = 0; i < 12; i++) z = OPERATIONS[draw(OPERATIONS.length)](z, values[draw(values.length)]);
        return { z };
      };
      const { found, wanted } = await bothWays(step, inputsOf(shape));
      expect(found, `program ${program} over ${shape}`).toEqual(wanted);
    }
  });

  it('keeps what is not a number, infinite or denormal as the operations do', async () => {
    const x = float32(
      [Number.NaN, Number.POSITIVE_INFINITY, 1e-39, -0, 0, -1, 3e38, Number.NEGATIVE_INFINITY],
      [8],
    );
    const y = float32([1, -1, 1e-39, 0, 0, -0, 3e38, 2], [8]);
    const { found, wanted } = await bothWays(
      ({ x, y }) => ({ z: tf.sqrt(tf.add(tf.mul(x, y), tf.div(x, y))), w: tf.neg(tf.abs(tf.sub(x, y))) }),
      { x, y },
    );
    expect(found).toEqual(wanted);
    expect(found['w'].map((value) => Object.is(value, -0))).toEqual(
      wanted['w'].map((value) => Object.is(value, -0)),
    );
  });

  it('is one node in the gradient of an activation, which has the same bits', async () => {
    const w = new State('w', [64, 96], 'float32', () => numbers([64, 96], 9).data as Float32Array);
    const step: Step = ({ x }) => {
      const { value, grads } = valueAndGrads(() => {
        const h = tf.matMul(x, w.tensor() as never);
        return tf.sum(tf.mul(tf.mul(h, tf.sigmoid(h)), 0.5));
      }, [w]);
      return { value, grad: grads[0] };
    };
    const { found, wanted } = await bothWays(step, { x: numbers([33, 64], 3) });
    expect(found).toEqual(wanted);
    const inputs = { x: numbers([33, 64], 3) };
    expect(opsOf(step, inputs).filter((op) => op === 'Pointwise').length).toBeGreaterThan(0);
    expect(opsOf(step, inputs).length).toBeLessThan(opsOf(step, inputs, false).length);
  });
});

describe('chains', () => {
  const [x, y] = [numbers([4, 8], 1), numbers([4, 8], 2)];

  it('are operations whose results nothing else reads', () => {
    expect(opsOf(({ x, y }) => ({ z: tf.mul(tf.add(x, y), y) }), { x, y })).toEqual(['Pointwise']);
    const shared: Step = ({ x, y }) => {
      const sum = tf.add(x, y);
      return { z: tf.sub(tf.mul(sum, y), tf.exp(sum)) };
    };
    expect(opsOf(shared, { x, y })).toEqual(['Add', 'Exp', 'Pointwise']);
    const returned: Step = ({ x, y }) => {
      const sum = tf.add(x, y);
      return { sum, z: tf.mul(sum, y) };
    };
    expect(opsOf(returned, { x, y })).toEqual(['Add', 'Mul']);
  });

  it('end where the shape changes or an operation is another', () => {
    const grown: Step = ({ x, y }) => ({ z: tf.add(tf.mul(tf.slice(x, [0, 0], [1, 8]), 2), y) });
    expect(opsOf(grown, { x, y })).toEqual(['Slice', 'Mul', 'Add']);
    expect(opsOf(({ x, y }) => ({ z: tf.add(tf.exp(tf.mul(x, y)), y) }), { x, y })).toEqual([
      'Mul',
      'Exp',
      'Add',
    ]);
    const whole: Step = ({ x, y }) => ({ z: tf.mul(tf.cast(tf.cast(x, 'int32'), 'float32'), tf.add(x, y)) });
    expect(opsOf(whole, { x, y })).toContain('Cast');
  });

  it('do not grow over what a node may have', () => {
    const many = Array.from({ length: 80 }, (_, i) => numbers([4, 8], i));
    const inputs = Object.fromEntries(many.map((tensor, i) => [`x${i}`, tensor]));
    const sum: Step = (all) => ({ z: Object.values(all).reduce((a, b) => tf.add(a, b) as Tensor) });
    const nodes = traced(sum, inputs);
    expect(nodes.length).toBeGreaterThan(2);
    expect(Math.max(...nodes.map((node) => node.inputs.length))).toBeLessThanOrEqual(32);
  });

  it('are left alone where there is no such operator', () => {
    expect(opsOf(({ x, y }) => ({ z: tf.mul(tf.add(x, y), y) }), { x, y }, false)).toEqual(['Add', 'Mul']);
  });
});
