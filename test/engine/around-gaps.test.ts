// Graphs without the operators that a provider lacks compute the same numbers: compared on the CPU, which has all of them.
import { describe, expect, it } from 'vitest';
import { encodeModel } from '../../src/engine/onnx/model-proto.js';
import {
  type OnnxGraph,
  type OnnxInitializer,
  type OnnxNode,
  onnxType,
} from '../../src/engine/onnx/onnx-graph.js';
import { openSession } from '../../src/engine/onnx/open-session.js';
import { aroundGaps } from '../../src/engine/onnx/passes/around-gaps.js';
import { allocate, type DType, type HostTensor, sizeOf } from '../../src/engine/tensors.js';

const SETTINGS = { provider: 'cpu', threads: 1, optimization: 'disabled', arena: false } as const;
const SHAPE = [3, 5];

const whole = (name: string, values: readonly number[]): OnnxInitializer => ({
  name,
  shape: [values.length],
  dtype: 'int64',
  bytes: new Uint8Array(BigInt64Array.from(values, BigInt).buffer),
});

interface Case {
  readonly op: string;
  readonly dtype: DType;
  readonly result?: DType;
  readonly shape?: readonly number[];
  readonly inputs?: number;
  readonly constants?: Readonly<Record<string, readonly number[]>>;
  readonly attributes?: OnnxNode['attributes'];
}

const cut = (starts: number[], ends: number[], axes: number[], steps: number[]) => ({
  starts,
  ends,
  axes,
  steps,
});
const cases: readonly Case[] = [
  { op: 'Slice', dtype: 'int32', shape: [2, 3], constants: cut([1, 0], [3, 5], [0, 1], [1, 2]) },
  { op: 'Slice', dtype: 'int32', shape: [3, 5], constants: cut([-1], [-(2 ** 31)], [1], [-1]) },
  { op: 'Slice', dtype: 'int32', shape: [3, 2], constants: cut([-3], [-1], [1], [1]) },
  { op: 'Slice', dtype: 'bool', shape: [2, 5], constants: cut([1], [99], [0], [1]) },
  { op: 'Tile', dtype: 'bool', shape: [6, 15], constants: { repeats: [2, 3] } },
  { op: 'Transpose', dtype: 'bool', shape: [5, 3], attributes: { perm: [1, 0] } },
  { op: 'Identity', dtype: 'bool' },
  { op: 'Concat', dtype: 'bool', shape: [6, 5], inputs: 2, attributes: { axis: 0 } },
  { op: 'Pad', dtype: 'bool', shape: [4, 7], constants: { pads: [1, 0, 0, 2] } },
  { op: 'Or', dtype: 'bool', inputs: 2 },
  { op: 'Xor', dtype: 'bool', inputs: 2 },
  { op: 'Equal', dtype: 'bool', inputs: 2 },
  { op: 'Sign', dtype: 'float32' },
  { op: 'Sign', dtype: 'int32' },
  { op: 'Round', dtype: 'float32' },
  { op: 'Mod', dtype: 'int32', inputs: 2 },
  { op: 'Neg', dtype: 'int32' },
  { op: 'Abs', dtype: 'int32' },
  { op: 'Relu', dtype: 'int32' },
];

/** Halves, zeros of both signs, what is no number, and what is larger than all; divisors are not zero. */
const NUMBERS = [
  -2.5,
  -1.5,
  -0.5,
  -0,
  0,
  0.5,
  1.5,
  2.5,
  3.49,
  -7,
  1e9,
  -1e9,
  Number.NaN,
  Infinity,
  -Infinity,
];
const data = (dtype: DType, input: number) => {
  const values = allocate(dtype, sizeOf(SHAPE));
  for (let i = 0; i < values.length; i++) {
    if (dtype === 'float32') values[i] = NUMBERS[i];
    else if (dtype === 'bool') values[i] = (i * 7 + input * 3) % 5 < 2 ? 1 : 0;
    else values[i] = input === 0 ? i * 3 - 20 : [2, -3, 5, -7][i % 4];
  }
  return values;
};

async function outcome(
  graph: OnnxGraph,
  feeds: Record<string, HostTensor>,
  to: HostTensor,
): Promise<number[]> {
  const names = (values: readonly { name: string }[]) => values.map(({ name }) => name);
  const model = { bytes: encodeModel(graph), inputs: names(graph.inputs), outputs: ['y'], calls: [], weights: [], generation: {} }; // biome-ignore format: one line reads better
  const session = await openSession(model, SETTINGS);
  await session.run(feeds, { y: to });
  await session.dispose();
  // The sign of a zero is not kept.
  return Array.from(to.data, (v) => v + 0);
}

describe('a graph around gaps', () => {
  it.each(cases)('has no $op of $dtype, and the same numbers', async (item) => {
    const { op, dtype, shape = SHAPE, inputs = 1, constants = {}, attributes = {} } = item;
    const result = /Or|Xor|Equal/.test(op) ? 'bool' : dtype;
    const given = Array.from({ length: inputs }, (_, i) => ({ name: `x${i}`, shape: SHAPE, dtype }));
    const node = { op, domain: '', inputs: [...given.map(({ name }) => name), ...Object.keys(constants)], outputs: ['y'], attributes }; // biome-ignore format: one line reads better
    const graph: OnnxGraph = {
      nodes: [node],
      inputs: given,
      outputs: [{ name: 'y', shape, dtype: result }],
      initializers: Object.entries(constants).map(([name, values]) => whole(name, values)),
    };
    const around = aroundGaps(graph, () => undefined);
    expect(around.nodes.some((other) => other.op === op && other.inputs.some((name) => name === 'x0'))).toBe(
      false,
    );
    const feeds = Object.fromEntries(
      given.map((value, i) => [value.name, { ...value, data: data(dtype, i) }]),
    );
    const empty = () => ({ dtype: result, shape, data: allocate(result, sizeOf(shape)) });
    // The CPU has no Relu of whole numbers.
    const wanted =
      op === 'Relu'
        ? Array.from(data(dtype, 0), (v) => Math.max(0, v))
        : await outcome(graph, feeds, empty());
    expect(await outcome(around, feeds, empty())).toEqual(wanted);
  });

  it('is left alone where kernels are there', () => {
    const graph: OnnxGraph = {
      nodes: [
        { op: 'Transpose', domain: '', inputs: ['x'], outputs: ['t'], attributes: { perm: [1, 0] } },
        { op: 'Cast', domain: '', inputs: ['t'], outputs: ['y'], attributes: { to: onnxType.int32 } },
      ],
      inputs: [{ name: 'x', shape: SHAPE, dtype: 'float32' }],
      outputs: [{ name: 'y', shape: [5, 3], dtype: 'int32' }],
      initializers: [],
    };
    expect(aroundGaps(graph, () => undefined)).toEqual(graph);
  });
});
