// The conformance suite: engines agree with the reference, the reference with finite differences.
import { afterAll, describe, expect, it } from 'vitest';
import { gradientKernels, isNonDifferentiable } from '../../../src/engine/autodiff/index.js';
import { createReferenceEngine, float32, OnnxEngine, State, tf } from '../../../src/engine/index.js';
import { kernels } from '../../../src/engine/onnx/kernels/index.js';
import { takeWay, WAYS } from '../ways.js';
import { cases } from './cases.js';
import { expectClose, inputValues, numericGradients, runCase } from './run.js';

const reference = createReferenceEngine();
const onnx = new OnnxEngine({ threads: 1 });
afterAll(() => onnx.dispose());

describe.each(WAYS)('onnxruntime by its %s against reference', (way) => {
  takeWay(way);
  for (const item of cases) {
    it(item.name, async () => {
      const expected = await runCase(reference, item, inputValues(item));
      const actual = await runCase(onnx, item, inputValues(item));
      expectClose(actual.value, expected.value, 2e-6);
      actual.gradients.forEach((g, k) => {
        expectClose(g, expected.gradients[k], 1e-5);
      });
    });
  }
});

describe('reference gradients against finite differences', () => {
  for (const item of cases.filter((c) => c.gradient !== false)) {
    it(item.name, async () => {
      const { gradients } = await runCase(reference, item, inputValues(item));
      const numeric = await numericGradients(reference, item);
      gradients.forEach((g, k) => {
        expectClose(g, numeric[k], 2e-3);
      });
    });
  }
});

describe('coverage', () => {
  it('every compiled kernel is differentiable or known not to be', () => {
    const helpers = ['_FusedMatMul', 'Prelu', 'Prod', 'StridedSlice', 'EuclideanNorm'];
    const gradientOnly = Object.keys(kernels).filter((name) => name.includes('Backprop'));
    const uncovered = Object.keys(kernels).filter(
      (name) =>
        !gradientKernels().includes(name) &&
        !isNonDifferentiable(name) &&
        !helpers.includes(name) &&
        !gradientOnly.includes(name),
    );
    expect(uncovered).toEqual([]);
  });
});

describe('onnxruntime programs', () => {
  it('keeps states between runs, commits or refuses updates', async () => {
    const total = new State('total', [2]);
    const program = onnx.compile('add', ({ x }) => {
      total.assign(tf.add(total.tensor(), x));
      return { total: total.tensor() };
    });
    await program.run({ x: float32([1, 2], [2]) });
    const out = await program.run({ x: float32([1, 2], [2]) });
    expect([...out['total'].data]).toEqual([2, 4]);
    await program.run({ x: float32([1, 2], [2]) }, { commitIf: () => false });
    expect([...(await onnx.read(total))]).toEqual([2, 4]);
  });

  it('names the caller when a value is read while tracing', async () => {
    const program = onnx.compile('read', ({ x }) => ({ y: tf.scalar(x.dataSync()[0]) }));
    await expect(program.run({ x: float32([1], [1]) })).rejects.toThrow(
      /cannot read a tensor's values.*conformance\.test/,
    );
  });

  it('names an op that has no kernel', async () => {
    const program = onnx.compile('odd', ({ x }) => ({ y: tf.atan(x) }));
    await expect(program.run({ x: float32([1], [1]) })).rejects.toThrow(/Atan/);
  });

  it('compiles once per signature and evicts the least recently used', async () => {
    const engine = new OnnxEngine({ threads: 1 });
    const program = engine.compile('double', ({ x }) => ({ y: tf.mul(x, 2) }), { maxSignatures: 2 });
    for (const n of [1, 2, 1, 3, 1, 2]) await program.run({ x: float32(new Float32Array(n), [n]) });
    expect(engine.stats.compilations).toBe(4);
    expect(engine.stats.evictions).toBe(2);
    await engine.dispose();
  });
});
