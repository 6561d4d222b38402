// A program on webgpu that runs until something fails, then goes on to use and end the engine. Prints what was seen as JSON.

import { float32, OnnxEngine, State, tf } from '../../../src/engine/index.js';
import { AnemoneError } from '../../../src/errors/index.js';

const [kind] = process.argv.slice(2);
const codeOf = (error: unknown) => (error instanceof AnemoneError ? error.code : String(error));
const seen: { runs: number; codes: string[]; messages: string[] } = { runs: 0, codes: [], messages: [] };

async function attempt(fn: () => Promise<unknown>): Promise<boolean> {
  try {
    await fn();
    return true;
  } catch (error) {
    seen.codes.push(codeOf(error));
    seen.messages.push((error as Error).message);
    return false;
  }
}

async function main(): Promise<void> {
  const engine = new OnnxEngine({ provider: 'webgpu', threads: 1, onPlacement: () => {} });
  const weight = new State('weight', [64]);
  const step = engine.compile('step', ({ x }) => {
    weight.assign(tf.add(weight.tensor(), x));
    return { loss: tf.sum(weight.tensor()) };
  });
  const rows = kind === 'large' ? 2 ** 20 : 1;
  const tiled = engine.compile('tiled', ({ x }) => ({ y: tf.sum(tf.tile(x, [rows, 1])) }));
  const x = float32(new Float32Array(64).fill(1), [64]);
  if (kind === 'lost') {
    while (await attempt(() => step.run({ x }))) seen.runs++;
    await attempt(() => engine.read(weight));
    await attempt(() => step.run({ x }));
  } else {
    await attempt(() => tiled.run({ x: float32(new Float32Array(1024), [1, 1024]) }));
    await attempt(() => engine.write(new State('huge', [4]), new Float32Array(4)));
    if (await attempt(() => step.run({ x }))) seen.runs++;
  }
  await engine.dispose();
}

await attempt(main);
console.log(JSON.stringify(seen));
