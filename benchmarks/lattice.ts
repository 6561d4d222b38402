// Time of the transducer lattice, forward and backward, for its two implementations. Not the joint network.
// Usage: npx tsx benchmarks/lattice.ts [threads]
import { type LatticeImplementation, transducerCosts } from '../src/asr/index.js';
import { float32, int32, OnnxEngine, tf } from '../src/engine/index.js';
import { CounterRandom } from '../src/random/index.js';

const [batch, rows, frames, repetitions] = [8, 41, 200, 20];
const threads = Number(process.argv[2] ?? 2);
const random = new CounterRandom(1);
const inputs = {
  picks: float32(
    Float32Array.from({ length: batch * rows * frames * 2 }, (_, i) => -5 * random.uniform(i)),
    [batch, rows, frames, 2],
  ),
  frames: int32(new Int32Array(batch).fill(frames), [batch]),
  tokens: int32(new Int32Array(batch).fill(rows - 1), [batch]),
};

async function measure(implementation: LatticeImplementation): Promise<void> {
  const engine = new OnnxEngine({ threads });
  const program = engine.compile('lattice', ({ picks, frames, tokens }) => ({
    gradient: tf.grad((x) => tf.sum(transducerCosts({ picks: x, frames, tokens }, { implementation })))(
      picks,
    ),
  }));
  await program.run(inputs);
  const times: number[] = [];
  const start = process.cpuUsage();
  for (let i = 0; i < repetitions; i++) {
    const before = performance.now();
    await program.run(inputs);
    times.push(performance.now() - before);
  }
  const { user, system } = process.cpuUsage(start);
  times.sort((a, b) => a - b);
  const result = {
    implementation,
    medianMs: times[repetitions >> 1],
    leastMs: times[0],
    processorMs: (user + system) / 1000 / repetitions,
  };
  console.log(JSON.stringify(result));
  program.dispose();
  await engine.dispose();
}

for (const implementation of ['scan', 'host', 'scan', 'host'] as const) await measure(implementation);
