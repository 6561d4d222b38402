// Run by arithmetic.test.ts in a process of its own, where no session has been made before: does the program's own
// arithmetic still know denormal numbers, before, in and after everything that an engine does?
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { EncDecCTCModel } from '../../src/asr/index.js';
import { float32, type HostFunction, hostCall, OnnxEngine, tf } from '../../src/engine/index.js';
import { CounterRandom } from '../../src/random/index.js';
import { tinyModel } from '../asr/support.js';
import { batchOf, trainer } from '../asr/training.js';

const SMALLEST_HALF = 2 ** 18;
/** Products at run time, which no compiler has folded: of doubles, and of singles. */
function denormalsAreNumbers(): boolean {
  const [tiny, half] = [Number('5e-324'), Number('0.5')];
  const singles = Float32Array.of(Number('1e-40'));
  return tiny > 0 && Number('1e-300') * half * 1e-10 > 0 && Math.fround(singles[0] * half) > 0;
}

const seen: Record<string, boolean> = {};
const look = (where: string) => {
  seen[where] = (seen[where] ?? true) && denormalsAreNumbers();
};

async function useEngine(threads: number): Promise<number> {
  look('before');
  const engine = new OnnxEngine({ threads });
  look('after an engine was made');
  const program = engine.compile('halves', ({ x }) => {
    const halves = tf.mul(x, tf.scalar(0.5));
    const host: HostFunction = ([value]) => {
      look('in a host call');
      return [float32((value.data as Float32Array).slice(), value.shape)];
    };
    const [there] = hostCall('there', host, [halves], [{ shape: [SMALLEST_HALF], dtype: 'float32' }]);
    return { halves: tf.mul(there, tf.scalar(1)) };
  });
  const { halves } = await program.run({ x: float32(new Float32Array(SMALLEST_HALF).fill(1e-40), [SMALLEST_HALF]) }); // biome-ignore format: one call
  look('after a run');
  const model = EncDecCTCModel.fromConfig(
    tinyModel({
      target: 'EncDecCTCModel',
      decoder: { _target_: 'nemo.collections.asr.modules.ConvASRDecoder', feat_in: null, num_classes: -1 },
      joint: undefined,
    }),
    { seed: 1, engine },
  );
  const batch = batchOf(model, ['abc', 'ca']);
  const train = trainer(engine, model, 0.01);
  for (let step = 0; step < 2; step++) {
    await train.run(batch.inputs, { random: new CounterRandom(step) });
    look('after a step');
  }
  await new Promise((resolve) => setTimeout(resolve, 1));
  look('in a later turn of the event loop');
  await engine.dispose();
  look('after the engine was disposed of');
  return new Set(halves.data).size;
}

const threads = Number(isMainThread ? process.argv[2] : workerData);
const distinct = await useEngine(threads);
if (isMainThread && process.argv[3] === 'worker') {
  // A worker inherits no loader: it registers tsx before it reads this file.
  const start = `import('tsx/esm/api').then(({ register }) => { register(); return import('${import.meta.url}'); })`;
  const worker = new Worker(start, { eval: true, workerData: threads });
  await new Promise((resolve, reject) => worker.on('exit', resolve).on('error', reject));
  look('after a worker used an engine');
}
console.log(JSON.stringify({ seen, distinct }));
