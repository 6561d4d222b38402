// Engines and providers by name: what is made, and what a wrong name or a missing library is told.
import { afterEach, describe, expect, it } from 'vitest';
import {
  createEngine,
  describeFallback,
  type Engine,
  float32,
  OnnxEngine,
  supportedProviders,
  tf,
} from '../../src/engine/index.js';

const made: Engine[] = [];
function make(...args: Parameters<typeof createEngine>): Engine {
  const engine = createEngine(...args);
  made.push(engine);
  return engine;
}
afterEach(async () => {
  for (const engine of made.splice(0)) await engine.dispose();
});

describe('createEngine', () => {
  it('makes onnxruntime by default, reference by name; both compute', async () => {
    for (const engine of [make({ threads: 1 }), make({ name: 'reference' })]) {
      const program = engine.compile('double', ({ x }) => ({ y: tf.mul(x, 2) }));
      const { y } = await program.run({ x: float32([1, -3], [2]) });
      expect([...y.data]).toEqual([2, -6]);
    }
    expect(made.map((engine) => engine.name)).toEqual(['onnxruntime', 'reference']);
  });

  it.each([
    [{ name: 'onnxruntim' }, 'engine.unknown-engine', /did you mean "onnxruntime"\?/],
    [{ provider: 'webgp' }, 'engine.unknown-provider', /did you mean "webgpu"\?/],
    [{ provider: 'tpu' }, 'engine.unknown-provider', /known: cpu, webgpu, cuda, dml, coreml/],
    [{ name: 'reference', provider: 'cuda' }, 'engine.option', /belongs to engine onnxruntime/],
    [{ thread: 2 } as object, 'engine.option', /did you mean "threads"\?/],
    [{ threads: 0 }, 'engine.option', /from 1 to 4096, got 0/],
  ])('refuses %j', (options, code, text) => {
    expect(() => make(options)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(text) }),
    );
  });

  it('says where a provider that this platform lacks exists', () => {
    const missing = ['dml', 'coreml'].find((name) => !supportedProviders().includes(name)) as string;
    expect(() => make({ provider: missing })).toThrow(
      expect.objectContaining({
        code: 'engine.provider-unavailable',
        message: expect.stringMatching(/exists on (Windows|macOS) only/),
      }),
    );
  });

  it('explains a CUDA library that cannot load', async ({ skip }) => {
    skip(!supportedProviders().includes('cuda'), 'ONNX Runtime has no CUDA provider for this platform');
    const engine = new OnnxEngine({ provider: 'cuda', onPlacement: () => {} });
    const program = engine.compile('double', ({ x }) => ({ y: tf.mul(x, 2) }));
    const outcome = await program.run({ x: float32([1], [1]) }).catch((error: unknown) => error);
    // On a machine with CUDA the program simply runs.
    if (outcome instanceof Error) {
      expect(outcome).toMatchObject({ code: 'engine.provider-unavailable', exitCode: 2 });
      expect(outcome.message).toMatch(/onnxruntime-node\/script\/install\.js/);
    }
    await engine.dispose();
  });
});

describe('describeFallback', () => {
  it('counts the nodes left to the CPU, most frequent first', () => {
    const placement = { webgpu: { Gemm: 5, Add: 2 }, cpu: { Sign: 1, Scan: 2 } };
    expect(describeFallback(placement)).toBe('3 of 10 nodes ran on the CPU: Scan 2, Sign 1');
    expect(describeFallback({ webgpu: { Gemm: 5 } })).toBeUndefined();
  });
});
