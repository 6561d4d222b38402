// Updates that compute the same for each number are one small graph over stretches of their states: what is computed is the
// same to the bit, the graph does not grow with the model, and signatures share it.
import { createHash } from 'node:crypto';
import { afterAll, describe, expect, it } from 'vitest';
import {
  type Engine,
  float32,
  type HostData,
  OnnxEngine,
  State,
  type Tensor,
  type Tensors,
  tf,
  valueAndGrads,
} from '../../src/engine/index.js';
import { STRETCH } from '../../src/engine/onnx/flat-runner.js';
import { programMemory } from '../../src/engine/onnx/live-memory.js';
import { PassingBuffers } from '../../src/engine/onnx/passing-buffers.js';
import { type TracedProgram, trace } from '../../src/engine/onnx/trace.js';
import { Module } from '../../src/nn/index.js';
import { clipByNorm, createOptimizer, globalNorm } from '../../src/optim/index.js';
import { byWay } from './ways.js';

/** Shapes of all kinds: two stretches and a bit, axes of one, a convolution (whose gradient is transposed), one number. */
const SHAPES = [[2 * STRETCH + 5], [3, 5], [5], [4, 2, 1], [3, 2, 3, 3], [1], [6]];

class Parameters extends Module {
  readonly all;

  constructor(shapes: readonly number[][]) {
    super();
    this.all = shapes.map((shape, i) =>
      this.parameter(`p${i}`, shape, () =>
        Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, k) => Math.sin(k + i)),
      ),
    );
  }
}

/** Each parameter in a sum of its own kind; the convolution as a convolution. */
function lossOf(parameters: Parameters['all'], x: Tensors[string]): Tensors[string] {
  const terms = parameters.map((parameter, i) => {
    const p = parameter.tensor();
    if (p.rank !== 4) return tf.mean(tf.square(tf.sub(tf.mul(p, x.shape[0]), tf.mul(tf.mean(x), i + 0.3))));
    const image = tf.reshape(tf.slice(x, [0], [32]), [1, 4, 4, 2]);
    return tf.mean(tf.square(tf.conv2d(image as never, tf.transpose(p, [2, 3, 1, 0]) as never, 1, 'valid')));
  });
  return tf.addN(terms);
}

function compile(engine: Engine, optim: Record<string, unknown>, shapes: readonly number[][], clip = true) {
  const { all } = new Parameters(shapes);
  const optimizer = createOptimizer(optim, all);
  const step = ({ x, scalars }: Tensors): Tensors => {
    const { value, grads } = valueAndGrads(() => lossOf(all, x), all);
    const norm = globalNorm(grads);
    optimizer.update(clip ? clipByNorm(grads, norm, 0.5) : grads, scalars);
    return { loss: value, norm };
  };
  return { optimizer, step, program: engine.compile('step', step) };
}

const ofLength = (length: number, t = 0) =>
  float32(
    Float32Array.from({ length }, (_, i) => Math.cos(i + t)),
    [length],
  );

const digest = (data: HostData) => createHash('sha256').update(data).digest('hex');

async function train(engine: Engine, optim: Record<string, unknown>): Promise<ReadonlyMap<string, string>> {
  const { optimizer, program } = compile(engine, optim, SHAPES);
  const seen = new Map<string, string>();
  const states = [...optimizer.parameters, ...optimizer.slots];
  for (const [t, wanted] of [true, false, true, true].entries()) {
    const inputs = { x: ofLength(40 + t, t), scalars: optimizer.scalars(t + 1, (lr) => lr) };
    const { loss, norm } = await program.run(inputs, { commitIf: () => wanted });
    seen.set(`${t} numbers`, `${loss.data[0]} ${norm.data[0]}`);
    for (const state of states) seen.set(`${t} ${state.name}`, digest(await engine.read(state)));
  }
  program.dispose();
  engine.release(states);
  return seen;
}

const OPTIMIZERS: readonly Record<string, unknown>[] = [
  { name: 'adamw', lr: 0.1, weight_decay: 0.01 },
  { name: 'adam', lr: 0.1, weight_decay: 0.01, amsgrad: true },
  { name: 'sgd', lr: 0.1, momentum: 0.9, nesterov: true, weight_decay: 0.01 },
  { name: 'sgd', lr: 0.1 },
  { name: 'adagrad', lr: 0.1 },
  { name: 'rmsprop', lr: 0.1, momentum: 0.9, centered: true },
  { name: 'adadelta', lr: 0.1 },
  { name: 'adamax', lr: 0.1 },
  { name: 'adan', lr: 0.1, weight_decay: 0.01, max_grad_norm: 0.3 },
  { name: 'rprop', lr: 0.1 },
  { name: 'novograd', lr: 0.1, weight_decay: 0.01 },
  { name: 'novograd', lr: 0.1, luc: true },
  { name: 'lamb', lr: 0.1, weight_decay: 0.01 },
  { name: 'adafactor', lr: 0.1, relative_step: false, scale_parameter: true },
];

const named = (optim: Record<string, unknown>) =>
  Object.entries(optim)
    .map((entry) => entry.join('='))
    .join(' ');

describe.each(OPTIMIZERS.map((optim) => [named(optim), optim] as const))('an update by %s', (_, optim) => {
  it('is, bit for bit, that of whole tensors, and a refused step changes nothing', async () => {
    const engine = new OnnxEngine({ threads: 2 });
    const flat = await byWay('capi', () => train(engine, optim));
    const whole = await byWay('binding', () => train(engine, optim));
    await engine.dispose();
    expect([...flat.keys()].filter((key) => flat.get(key) !== whole.get(key))).toEqual([]);
    const statesAt = (t: number) => [...flat].filter(([key]) => key.startsWith(`${t} `) && !key.endsWith('numbers')).map(([, value]) => value); // biome-ignore format: one line reads better
    expect(statesAt(1)).toEqual(statesAt(0));
    expect(statesAt(2)).not.toEqual(statesAt(1));
  });
});

const nodesOf = ({ segments, apply }: TracedProgram) => ({
  compute: segments[0].nodes.length,
  rest: apply?.graph.nodes.length ?? 0,
  flat: apply?.flat.map(({ graph }) => graph.nodes.length) ?? [],
});

describe('the graph of an update', () => {
  const traced = (optim: Record<string, unknown>, shapes: readonly number[][], length = 40) => {
    const engine = new OnnxEngine({ threads: 1 });
    const { optimizer, step } = compile(engine, optim, shapes);
    const inputs = { x: ofLength(length), scalars: optimizer.scalars(1, (lr) => lr) };
    return trace(step, inputs, { callsAreNodes: true });
  };
  const MANY = SHAPES.filter((shape) => shape.join() !== '1');

  it.each(['adamw', 'adam', 'sgd', 'adagrad', 'rmsprop', 'adadelta', 'adamax', 'rprop'])(
    'does not grow with the model: %s',
    (name) => {
      const [few, more] = [
        traced({ name, lr: 0.1 }, MANY),
        traced({ name, lr: 0.1 }, [...MANY, ...MANY]),
      ].map(nodesOf);
      expect(more.compute).toBeGreaterThan(few.compute);
      expect({ ...more, compute: 0 }).toEqual({ ...few, compute: 0 });
      expect(few.flat).toHaveLength(1);
    },
  );

  it('takes one number a tensor where the rule has one: novograd', () => {
    const { flat } = traced({ name: 'novograd', lr: 0.1 }, MANY).apply ?? {};
    expect(flat?.map(({ members }) => members.length)).toEqual([MANY.length]);
  });

  it('holds each state once, and each gradient', () => {
    for (const name of ['adamw', 'adan', 'rprop', 'novograd']) {
      const { apply, updates } = traced({ name, lr: 0.1 }, MANY);
      expect(apply?.inPlace.size).toBe(updates.size);
      expect(apply?.crossing.filter(({ shape }) => shape.length > 0)).toHaveLength(MANY.length);
    }
  });
});

describe('states that are read and written across each other', () => {
  it('are exchanged, in memory of a stretch', async () => {
    const size = STRETCH + 3;
    const make = (name: string, from: number) =>
      new State(name, [size], 'float32', () => Float32Array.from({ length: size }, (_, i) => from + i));
    const [a, b] = [make('a', 0), make('b', 0.5)];
    const exchange = (): Tensors => {
      const [ofA, ofB] = [a.tensor(), b.tensor()];
      a.assign(ofB);
      b.assign(ofA);
      return {};
    };
    const engine = new OnnxEngine({ threads: 1 });
    const program = engine.compile('exchange', exchange);
    await program.run({});
    const held = [a, b].map((state) => program.memory?.({}).states.get(state));
    expect([await engine.read(a), await engine.read(b)]).toEqual([b.initialValue(), a.initialValue()]);
    expect(held).toEqual([4 * size, 4 * size]);
    await engine.dispose();
  });

  it('gradients that are transposed for the update are not computed before others', () => {
    const weights = Array.from(
      { length: 6 },
      (_, k) => new State(`w${k}`, [3, 3, 8, 8], 'float32', () => new Float32Array(576).fill(0.1)),
    );
    const peakOf = (updates: boolean) => {
      const traced = trace(
        ({ x }) => {
          const forward = () =>
            weights.reduce((x, weight) => {
              // Stored as PyTorch has it: its gradient goes back through a transpose.
              const filter = tf.transpose(weight.tensor(), [0, 1, 3, 2]) as tf.Tensor4D;
              return tf.tanh(tf.conv2d(x as tf.Tensor4D, filter, 1, 'same')) as Tensor;
            }, x);
          const { value, grads } = valueAndGrads(() => tf.mean(tf.square(forward())), weights);
          const norm = grads.map((grad) => tf.sum(tf.square(grad))).reduce((a, b) => tf.add(a, b));
          if (updates)
            for (const [i, weight] of weights.entries()) weight.assign(tf.sub(weight.tensor(), grads[i]));
          return { loss: value, norm };
        },
        { x: float32(new Float32Array(2 * 48 * 48 * 8), [2, 48, 48, 8]) },
        { callsAreNodes: true },
      );
      return { peak: programMemory(traced, true).aliveBytes, apply: traced.apply };
    };
    const [without, updated] = [peakOf(false), peakOf(true)];
    expect(updated.apply).toBeDefined();
    expect(updated.peak).toBeLessThan(1.02 * without.peak);
  });

  it('sums of gradients are scaled where they are applied: no second copy of them is kept', () => {
    const [sum, weight] = [new State('sum', [100]), new State('weight', [100])];
    const { apply } = trace(
      ({ share }) => {
        const gradient = tf.mul(sum.tensor(), share);
        weight.assign(tf.sub(weight.tensor(), gradient));
        return { norm: tf.sum(tf.square(gradient)) };
      },
      { share: float32([0.5], []) },
      { callsAreNodes: true },
    );
    expect(apply?.crossing).toEqual([]);
    expect(apply?.flat.map(({ graph }) => graph.nodes.map(({ op }) => op))).toEqual([['Mul', 'Sub']]);
  });
});

describe('an update is not made over vectors', () => {
  const state = (name: string, shape = [4, 4]) => new State(name, shape);
  const applyOf = (fn: (x: Tensors[string]) => void, shape = [4, 4]) => {
    const x = float32(new Float32Array(16), shape);
    return trace(
      ({ x }) => {
        fn(x);
        return { y: tf.sum(x) };
      },
      { x },
      { callsAreNodes: true },
    ).apply;
  };

  it.each<[string, (x: Tensors[string]) => void]>([
    ['where numbers in other places are needed', (x) => { const w = state('w'); w.assign(tf.matMul(w.tensor() as never, x as never)); }],
    ['where rows are added to', (x) => { const w = state('w'); w.assign(tf.add(w.tensor(), tf.slice(x, [0, 0], [1, 4]))); }],
    ['where another update needs all of it', (x) => { const [w, n] = [state('w'), state('n', [])]; w.assign(tf.add(tf.mul(w.tensor(), 0.5), x)); n.assign(tf.sum(w.tensor())); }],
    ['of which another one reads the old value, in other places', (x) => { const [w, v] = [state('w'), state('v')]; v.assign(tf.matMul(w.tensor() as never, x as never)); w.assign(tf.add(w.tensor(), tf.mul(v.tensor(), x))); }],
  ])('%s', (_, fn) => {
    expect(applyOf(fn)?.flat).toEqual([]);
  }); // biome-ignore format: a table

  it('but is where a state only takes the old value of another', () => {
    const [w, old] = [state('w'), state('old')];
    const apply = applyOf((x) => {
      old.assign(w.tensor());
      w.assign(tf.add(w.tensor(), x));
    });
    expect(apply?.flat.map(({ members }) => members[0].writes.map(([{ name }]) => name))).toEqual([
      ['old', 'w'],
    ]);
    expect(apply?.flat[0].writes.map(({ inPlace }) => inPlace)).toEqual([true, false]);
  });
});

describe('signatures', () => {
  const engine = new OnnxEngine({ threads: 1 });
  afterAll(() => engine.dispose());

  it('share the sessions of their updates', async () => {
    const { optimizer, program } = compile(engine, { name: 'adamw', lr: 0.1 }, [[4, 2], [6], [3, 2, 3, 3]]);
    const scalars = optimizer.scalars(1, (lr) => lr);
    const counts: number[] = [];
    for (let length = 40; length < 72; length++) {
      await program.run({ x: ofLength(length), scalars });
      counts.push(engine.stats.sessions);
    }
    // One for what does not depend on the batch's shape, one over vectors.
    expect(counts).toEqual(counts.map((_, i) => i + 1 + 2));
    program.dispose();
    await new Promise(setImmediate);
    expect(engine.stats.sessions).toBe(0);
  });

  it('that come and go at the same time leave a session to who still has it', async () => {
    const open = () => compile(engine, { name: 'sgd', lr: 0.1 }, [[4, 2], [6]]);
    const first = open();
    const scalars = first.optimizer.scalars(1, (lr) => lr);
    await first.program.run({ x: ofLength(40), scalars });
    const second = open();
    const running = second.program.run({ x: ofLength(40), scalars });
    first.program.dispose();
    await running;
    await second.program.run({ x: ofLength(40), scalars });
    second.program.dispose();
    await new Promise(setImmediate);
    expect(engine.stats.sessions).toBe(0);
  });

  it('share the memory of gradients', () => {
    const buffers = new PassingBuffers();
    const gradient = { dtype: 'float32', shape: [1000] } as const;
    const [first, second] = [{}, {}];
    buffers.expect(first, [gradient, gradient]);
    buffers.expect(second, [gradient]);
    for (let run = 0; run < 3; run++) {
      const loan = buffers.lend();
      loan.tensor(gradient);
      loan.tensor(gradient);
      // What is lent stays with its borrower.
      const other = buffers.lend();
      other.tensor(gradient);
      other.giveBack();
      loan.giveBack();
    }
    expect(buffers.bytes).toBe(8000);
    buffers.forget(first);
    expect(buffers.bytes).toBe(4000);
    buffers.forget(second);
    expect(buffers.bytes).toBe(0);
  });
});
