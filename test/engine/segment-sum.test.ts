// Sums of rows by id: tables of more elements than int32 counts, and ids that name no row.
import { afterAll, describe, expect, it } from 'vitest';
import { registerGradients } from '../../src/engine/autodiff/index.js';
import {
  createReferenceEngine,
  float32,
  int32,
  OnnxEngine,
  type Tensors,
  tf,
} from '../../src/engine/index.js';
import { trace } from '../../src/engine/onnx/trace.js';
import { webgpuWorks } from './webgpu.js';

const works = await webgpuWorks();

/** Types of the constants that the flat indices of a sum into [count, width] are computed from. */
function typesOfIndices(count: number, width: number): string[] {
  const traced = trace(
    ({ rows, ids }) => ({ sums: tf.unsortedSegmentSum(rows, ids as tf.Tensor1D, count) }),
    { rows: { shape: [2, width], dtype: 'float32' }, ids: { shape: [2], dtype: 'int32' } },
  );
  const [{ nodes, initializers }] = traced.segments;
  const types = new Map(initializers.map(({ name, dtype }) => [name, dtype]));
  return nodes
    .filter(({ op }) => op === 'Mul' || op === 'Add')
    .flatMap(({ inputs }) => inputs.flatMap((name) => types.get(name) ?? []));
}

describe('indices of a sum by id', () => {
  registerGradients();
  it.each([
    [1025, 384, 'int32'],
    [(2 ** 31 - 1024) / 1024, 1024, 'int32'],
    [2 ** 31 / 1024, 1024, 'int32'],
    [2 ** 31 / 1024 + 1, 1024, 'int64'],
    [3_000_000, 2048, 'int64'],
  ])('of %d rows of %d are %s', (count, width, dtype) => {
    expect(typesOfIndices(count, width)).toEqual([dtype, dtype]);
  });
});

describe('rows whose id names no row of the table', () => {
  const COUNT = 3;
  const ids = [0, -1, 2, 3, -3, 2 ** 31 - 1, -(2 ** 31), 2, -4, 1];
  const rows = Float32Array.from({ length: ids.length * 2 }, (_, i) => i + 1);
  const inputs = { rows: float32(rows, [ids.length, 2]), ids: int32(ids, [ids.length]) };
  /** Rows 0; 9; 2 and 7. */
  const expected = [1, 2, 19, 20, 5 + 15, 6 + 16];

  const engines = {
    reference: createReferenceEngine(),
    'onnxruntime at 1 thread': new OnnxEngine({ threads: 1 }),
    'onnxruntime at 2 threads': new OnnxEngine({ threads: 2 }),
    ...(works ? { webgpu: new OnnxEngine({ provider: 'webgpu', onPlacement: () => {} }) } : {}),
  };
  afterAll(() => Promise.all(Object.values(engines).map((engine) => engine.dispose())));

  it.each(Object.entries(engines))('are left out: %s', async (_name, engine) => {
    const sum = ({ rows, ids }: Tensors) => tf.unsortedSegmentSum(rows, ids as tf.Tensor1D, COUNT);
    const { sums } = await engine.compile('sums', (given) => ({ sums: sum(given) })).run(inputs);
    expect([...sums.data]).toEqual(expected);
  });
});
