// Gradient checkpointing: gradients of the same bits, less memory.
import { afterAll, describe, expect, it } from 'vitest';
import {
  bernoulliMask,
  createReferenceEngine,
  type Engine,
  float32,
  OnnxEngine,
  recompute,
  State,
  type Tensor,
  tf,
  valueAndGrads,
} from '../../src/engine/index.js';
import { CounterRandom } from '../../src/random/index.js';

const WIDTH = 16;
const ROWS = 32;
const LAYERS = 6;
const input = float32(
  Float32Array.from({ length: ROWS * WIDTH }, (_, i) => Math.sin(1.3 * i)),
  [ROWS, WIDTH],
);

const wave = (size: number, k: number) => () => Float32Array.from({ length: size }, (_, i) => Math.sin(i * 0.7 + k) / 3); // biome-ignore format: short

class Layer {
  readonly weight: State;
  readonly bias: State;
  /** How often it has run, as a batch norm counts its batches. */
  readonly runs: State;
  constructor(k: number) {
    this.weight = new State(`w${k}`, [WIDTH, WIDTH], 'float32', wave(WIDTH * WIDTH, k));
    this.bias = new State(`b${k}`, [WIDTH], 'float32', wave(WIDTH, k + 0.5));
    this.runs = new State(`n${k}`, [], 'float32');
  }
  /** x [N,D] */
  forward(x: Tensor): Tensor {
    this.runs.assign(tf.add(this.runs.tensor(), 1));
    const hidden = tf.tanh(
      tf.add(tf.matMul(x as tf.Tensor2D, this.weight.tensor() as tf.Tensor2D), this.bias.tensor()),
    );
    const kept = tf.where(bernoulliMask([ROWS, WIDTH], 0.8), hidden, tf.zerosLike(hidden));
    // The count in the output: a second run that saw the assigned value would compute something else.
    return tf.add(x, tf.mul(tf.sigmoid(kept), this.runs.tensor()));
  }
}

type Form = 'plain' | 'each' | 'pairs' | 'nested' | 'closed';

const trained = ({ name }: { readonly name: string }) => /^[wb]/.test(name);

function network(layers: readonly Layer[], form: Form, x: Tensor): Tensor {
  const run = (some: readonly Layer[], x: Tensor) => some.reduce((x, layer) => layer.forward(x), x);
  if (form === 'plain') return run(layers, x);
  if (form === 'each') {
    return layers.reduce((x, layer) => recompute(([x]) => [layer.forward(x)], [x], trained)[0], x);
  }
  if (form === 'nested') {
    const inner = ([x]: Tensor[]) => [network(layers, 'each', x)];
    return recompute(inner, [x], trained)[0];
  }
  if (form === 'closed') {
    // What a layer reads of outside is no input of it, computed of weights, and ends with the memory scope around it.
    return layers.reduce((x, layer) => {
      const doubled = tf.add(x, x);
      const constant = tf.add(tf.scalar(0.25), tf.scalar(0.25));
      return recompute(() => [layer.forward(tf.mul(doubled, constant))], [], trained)[0];
    }, x);
  }
  for (let i = 0; i < layers.length; i += 2) {
    const pair = layers.slice(i, i + 2);
    // Two outputs, one of which is used twice.
    const [sum, last] = recompute(
      ([x]) => {
        const y = run(pair, x);
        return [tf.add(x, y), y];
      },
      [x],
      trained,
    );
    x = tf.sub(tf.mul(sum, 1), tf.sub(sum, last));
  }
  return x;
}

async function stepOf(engine: Engine, form: Form) {
  const layers = Array.from({ length: LAYERS }, (_, k) => new Layer(k));
  const states = layers.flatMap(({ weight, bias }) => [weight, bias]);
  const program = engine.compile(form, ({ x }) => {
    const { value, grads } = valueAndGrads(() => tf.mean(tf.square(network(layers, form, x))), states);
    return { loss: value, ...Object.fromEntries(grads.map((grad, i) => [states[i].name, grad])) };
  });
  const out = await program.run({ x: input }, { random: new CounterRandom(3) });
  const counts = await Promise.all(layers.map(async ({ runs }) => (await engine.read(runs))[0]));
  const peak = program.peakBytes?.({ x: input });
  program.dispose();
  engine.release(layers.flatMap(({ weight, bias, runs }) => [weight, bias, runs]));
  return {
    out: Object.fromEntries(Object.entries(out).map(([key, { data }]) => [key, Array.from(data)])),
    counts,
    peak,
  };
}

const onnx = new OnnxEngine({ threads: 1 });
afterAll(() => onnx.dispose());

describe.each([
  ['onnxruntime', onnx],
  ['reference', createReferenceEngine()],
] as const)('recomputation on %s', (_, engine) => {
  it.each(['each', 'nested', 'closed'] as const)(
    'of %s layer gives the same bits, dropout and counts included',
    async (form) => {
      const plain = await stepOf(engine, 'plain');
      const checkpointed = await stepOf(engine, form);
      expect(checkpointed.out).toEqual(plain.out);
      expect(checkpointed.counts).toEqual(plain.counts);
      expect(plain.counts).toEqual(Array.from({ length: LAYERS }, () => 1));
    },
  );

  it('of parts with several outputs has their gradients', async () => {
    const plain = await stepOf(engine, 'plain');
    const { out } = await stepOf(engine, 'pairs');
    for (const [name, values] of Object.entries(plain.out)) {
      const scale = Math.max(...values.map(Math.abs));
      const worst = Math.max(...values.map((v, i) => Math.abs(v - out[name][i])));
      expect(worst / scale, name).toBeLessThan(1e-5);
    }
  });
});

it('keeps the inputs of layers only', async () => {
  const plain = await stepOf(onnx, 'plain');
  const checkpointed = await stepOf(onnx, 'each');
  expect(checkpointed.peak).toBeLessThan(0.6 * (plain.peak as number));
});

it('masks are made again instead of kept', async () => {
  const engine = new OnnxEngine({ threads: 1 });
  const rows = 2048;
  const peak = (layers: number, drops: boolean): number => {
    const weights = Array.from({ length: layers }, (_, k) => new State(`w${k}`, [WIDTH, WIDTH], 'float32', wave(WIDTH * WIDTH, k))); // biome-ignore format: short
    const layer =
      (weight: State) =>
      ([x]: Tensor[]) => {
        const hidden = tf.matMul(x as tf.Tensor2D, weight.tensor() as tf.Tensor2D);
        return [tf.tanh(drops ? tf.where(bernoulliMask([rows, WIDTH], 0.8), hidden, tf.zerosLike(hidden)) : hidden)]; // biome-ignore format: short
      };
    const program = engine.compile('masks', ({ x }) => {
      const loss = () => tf.sum(tf.square(weights.reduce((x, weight) => recompute(layer(weight), [x], trained)[0], x))) as tf.Scalar; // biome-ignore format: short
      const { value, grads } = valueAndGrads(loss, weights);
      return { value, ...Object.fromEntries(grads.map((grad, k) => [`w${k}`, grad])) };
    });
    const bytes = program.peakBytes?.({ x: float32(new Float32Array(rows * WIDTH), [rows, WIDTH]) }) as number; // biome-ignore format: short
    program.dispose();
    return bytes;
  };
  const ofOneLayer = (drops: boolean) => (peak(12, drops) - peak(4, drops)) / 8;
  // What a layer keeps is its input, 4 bytes a number; a mask would be a byte more.
  expect(ofOneLayer(true) / ofOneLayer(false)).toBeLessThan(1.1);
  await engine.dispose();
});
