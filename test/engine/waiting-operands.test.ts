// What waits for products in bfloat16 that are computed by the operator anemone.Gemm16: kept in 16 bits, with the bits of what is not.
import { afterAll, describe, expect, it } from 'vitest';
import {
  float32,
  type HostTensor,
  inLowPrecision,
  OnnxEngine,
  State,
  scan,
  type Tensor,
  type Tensors,
  tf,
  valueAndGrads,
} from '../../src/engine/index.js';
import { flopsOf } from '../../src/engine/onnx/flops.js';
import { peakBytes } from '../../src/engine/onnx/live-memory.js';
import { encodeModel } from '../../src/engine/onnx/model-proto.js';
import { type OnnxGraph, type OnnxNode, onnxType } from '../../src/engine/onnx/onnx-graph.js';
import { openSession } from '../../src/engine/onnx/open-session.js';
import type { LowProducts } from '../../src/engine/onnx/passes/autocast.js';
import { BufferReads } from '../../src/engine/onnx/passes/buffer-reads.js';
import { runsAsWritten } from '../../src/engine/onnx/passes/foreseen-operators.js';
import { NO_LIMITS } from '../../src/engine/onnx/provider-limits.js';
import { type TracedProgram, trace } from '../../src/engine/onnx/trace.js';
import { fromBfloat16, toBfloat16 } from '../../src/formats/index.js';
import { skipUnlessGemm16 } from './native-library.js';

process.env['ANEMONE_GEMM16'] ??= 'portable';
const engine = new OnnxEngine({ threads: 2 });
afterAll(() => engine.dispose());

type Step = (inputs: Tensors) => Tensors;

const matrix = (shape: readonly number[], seed: number, size = 1): HostTensor =>
  float32(Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => size * Math.sin(12.9898 * i + seed)), shape); // biome-ignore format: one line reads better

const low = (step: Step) => (inputs: Tensors) => inLowPrecision('bfloat16', () => step(inputs));

function traced(step: Step, inputs: Record<string, HostTensor>, lowProducts: LowProducts = 'operator') {
  const program = trace(step, inputs, { callsAreNodes: true, limits: { ...NO_LIMITS, lowProducts } });
  expect(program.segments).toHaveLength(1);
  return program;
}

const nodesOf = ({ segments }: TracedProgram, op: string): OnnxNode[] =>
  segments[0].nodes.filter((node) => node.op === op);

/** Casts to bfloat16; there are no others. */
function castsOf(program: TracedProgram): OnnxNode[] {
  const casts = nodesOf(program, 'Cast');
  for (const { attributes } of casts) expect(attributes['to']).toBe(onnxType.bfloat16);
  return casts;
}

async function outputsOf(program: TracedProgram, graph: OnnxGraph, inputs: Record<string, HostTensor>) {
  const names = (values: readonly { name: string }[]) => values.map(({ name }) => name);
  const model = { bytes: encodeModel(graph), inputs: names(graph.inputs), outputs: names(graph.outputs), calls: [], weights: [], generation: {} }; // biome-ignore format: one line reads better
  const session = await openSession(model, { provider: 'cpu', threads: 2, optimization: 'disabled', arena: false }); // biome-ignore format: one line reads better
  const feeds = Object.fromEntries([...program.inputs].map(([key, { name }]) => [name, inputs[key]]));
  for (const [state, { name, shape }] of program.states)
    feeds[name] = float32((state as State).initialValue() as Float32Array, shape);
  const fetches = Object.fromEntries(graph.outputs.map(({ name, shape }) => [name, matrix(shape, 0)]));
  await session.run(feeds, fetches);
  await session.dispose();
  return Object.fromEntries([...program.outputs].map(([key, { name }]) => [key, fetches[name].data]));
}

/** Runs a program, and the one in which nothing is cast: they have the same bits. */
async function checkBits(program: TracedProgram, inputs: Record<string, HostTensor>): Promise<void> {
  const [graph] = program.segments;
  expect(runsAsWritten(graph, (name) => program.shapes.get(name))).toBe(true);
  const asItIs = graph.nodes.map((node) => (node.op === 'Cast' ? { ...node, op: 'Identity', attributes: {} } : node)); // biome-ignore format: one line reads better
  const found = await outputsOf(program, graph, inputs);
  expect(found).toEqual(await outputsOf(program, { ...graph, nodes: asItIs }, inputs));
}

/** More nodes than uses may be apart that are near to each other. */
const later = (x: Tensor): Tensor => {
  let y = x;
  for (let i = 0; i < 70; i++) y = tf.sin(y);
  return y;
};

describe('what waits for products in bfloat16', () => {
  skipUnlessGemm16();

  const LAYERS = 40;
  const size = 64;
  const weights = Array.from({ length: LAYERS }, (_, i) => new State(`w${i}`, [size, size], 'float32', () => matrix([size, size], i, 0.1).data)); // biome-ignore format: one line reads better
  const x = matrix([4 * size, size], 99);
  /** The sum with x is needed by products alone. */
  const chain: Step = ({ x }) => {
    const loss = () =>
      tf.sum(weights.reduce((h, weight) => tf.add(tf.matMul(h, weight.tensor()), x), x)) as tf.Scalar;
    const { grads } = valueAndGrads(loss, weights);
    return { norm: tf.sum(tf.stack(grads.map((grad) => tf.sum(tf.square(grad))))), first: grads[0] };
  };

  it('is cast once, and taken as it is', async () => {
    const program = traced(low(chain), { x });
    const casts = castsOf(program);
    // Those of the last layers do not wait.
    expect(casts.length).toBeGreaterThan(LAYERS / 2);
    expect(casts.length).toBeLessThan(LAYERS - 2);
    const products = nodesOf(program, 'Gemm16');
    for (const { inputs, outputs } of casts) {
      const takers = products.filter((node) => node.inputs.includes(outputs[0]));
      expect(takers).toHaveLength(2);
      expect(program.segments[0].nodes.filter((node) => node.inputs.includes(inputs[0]))).toHaveLength(1);
    }
    await checkBits(program, { x });
  });

  it('counts in FLOPs as what it was cast from', () => {
    const counted = (step: Step) => flopsOf(traced(step, { x }));
    expect(counted(low(chain))).toBe(counted(chain));
  });

  it.each(['rehearsed', 'operator'] as const)('takes less memory, %s', (products) => {
    const bytes = (step: Step) => peakBytes(traced(step, { x }, products), true);
    expect(bytes(low(chain))).toBeLessThan(0.8 * bytes(chain));
  });

  it('stays in float32 where it is read by others as late, itself or in another shape', () => {
    const w = matrix([size, size], 1);
    /** @param last what is made of the value and of what is known last, when products have taken it */
    const step =
      (last: (h: Tensor, latest: Tensor) => Tensor): Step =>
      ({ x, w }) => {
        const h = tf.add(x, x);
        const early = tf.matMul(h, w);
        const late = tf.matMul(h, tf.slice(later(early), [0, 0], [size, size]));
        return { y: last(h, late) };
      };
    const casts = (last: (h: Tensor, latest: Tensor) => Tensor) =>
      castsOf(traced(low(step(last)), { x, w })).length;
    expect(casts((_, latest) => latest)).toBe(1);
    expect(casts((h, latest) => tf.mul(h, latest))).toBe(0);
    expect(casts((h, latest) => tf.mul(tf.reshape(h, [-1]), tf.reshape(latest, [-1])))).toBe(0);
    expect(casts((h, latest) => tf.mul(later(h), latest))).toBe(1);
  });

  it('is one cast for convolutions, which are rehearsed, and products', () => {
    const w = matrix([1, 1, size, size], 1);
    const step: Step = ({ x, w }) => {
      const h = tf.add(x, x);
      const image = tf.reshape(h, [1, 1, 4 * size, size]) as tf.Tensor4D;
      const early = tf.reshape(tf.conv2d(image, w as tf.Tensor4D, 1, 'valid'), [4 * size, size]);
      const late = tf.matMul(h, tf.slice(later(tf.matMul(h, tf.reshape(w, [size, size]))), [0, 0], [size, size])); // biome-ignore format: one line reads better
      return { y: tf.sum(late), z: tf.sum(early) };
    };
    const program = traced(low(step), { x, w });
    const products = nodesOf(program, 'Gemm16').map(({ inputs }) => inputs[0]);
    expect(new Set(products).size).toBe(1);
    const isLow = nodesOf(program, 'Cast').some(
      ({ outputs, attributes }) => outputs[0] === products[0] && attributes['to'] === onnxType.bfloat16,
    );
    expect(isLow).toBe(true);
  });

  describe('behind nodes that move numbers', () => {
    const w = matrix([size, 2 * size], 1);
    const inputs = { x, w };
    /** Two heads, cut out of one projection, turned, and taken in blocks. */
    const heads =
      (more: (whole: Tensor, head: Tensor) => Tensors = () => ({})): Step =>
      ({ x, w }) => {
        const whole = tf.matMul(x, w);
        const [a, b] = tf
          .split(tf.reshape(whole, [4, size, 2, size]), 2, 2)
          .map((part) => tf.transpose(tf.reshape(part, [4, size, size]), [0, 2, 1]));
        const block = (head: Tensor) => tf.slice(head, [0, 0, 0], [4, size, size / 2]);
        const early = tf.matMul(block(a), block(b), true, false);
        const late = tf.matMul(later(early), block(b), false, true);
        return { y: tf.matMul(late, a), ...more(whole, b) };
      };

    it('is cast in front of them', async () => {
      const program = traced(low(heads()), inputs);
      const [cast, ...others] = castsOf(program);
      expect(others).toEqual([]);
      const [projection] = nodesOf(program, 'Gemm16').filter(({ outputs }) => outputs[0] === cast.inputs[0]);
      expect(projection).toBeDefined();
      for (const op of ['Reshape', 'Split', 'Transpose', 'Slice'])
        for (const { outputs } of nodesOf(program, op))
          for (const name of outputs) expect(program.shapes.get(name)?.dtype).toBe('bfloat16');
      await checkBits(program, inputs);
    });

    it('but not what others read, or the program gives', async () => {
      const read = traced(low(heads((_, head) => ({ z: tf.sum(tf.tanh(head)) }))), inputs);
      // One head is, the other is read.
      const [cast] = castsOf(read);
      expect(nodesOf(read, 'Split')[0].outputs).toContain(cast.inputs[0]);
      await checkBits(read, inputs);
      const given = traced(low(heads((whole) => ({ whole }))), inputs);
      const projection = [...given.outputs.values()].find(({ shape }) => shape.join() === `${4 * size},${2 * size}`); // biome-ignore format: one line reads better
      expect(projection?.dtype).toBe('float32');
      await checkBits(given, inputs);
    });

    it('nor what loops take from around', async () => {
      const step: Step = ({ x, w }) => {
        const whole = tf.matMul(x, w);
        const turned = tf.transpose(whole);
        const early = later(tf.matMul(turned, x));
        const xs = tf.reshape(early, [4, size / 2, size]);
        const { ys } = scan((_, [row]) => ({ carry: [], ys: [tf.matMul(row, tf.slice(whole, [0, 0], [size, 2 * size]))] }), [], [xs]); // biome-ignore format: one line reads better
        return { y: ys[0], z: tf.matMul(tf.transpose(early), turned) };
      };
      await checkBits(traced(low(step), inputs), inputs);
      const around: Step = ({ x, w }) => {
        const whole = tf.matMul(tf.transpose(x), x);
        const early = later(tf.matMul(tf.transpose(whole), w));
        const xs = tf.reshape(early, [4, size / 4, 2 * size]);
        const { ys } = scan((_, [row]) => ({ carry: [], ys: [tf.matMul(tf.slice(row, [0, 0], [size / 4, size]), whole)] }), [], [xs]); // biome-ignore format: one line reads better
        return { y: ys[0], z: tf.matMul(tf.transpose(whole), early) };
      };
      const program = traced(low(around), inputs);
      expect(nodesOf(program, 'Gemm16Pack')).toHaveLength(1);
      await checkBits(program, inputs);
    });
  });

  it('crosses in 16 bits to what only the update needs, with the same losses', async () => {
    const layers = Array.from({ length: 24 }, (_, i) => new State(`w${i}`, [size, size], 'float32', () => matrix([size, size], i, 0.1).data)); // biome-ignore format: one line reads better
    const step: Step = ({ x }) => {
      const { value, grads } = valueAndGrads(() => {
        const last = layers.reduce((h, layer) => tf.add(tf.sin(tf.matMul(tf.reshape(h, [-1, size]), layer.tensor())), h), tf.slice(x, [0, 0], [size, size])); // biome-ignore format: one line reads better
        return tf.mean(tf.square(last)) as tf.Scalar;
      }, layers);
      layers.forEach((layer, i) => {
        layer.assign(tf.sub(layer.tensor(), tf.mul(grads[i], 0.1)));
      });
      return { loss: value };
    };
    const { apply } = traced(low(step), { x });
    expect(apply?.crossing.map(({ dtype }) => dtype)).toContain('bfloat16');
    const losses = async (engine: OnnxEngine) => {
      const program = engine.compile('step', low(step));
      const found = [];
      for (let i = 0; i < 4; i++) found.push((await program.run({ x }))['loss'].data[0]);
      program.dispose();
      return found;
    };
    const heap = new OnnxEngine({ threads: 2, plannedMemory: false });
    const [planned, allocated] = [await losses(engine), await losses(heap)];
    await heap.dispose();
    expect(planned).toEqual(allocated);
    expect(new Set(planned).size).toBe(4);
  });

  it('is taken by loops, and packed for them, as it was cast', async () => {
    const w = matrix([size, size], 1, 0.2);
    const step: Step = ({ x, w }) => {
      const h = tf.add(w, w);
      const early = later(tf.matMul(tf.slice(x, [0, 0], [size, size]), h));
      const xs = tf.reshape(early, [4, size / 4, size]);
      const { carry } = scan(([s], [row]) => ({ carry: [tf.tanh(tf.add(tf.matMul(s, h), row))], ys: [] }), [tf.zeros([size / 4, size])], [xs]); // biome-ignore format: one line reads better
      return { y: carry[0] };
    };
    const program = traced(low(step), { x, w });
    const [cast, ...others] = castsOf(program);
    expect(others).toEqual([]);
    expect(nodesOf(program, 'Gemm16Pack')[0].inputs).toEqual(cast.outputs);
    await checkBits(program, { x, w });
  });
});

describe('weights that are stored in bfloat16', () => {
  skipUnlessGemm16();

  const x = matrix([3, 5, 24], 1);
  const numbers = fromBfloat16(toBfloat16(matrix([24, 24], 2).data as Float32Array));
  const step =
    (weight: State): Step =>
    ({ x }) => {
      const y = tf.matMul(tf.reshape(x, [15, 24]), weight.tensor());
      const { ys } = scan((_, [row]) => ({ carry: [], ys: [tf.matMul(row, weight.tensor())] }), [], [x]);
      return { y, z: ys[0] };
    };
  const weightIn = (dtype: 'float32' | 'bfloat16') => {
    const weight = new State('weight', [24, 24], 'float32', () => numbers);
    if (dtype === 'bfloat16') weight.storeAs(dtype);
    return weight;
  };

  it('are taken as they are, with no cast', () => {
    const program = traced(low(step(weightIn('bfloat16'))), { x });
    const [{ name, dtype }] = program.states.values();
    expect(dtype).toBe('bfloat16');
    expect(nodesOf(program, 'Cast')).toEqual([]);
    expect(nodesOf(program, 'Gemm16')[0].inputs).toContain(name);
    expect(nodesOf(program, 'Gemm16Pack')[0].inputs).toEqual([name]);
    expect(runsAsWritten(program.segments[0], (value) => program.shapes.get(value))).toBe(true);
  });

  it('give the bits of the same numbers in float32', async () => {
    const results = [];
    for (const dtype of ['float32', 'bfloat16'] as const) {
      const program = engine.compile('stored', low(step(weightIn(dtype))));
      const { y, z } = await program.run({ x });
      results.push([y.data, z.data]);
      program.dispose();
    }
    expect(results[1]).toEqual(results[0]);
  });
});

describe('BufferReads', () => {
  const node = (op: string, inputs: string[], output: string): OnnxNode => ({ op, domain: '', inputs, outputs: [output], attributes: {} }); // biome-ignore format: one line reads better
  const order = [
    node('Add', ['x', 'x'], 'a'),
    node('Reshape', ['a', 'shape'], 'view'),
    node('Squeeze', ['view'], 'again'),
    node('Neg', ['a'], 'b'),
    node('Exp', ['again'], 'c'),
    node('Reshape', ['a', 'shape'], 'unused'),
  ];
  const reads = new BufferReads(order, ({ inputs }) => inputs);

  it('knows whose memory a view is in', () => {
    expect(['a', 'view', 'again', 'unused', 'b'].map((name) => reads.ownerOf(name))).toEqual([
      'a',
      'a',
      'a',
      'a',
      'b',
    ]);
  });

  it('says when it is last read, through whatever view', () => {
    expect(['a', 'view', 'x', 'c'].map((name) => reads.lastOf(name, new Set()))).toEqual([4, 4, 0, -1]);
    expect(reads.lastOf('a', new Set([order[4]]))).toBe(3);
  });
});
