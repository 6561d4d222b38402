// States are written over where that is provably safe, and what is computed is the same.
import { afterAll, describe, expect, it } from 'vitest';
import {
  createReferenceEngine,
  type Engine,
  float32,
  OnnxEngine,
  State,
  tf,
} from '../../src/engine/index.js';
import type { OnnxGraph, OnnxNode, OnnxValue } from '../../src/engine/onnx/onnx-graph.js';
import { mayUpdateInPlace } from '../../src/engine/onnx/passes/in-place.js';
import { splitUpdates } from '../../src/engine/onnx/passes/split-updates.js';

const SHAPE = [4, 4];
const value = (name: string, shape: readonly number[] = SHAPE): OnnxValue => ({
  name,
  shape,
  dtype: 'float32',
});
const node = (op: string, inputs: string[], output: string): OnnxNode => ({
  op,
  domain: '',
  inputs,
  outputs: [output],
  attributes: {},
});

function graph(nodes: OnnxNode[], outputs: string[]): OnnxGraph {
  return {
    nodes,
    inputs: [value('p'), value('g')],
    outputs: outputs.map((name) => value(name)),
    initializers: [],
  };
}

describe('the proof that a state may be written over', () => {
  const inPlace = (nodes: OnnxNode[], shapes: Record<string, readonly number[]> = {}) =>
    mayUpdateInPlace(graph(nodes, ['new']), { input: 'p', output: 'new', shape: SHAPE }, (name) => shapes[name] ?? SHAPE); // biome-ignore format: short

  it.each<[string, boolean, OnnxNode[]]>([
    ['the writer alone reads it, number by number', true, [node('Sub', ['p', 'g'], 'new')]],
    ['readers are before the writer', true, [node('Mul', ['p', 'p'], 'a'), node('Add', ['a', 'g'], 'new')]],
    ['the writer needs other rows', false, [node('MatMul', ['p', 'g'], 'new')]],
    ['a reader may come after', false, [node('Sub', ['p', 'g'], 'new'), node('Mul', ['p', 'g'], 'late')]],
    [
      'a view of it may be read after',
      false,
      [node('Reshape', ['p', 'g'], 'view'), node('Sub', ['p', 'g'], 'new'), node('Exp', ['view'], 'late')],
    ],
    [
      'the writer reads a view of it',
      false,
      [node('Reshape', ['p', 'g'], 'view'), node('Sub', ['view', 'g'], 'new')],
    ],
    ['it is given on as it is', false, [node('Identity', ['p'], 'new')]],
  ])('%s: %s', (_, expected, nodes) => {
    expect(inPlace(nodes)).toBe(expected);
  });

  it('a reader inside a loop counts', () => {
    const body = { ...graph([node('Add', ['x', 'p'], 'y')], ['y']), inputs: [value('x')] };
    const scan = { ...node('Scan', ['g'], 'late'), attributes: { body: { graph: body } } };
    expect(inPlace([node('Sub', ['p', 'g'], 'new'), scan])).toBe(false);
  });
});

describe('the split of outputs and updates', () => {
  const shapeOf = (name: string) => value(name);

  it('lets gradients cross, and leaves alone what would bring the activations along', () => {
    const nodes = [
      node('Exp', ['g'], 'dp'),
      node('ReduceSum', ['dp'], 'loss'),
      node('Sub', ['p', 'dp'], 'new'),
    ];
    const split = splitUpdates(graph(nodes, ['loss', 'new']), new Set(['loss']), shapeOf);
    expect(split?.compute.nodes).toHaveLength(2);
    expect(split?.apply.nodes.map(({ op }) => op)).toEqual(['Sub']);
    const many = Array.from({ length: 40 }, (_, i) => node('Exp', [i === 0 ? 'g' : `a${i - 1}`], `a${i}`));
    const backward = many.map((_, i) => node('Mul', [i === 0 ? 'g' : `d${i - 1}`, `a${39 - i}`], `d${i}`));
    const wide = (name: string) => value(name, [1024, 1024]);
    const all = [...many, node('ReduceSum', ['a39'], 'loss'), ...backward, node('Sub', ['p', 'd39'], 'new')];
    expect(splitUpdates(graph(all, ['loss', 'new']), new Set(['loss']), wide)).toBeUndefined();
  });

  it('is not made where the outputs need the updates', () => {
    const nodes = [node('Sub', ['p', 'g'], 'new'), node('ReduceSum', ['new'], 'loss')];
    expect(splitUpdates(graph(nodes, ['loss', 'new']), new Set(['loss']), shapeOf)).toBeUndefined();
  });
});

/** Three steps of AdamW with a moving average of the weights, the second of them refused. */
async function train(engine: Engine) {
  const size = 64;
  const make = (name: string) => new State(name, [size], 'float32', () => Float32Array.from({ length: size }, (_, i) => (name === 'w' ? Math.sin(i) : 0))); // biome-ignore format: short
  const [w, m, v, average, old] = ['w', 'm', 'v', 'average', 'old'].map(make);
  const program = engine.compile('step', ({ x }) => {
    const error = tf.sub(tf.mul(w.tensor(), x), 1);
    const gradient = tf.mul(tf.mul(error, x), 2);
    const norm = tf.sqrt(tf.sum(tf.square(gradient)));
    old.assign(w.tensor());
    m.assign(tf.add(tf.mul(m.tensor(), 0.9), tf.mul(gradient, 0.1)));
    v.assign(tf.add(tf.mul(v.tensor(), 0.99), tf.mul(tf.square(gradient), 0.01)));
    const step = tf.div(m.tensor(), tf.add(tf.sqrt(v.tensor()), 1e-8));
    w.assign(tf.sub(w.tensor(), tf.mul(tf.add(step, tf.mul(w.tensor(), 0.01)), 0.1)));
    average.assign(tf.add(tf.mul(average.tensor(), 0.5), tf.mul(w.tensor(), 0.5)));
    return { loss: tf.sum(tf.square(error)), norm };
  });
  const seen: number[][] = [];
  for (const [i, commit] of [true, false, true, true].entries()) {
    const x = float32(
      Float32Array.from({ length: size }, (_, k) => Math.cos(k + i)),
      [size],
    );
    const out = await program.run({ x }, { commitIf: () => commit });
    seen.push([out['loss'].data[0], out['norm'].data[0]]);
    for (const state of [w, m, v, average, old]) seen.push(Array.from(await engine.read(state)));
  }
  program.dispose();
  engine.release([w, m, v, average, old]);
  return seen;
}

describe('a training step whose updates are in place', () => {
  const engine = new OnnxEngine({ threads: 2 });
  afterAll(() => engine.dispose());

  it('gives the bits of one whose are not, and changes nothing when it is refused', async () => {
    const inPlace = await train(engine);
    expect(inPlace.slice(7, 12)).toEqual(inPlace.slice(1, 6));
    expect(inPlace.slice(13, 18)).not.toEqual(inPlace.slice(7, 12));
    process.env['ANEMONE_ORT'] = 'binding';
    try {
      expect(await train(engine)).toEqual(inPlace);
    } finally {
      delete process.env['ANEMONE_ORT'];
    }
  });

  it('agrees with the reference', async () => {
    const [actual, expected] = [await train(engine), await train(createReferenceEngine())];
    actual.flat().forEach((v, i) => {
      expect(Math.abs(v - expected.flat()[i]) / (1 + Math.abs(v))).toBeLessThan(1e-5);
    });
  });
});
