// Products that a device computes in 16 bits: the graph that it is given, which the CPU provider computes too (in float32, inside);
// and what is asked of a device before.
import { beforeAll, describe, expect, it } from 'vitest';
import { createReferenceEngine, float32, inLowPrecision, OnnxEngine, State, type Tensors, tf, valueAndGrads } from '../../src/engine/index.js'; // biome-ignore format: one line reads better
import { encodeModel } from '../../src/engine/onnx/model-proto.js';
import { openSession } from '../../src/engine/onnx/open-session.js';
import { NO_LIMITS } from '../../src/engine/onnx/provider-limits.js';
import { trace } from '../../src/engine/onnx/trace.js';
import { webgpuWorks } from './webgpu.js';

const numbers = (count: number, seed: number) =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(12.9898 * i + seed));

describe('a graph for a device', () => {
  it('takes and makes float16 in its products, with the numbers of the rehearsal', async () => {
    const reference = createReferenceEngine();
    const weight = new State('weight', [12, 12], 'float32', () => numbers(144, 2));
    const step = ({ x }: Tensors): Tensors =>
      inLowPrecision('float16', () => {
        const { value, grads } = valueAndGrads(() => {
          const h = tf.tanh(tf.matMul(x, weight.tensor()));
          const scores = tf.matMul(tf.expandDims(h, 0), tf.expandDims(h, 0), false, true);
          return tf.sum(tf.square(tf.softmax(scores)));
        }, [weight]);
        return { value, grad: grads[0] };
      });
    const x = float32(numbers(60, 1), [5, 12]);
    const limits = { ...NO_LIMITS, standardOperators: true, lowProducts: 'native' } as const;
    const traced = trace(step, { x }, { limits });
    const [graph] = traced.segments;
    const typeOf = (name: string) => graph.nodes.find(({ outputs }) => outputs.includes(name));
    for (const { op, inputs } of graph.nodes) {
      if (op !== 'MatMul' && op !== 'Gemm') continue;
      for (const name of inputs) expect(typeOf(name)).toMatchObject({ op: 'Cast', attributes: { to: 10 } });
    }
    const names = (values: readonly { name: string }[]) => values.map(({ name }) => name);
    const model = { bytes: encodeModel(graph), inputs: names(graph.inputs), outputs: names(graph.outputs), calls: [], weights: [], generation: {} }; // biome-ignore format: one line reads better
    const session = await openSession(model, { provider: 'cpu', threads: 1, optimization: 'disabled', arena: false }); // biome-ignore format: one line reads better
    const [input] = traced.inputs.values();
    const [state] = traced.states.values();
    const fetches = Object.fromEntries([...traced.outputs.values()].map(({ name, shape }) => [name, float32(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape)])); // biome-ignore format: one line reads better
    await session.run({ [input.name]: x, [state.name]: float32(numbers(144, 2), [12, 12]) }, fetches);
    await session.dispose();
    const wanted = await reference.compile('step', step).run({ x });
    for (const [key, { name }] of traced.outputs) {
      const found = fetches[name].data;
      const most = Math.max(...Array.from(wanted[key].data, Math.abs));
      found.forEach((value, i) => {
        expect(Math.abs(value - wanted[key].data[i]) / most).toBeLessThan(2 ** -9);
      });
    }
    await reference.dispose();
  });
});

describe('a provider', () => {
  it.each(['float16', 'bfloat16'] as const)('cpu says how it computes products in %s', async (type) => {
    const engine = new OnnxEngine({ threads: 1 });
    expect(await engine.lowProducts(type)).toContain(type);
    await engine.dispose();
  });
});

describe('webgpu', () => {
  let works = false;
  beforeAll(async () => {
    works = await webgpuWorks();
  });

  it('refuses what its device cannot do, in one line', async ({ skip }) => {
    skip(!works, 'no Vulkan device');
    const engine = new OnnxEngine({ provider: 'webgpu', onPlacement: () => {} });
    await expect(engine.lowProducts('bfloat16')).rejects.toThrow(
      expect.objectContaining({ code: 'engine.precision', message: expect.stringContaining('WebGPU has no such type') }), // biome-ignore format: one line reads better
    );
    // SwiftShader has no shader-f16; a device that has it says so.
    const half = await engine.lowProducts('float16').catch((error: unknown) => error);
    if (typeof half === 'string') expect(half).toContain('by the device');
    else
      expect(half).toMatchObject({
        code: 'engine.precision',
        message: expect.stringContaining('shader-f16'),
      });
    await engine.dispose();
  });
});
