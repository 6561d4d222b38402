// ONNX Runtime's memory, by its C API: nothing is used after it was collected, nothing is left behind, and a program that has
// loaded onnxruntime-node itself is left as it is.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { float32, OnnxEngine, tf } from '../../src/engine/index.js';
import { koffi } from '../../src/engine/native/koffi.js';
import { OrtApi } from '../../src/engine/onnx/capi/api.js';

function run(args: readonly string[], env: Record<string, string> = {}): string {
  return execFileSync(process.execPath, ['--import', 'tsx', ...args], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '', ...env },
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
  });
}

it('200 engines, some of them never disposed of, with collections in between', () => {
  const program = fileURLToPath(new URL('native-program.ts', import.meta.url));
  const checks = JSON.parse(run(['--expose-gc', program], { ANEMONE_ORT: 'capi' })) as number[];
  // Sessions of engines that nobody disposed of are few and small; a leaked value a run would be as many bytes.
  expect((checks.at(-1) as number) - checks[0]).toBeLessThan(48 * 2 ** 20);
});

it('computes in one block, whatever shapes came before the largest', () => {
  const script = `
    import { float32, OnnxEngine, State, tf } from './src/engine/index.ts';
    const weight = new State('w', [256, 256], 'float32', () => new Float32Array(2 ** 16).fill(0.01));
    const engine = new OnnxEngine({ threads: 1 });
    const chain = engine.compile('chain', ({ x }) => ({ y: tf.sum([0, 1, 2, 3].reduce((y) => tf.matMul(y, weight.tensor()), x)) }));
    const sizes = [];
    for (let rows = 1000; rows <= 12000; rows += 1000) {
      await chain.run({ x: float32(new Float32Array(rows * 256), [rows, 256]) });
      // Blocks are given back beside the program, a moment after the collection.
      for (let k = 0; k < 2; k++) {
        gc();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      sizes.push(process.memoryUsage().arrayBuffers);
    }
    console.log(JSON.stringify(sizes));
  `; // biome-ignore format: a script
  const sizes = JSON.parse(
    run(['--expose-gc', '--input-type=module', '-e', script], { ANEMONE_ORT: 'capi' }),
  ) as number[];
  // Two values of the largest shape take 24 MB; with the blocks of the eleven shapes before it, it would be 156.
  expect(sizes.at(-1)).toBeLessThan(60 * 2 ** 20);
});

it('keeps one copy of weights for all signatures that have them as constants', () => {
  const script = `
    import { float32, OnnxEngine, State, tf } from './src/engine/index.ts';
    const weights = Array.from({ length: 8 }, (_, i) => new State('w' + i, [1024, 1024], 'float32', () => new Float32Array(2 ** 20).fill(i)));
    const engine = new OnnxEngine({ threads: 1 });
    const product = engine.compile('product', ({ x }) => ({ y: weights.reduce((y, w) => tf.matMul(y, w.tensor()), x) }), { constantStates: true });
    const sizes = [];
    for (let rows = 1; rows <= 8; rows++) {
      await product.run({ x: float32(new Float32Array(rows * 1024), [rows, 1024]) });
      gc();
      sizes.push(process.memoryUsage.rss());
    }
    console.log(JSON.stringify(sizes));
  `; // biome-ignore format: a script
  const sizes = JSON.parse(
    run(['--expose-gc', '--input-type=module', '-e', script], { ANEMONE_ORT: 'capi' }),
  ) as number[];
  // 32 MiB of weights: a copy for each of the seven later signatures would be 224 MiB.
  expect((sizes.at(-1) as number) - sizes[0]).toBeLessThan(48 * 2 ** 20);
});

it('shares the process with an onnxruntime-node that was loaded before', () => {
  const script = `
    import * as ort from 'onnxruntime-node';
    import { float32, OnnxEngine, tf } from './src/engine/index.ts';
    const own = new ort.Tensor('float32', Float32Array.of(1, 2), [2]);
    const engine = new OnnxEngine({ threads: 2 });
    const program = engine.compile('double', ({ x }) => ({ y: tf.mul(x, 2) }));
    const { y } = await program.run({ x: float32(own.data, [2]) });
    console.log(JSON.stringify(Array.from(y.data)));
  `;
  const before = `import * as ort from 'onnxruntime-node'; ort.listSupportedBackends();`;
  expect(JSON.parse(run(['--input-type=module', '-e', before + script.replace("import * as ort from 'onnxruntime-node';", '')], { ANEMONE_ORT: 'capi' }))).toEqual([2, 4]); // biome-ignore format: long
});

it('refuses data that has gone to another thread instead of reading what is not there', async () => {
  const engine = new OnnxEngine({ threads: 1 });
  const program = engine.compile('double', ({ x }) => ({ y: tf.mul(x, 2) }));
  const data = Float32Array.of(1, 2, 3);
  const x = float32(data, [3]);
  await program.run({ x });
  structuredClone(data.buffer, { transfer: [data.buffer] });
  await expect(program.run({ x })).rejects.toMatchObject({
    code: 'tensor.size',
    hint: 'has their memory gone to another thread?',
  });
  await engine.dispose();
});

it('names a library that has no C API of the version that is needed', () => {
  const library = koffi();
  if (!library) throw new Error('koffi is not installed');
  expect(() => new OrtApi(library, 99)).toThrow(/ONNX Runtime 1\.\d+\.\d+ has no C API of version 99/);
});
