// Places that are planned before a program runs.
import { afterAll, describe, expect, it } from 'vitest';
import {
  float32,
  type HostTensor,
  OnnxEngine,
  type Program,
  type ProgramMemory,
  State,
  type Tensor,
  tf,
  valueAndGrads,
} from '../../src/engine/index.js';
import { SharedWorkspace } from '../../src/engine/onnx/capi/workspace.js';
import {
  bytesOfType,
  type OnnxGraph,
  type OnnxNode,
  type OnnxValue,
} from '../../src/engine/onnx/onnx-graph.js';
import { computesAsPlanned } from '../../src/engine/onnx/open-session.js';
import { runsAsWritten } from '../../src/engine/onnx/passes/foreseen-operators.js';
import { outputsToPlace, planMemory } from '../../src/engine/onnx/passes/memory-plan.js';
import { executionOrder } from '../../src/engine/onnx/passes/node-order.js';
import { PassingPlaces } from '../../src/engine/onnx/passing-places.js';
import { sizeOf } from '../../src/engine/tensors.js';
import { CounterRandom } from '../../src/random/index.js';
import { byWay } from './ways.js';

const LARGE = 1 << 14;
const node = (op: string, inputs: string[], outputs: string[], domain = ''): OnnxNode => ({
  op,
  domain,
  inputs,
  outputs,
  attributes: {},
});

/** A graph of random operators over values of several sizes; the last node is its output. */
function randomGraph(seed: number): { graph: OnnxGraph; shapes: Map<string, OnnxValue> } {
  const random = new CounterRandom(seed);
  const shapes = new Map<string, OnnxValue>();
  const value = (name: string, size: number): OnnxValue => {
    const made: OnnxValue = { name, shape: [size], dtype: 'float32' };
    shapes.set(name, made);
    return made;
  };
  const names = ['x'];
  const input = value('x', LARGE);
  const nodes: OnnxNode[] = [];
  for (let i = 0; i < 40; i++) {
    const pick = (k: number) => names[random.integer(4 * i + k, names.length)];
    const kind = random.integer(4 * i, 4);
    const [a, b] = [pick(1), pick(2)];
    const size = shapes.get(a)?.shape[0] ?? 0;
    const name = `v${i}`;
    if (kind === 0) nodes.push(node('Reshape', [a, 'shape'], [value(name, size).name]));
    else if (kind === 1) nodes.push(node('Exp', [a], [value(name, size).name]));
    else if (kind === 2)
      nodes.push(node('Concat', [a, b], [value(name, LARGE * (1 + random.integer(4 * i + 3, 4))).name]));
    else nodes.push(node('Mul', [a, b], [value(name, size).name]));
    names.push(name);
  }
  const output = shapes.get('v39') as OnnxValue;
  return { graph: { nodes, inputs: [input], outputs: [output], initializers: [] }, shapes };
}

/**
 * Runs the nodes over "memory" in which each byte remembers the value it belongs to: every value that is read must still be
 * what was written, and those of `passing` when all have run.
 */
function readsWhatWasWritten(
  graph: OnnxGraph,
  shapes: Map<string, OnnxValue>,
  passing: ReadonlySet<string> = new Set(),
): number {
  const order = executionOrder(graph);
  const plan = planMemory(graph, order, (name) => shapes.get(name), passing);
  const places = new Map([...plan.values, ...plan.passing].map(({ value, offset }) => [value.name, offset]));
  const memory = new Array<string | undefined>(plan.bytes >> 12);
  const cellsOf = (name: string): number[] => {
    const { shape, dtype } = shapes.get(name) as OnnxValue;
    const first = (places.get(name) as number) >> 12;
    return Array.from({ length: (sizeOf(shape) * bytesOfType(dtype)) >> 12 }, (_, i) => first + i);
  };
  const roots = new Map<string, string>();
  const rootOf = (name: string): string => roots.get(name) ?? name;
  let checked = 0;
  for (const { op, inputs, outputs } of order) {
    for (const name of inputs.map(rootOf).filter((name) => places.has(name))) {
      checked++;
      for (const cell of cellsOf(name)) expect(memory[cell], `${name} for ${op}`).toBe(name);
    }
    if (op === 'Reshape') roots.set(outputs[0], rootOf(inputs[0]));
    else if (places.has(outputs[0])) for (const cell of cellsOf(outputs[0])) memory[cell] = outputs[0];
  }
  for (const { value } of plan.passing) {
    checked++;
    for (const cell of cellsOf(value.name)) expect(memory[cell]).toBe(rootOf(value.name));
  }
  return checked;
}

describe('a plan of memory', () => {
  it('keeps every value until its last reader, on random graphs', () => {
    let checked = 0;
    for (let seed = 0; seed < 60; seed++) {
      const { graph, shapes } = randomGraph(seed);
      checked += readsWhatWasWritten(graph, shapes);
    }
    expect(checked).toBeGreaterThan(1000);
  });

  it('keeps what another part reads until all nodes have run, views included, on random graphs', () => {
    let [checked, views] = [0, 0];
    for (let seed = 0; seed < 60; seed++) {
      const { graph, shapes } = randomGraph(seed);
      const passing = new Set([3, 9, 17, 26, 33].map((i) => `v${(i + seed) % 39}`));
      const values = [...passing].map((name) => shapes.get(name) as OnnxValue);
      checked += readsWhatWasWritten({ ...graph, outputs: [...graph.outputs, ...values] }, shapes, passing);
      views += graph.nodes.filter(({ op, outputs }) => op === 'Reshape' && passing.has(outputs[0])).length;
    }
    expect(checked).toBeGreaterThan(1000);
    expect(views).toBeGreaterThan(20);
  });

  it('gives the place of what is still to be passed on to other values', () => {
    const names = ['x', 'a', 'b', 'c', 'y'];
    const shapes = new Map<string, OnnxValue>(
      names.map((name) => [name, { name, shape: [LARGE], dtype: 'float32' }]),
    );
    const value = (name: string) => shapes.get(name) as OnnxValue;
    const nodes = names.slice(1).map((name, i) => node('Transpose', [names[i]], [name]));
    const graph = { nodes, inputs: [value('x')], outputs: [value('c'), value('y')], initializers: [] };
    const plan = planMemory(graph, nodes, value, new Set(['c']));
    expect(plan.passing.map(({ value }) => value.name)).toEqual(['c']);
    expect(plan.values.map(({ value }) => value.name)).toEqual(['a', 'b']);
    expect(plan.bytes).toBe(2 * 4 * LARGE);
  });

  it('needs for a chain what two of its values need, or one where a value is written over another', () => {
    const shapes = new Map<string, OnnxValue>();
    const chain = (op: string): number => {
      const nodes = Array.from({ length: 6 }, (_, i) => node(op, [i === 0 ? 'x' : `v${i - 1}`], [`v${i}`]));
      for (const name of ['x', ...nodes.map(({ outputs }) => outputs[0])])
        shapes.set(name, { name, shape: [LARGE], dtype: 'float32' });
      const graph = { nodes, inputs: [shapes.get('x') as OnnxValue], outputs: [shapes.get('v5') as OnnxValue], initializers: [] }; // biome-ignore format: one line reads better
      return planMemory(graph, nodes, (name) => shapes.get(name)).bytes;
    };
    expect(chain('Transpose')).toBe(2 * 4 * LARGE);
    expect(chain('Exp')).toBe(4 * LARGE);
  });

  it('writes over the one input that an operator copies first, if it reads no other in that memory', () => {
    const shapes = new Map<string, OnnxValue>();
    const bytes = (...nodes: OnnxNode[]): number => {
      for (const name of nodes.flatMap(({ inputs, outputs }) => [...inputs, ...outputs]))
        shapes.set(name, { name, shape: [LARGE], dtype: 'float32' });
      const graph = { nodes, inputs: [shapes.get('x') as OnnxValue], outputs: [shapes.get('y') as OnnxValue], initializers: [] }; // biome-ignore format: one line reads better
      return planMemory(graph, nodes, (name) => shapes.get(name)).bytes / (4 * LARGE);
    };
    const [first, last] = [node('Transpose', ['x'], ['a']), node('Transpose', ['b'], ['y'])];
    expect(bytes(first, node('Softmax', ['a'], ['b']), last)).toBe(1);
    expect(bytes(first, node('ScatterElements', ['a', 'x', 'x'], ['b']), last)).toBe(1);
    expect(bytes(first, node('Gemm', ['x', 'x', 'a'], ['b']), last)).toBe(1);
    expect(bytes(first, node('Gemm', ['x', 'a', 'a'], ['b']), last)).toBe(2);
    const view = node('Reshape', ['a', 'shape'], ['v']);
    expect(bytes(first, view, node('Gemm', ['x', 'v', 'a'], ['b']), last)).toBe(2);
    expect(bytes(first, node('Gemm', ['a', 'x'], ['b']), last)).toBe(2);
    expect(bytes(first, node('ScatterElements', ['x', 'x', 'a'], ['b']), last)).toBe(2);
    expect(bytes(first, node('Softmax', ['a'], ['b'], 'other'), last)).toBe(2);
    expect(bytes(first, node('Gemm16', ['x', 'x', 'a'], ['b'], 'anemone'), last)).toBe(1);
    expect(bytes(first, node('Gemm16', ['x', 'a', 'a'], ['b'], 'anemone'), last)).toBe(2);
  });

  it('leaves to the caller what is its own, to the heap what is small, and to itself what a host call sees', () => {
    const shapes = new Map<string, OnnxValue>(
      ['x', 'a', 'view', 'b', 'c', 'y'].map((name) => [name, { name, shape: [LARGE], dtype: 'float32' }]),
    );
    shapes.set('s', { name: 's', shape: [8], dtype: 'float32' });
    const nodes = [
      node('Transpose', ['x'], ['a']),
      node('Reshape', ['a', 'shape'], ['view']),
      node('Call', ['view'], ['b'], 'anemone.host'),
      node('Transpose', ['b'], ['c']),
      node('ReduceSum', ['c'], ['s']),
      node('Add', ['c', 's'], ['y']),
    ];
    const value = (name: string) => shapes.get(name) as OnnxValue;
    const graph = { nodes, inputs: [value('x')], outputs: [value('y')], initializers: [] };
    const plan = planMemory(graph, nodes, value);
    expect(plan.values.map(({ value }) => value.name)).toEqual(['c']);
    expect(outputsToPlace(graph, new Set(['a', 'b', 'view', 'c']))).toEqual(new Set(['c']));
  });
});

describe('a graph that ONNX Runtime may take apart', () => {
  const value = (dtype: OnnxValue['dtype']) => (name: string) => ({ name, shape: [LARGE], dtype });
  const graph = (op: string, domain = ''): OnnxGraph => ({
    nodes: [node(op, ['x'], ['y'], domain)],
    inputs: [value('float32')('x')],
    outputs: [],
    initializers: [],
  });

  it.each([
    ['Exp', '', true],
    ['FastGelu', 'com.microsoft', true],
    ['Call', 'anemone.host', true],
    ['Mish', '', false],
    ['Exp', 'com.microsoft', false],
    ['Gemm16', 'anemone', true],
    ['Gemm16', 'other', false],
  ])('%s of domain "%s" is run as written: %s', (op, domain, expected) => {
    expect(runsAsWritten(graph(op, domain), value('float32'))).toBe(expected);
  });

  it('is not planned where half precision may bring conversions', () => {
    expect(runsAsWritten(graph('Exp'), value('float16'))).toBe(false);
    expect(runsAsWritten(graph('Exp'), value('bfloat16'))).toBe(false);
    expect(runsAsWritten(graph('Slice'), value('float16'))).toBe(false);
    expect(runsAsWritten({ ...graph('Exp'), inputs: [value('bfloat16')('x')] }, value('float32'))).toBe(
      false,
    );
  });

  it('is planned where what takes bfloat16 has kernels for it', () => {
    for (const op of ['Cast', 'Reshape', 'Transpose', 'Slice', 'Split'])
      expect(runsAsWritten(graph(op), value('bfloat16'))).toBe(true);
    expect(runsAsWritten(graph('Gemm16', 'anemone'), value('bfloat16'))).toBe(true);
  });
});

describe('a workspace', () => {
  it('is one block for runs that follow each other, and another for one in between', () => {
    const workspace = new SharedWorkspace();
    const first = workspace.take(100);
    const between = workspace.take(50);
    expect(between).not.toBe(first);
    workspace.give(between);
    workspace.give(first);
    expect(workspace.take(80)).toBe(first);
    workspace.give(first);
    const larger = workspace.take(200);
    expect(larger.byteLength).toBe(200);
    workspace.give(larger);
    expect(workspace.take(10)).toBe(larger);
  });
});

describe('values that go to the updates', () => {
  it('lie anywhere in a block of more bytes than a typed array has', () => {
    const value: OnnxValue = { name: 'gradient', shape: [3, LARGE], dtype: 'float32' };
    const plan = { bytes: 5 * 2 ** 30, values: [], passing: [{ value, offset: 4.5 * 2 ** 30 }] };
    const places = new PassingPlaces(new SharedWorkspace(), plan, 2 ** 20);
    const room = places.take();
    const tensor = room.tensors.get('gradient');
    expect(tensor?.data).toHaveLength(3 * LARGE);
    expect(tensor?.data.byteOffset).toBe(4.5 * 2 ** 30);
    expect([room.memory.start, room.behind.start]).toEqual([0, plan.bytes]);
    expect(room.behind.block.byteLength).toBe(plan.bytes + 2 ** 20);
    room.giveBack();
    expect(places.take().tensors.get('gradient')).toBe(tensor);
  });
});

const WIDTH = 128;
const ROWS = 96;

/** A step of a network with values that are views, are read twice, and are written over. */
function stepOf(engine: OnnxEngine): Program {
  const weights = [0, 1, 2].map(
    (k) => new State(`w${k}`, [WIDTH, WIDTH], 'float32', () => Float32Array.from({ length: WIDTH * WIDTH }, (_, i) => Math.sin(i + k) / 12)), // biome-ignore format: one line reads better
  );
  const forward = (x: Tensor): Tensor =>
    weights.reduce((x, weight) => {
      const y = tf.matMul(tf.reshape(x, [-1, WIDTH]), weight.tensor());
      return tf.reshape(tf.add(tf.mul(tf.sigmoid(y), y), tf.reshape(x, y.shape)), x.shape);
    }, x);
  return engine.compile('step', ({ x }) => {
    const { value, grads } = valueAndGrads(() => tf.mean(tf.square(forward(x))), weights);
    weights.forEach((weight, i) => {
      weight.assign(tf.sub(weight.tensor(), tf.mul(grads[i], tf.scalar(0.5))));
    });
    const norm = grads.map((grad) => tf.sum(tf.square(grad))).reduce((a, b) => tf.add(a, b));
    return { loss: value, norm };
  });
}

const inputOf = (rows: number): HostTensor =>
  float32(Float32Array.from({ length: rows * WIDTH }, (_, i) => Math.cos(i / 3)), [rows / 4, 4, WIDTH]); // biome-ignore format: one line reads better

function memoryOf(engine: OnnxEngine): ProgramMemory {
  return stepOf(engine).memory?.({ x: inputOf(ROWS) }) as ProgramMemory;
}

/** Losses of steps, one for each number of rows. */
async function losses(engine: OnnxEngine, rows: readonly number[]): Promise<number[]> {
  const program = stepOf(engine);
  const out: number[] = [];
  for (const count of rows) {
    out.push((await program.run({ x: inputOf(count) })).loss.data[0]);
  }
  return out;
}

describe('programs in planned memory', () => {
  const engines = [true, false].map((plannedMemory) => new OnnxEngine({ threads: 2, plannedMemory }));
  afterAll(async () => {
    for (const engine of engines) await engine.dispose();
  });

  it('give the bits of programs that allocate, at sizes that grow and shrink', async () => {
    const rows = [ROWS, 2 * ROWS, ROWS / 2, 4 * ROWS, ROWS];
    const [planned, allocated] = [await losses(engines[0], rows), await losses(engines[1], rows)];
    expect(planned).toEqual(allocated);
    expect(new Set(planned).size).toBe(rows.length);
  });

  it('compute gradients where they compute, so that those are no memory beside it', () => {
    const memories = engines.map((engine) => memoryOf(engine));
    const bytes = 4 * WIDTH * WIDTH;
    expect(memories.map(({ crossingBytes }) => crossingBytes)).toEqual([0, 3 * bytes]);
    expect(memories[0].aliveBytes).toBeLessThan(memories[1].aliveBytes + 3 * bytes);
  });

  it('are planned by the C API only, where nodes run as foreseen and nothing is rewritten', async () => {
    const options = { provider: 'cpu', threads: 1, optimization: 'disabled', arena: false, workspace: new SharedWorkspace() } as const; // biome-ignore format: one line reads better
    expect(await byWay('capi', () => computesAsPlanned(options))).toBe(true);
    expect(await byWay('binding', () => computesAsPlanned(options))).toBe(false);
    expect(await byWay('capi', () => computesAsPlanned({ ...options, optimization: 'all' }))).toBe(false);
  });
});
