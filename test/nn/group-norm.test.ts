// Group norm on the default engine against plain sums in double precision.
import { afterAll, expect, it } from 'vitest';
import { float32, OnnxEngine } from '../../src/engine/index.js';
import { GroupNorm } from '../../src/nn/index.js';
import { CounterRandom } from '../../src/random/index.js';
import { maxDifference } from './support.js';

const engine = new OnnxEngine({ threads: 1 });
afterAll(() => engine.dispose());

const [frames, channels, groups] = [3000, 8, 2];

/** x [T,C], a group at a time. */
function expected(x: Float32Array): Float64Array {
  const y = new Float64Array(x.length);
  const width = channels / groups;
  for (let g = 0; g < groups; g++) {
    const own = [...x.keys()].filter((i) => Math.floor((i % channels) / width) === g);
    const mean = own.reduce((sum, i) => sum + x[i], 0) / own.length;
    const variance = own.reduce((sum, i) => sum + (x[i] - mean) ** 2, 0) / own.length;
    for (const i of own) y[i] = (x[i] - mean) / Math.sqrt(variance + 1e-5);
  }
  return y;
}

it('is as exact over long utterances as single precision allows, far from zero too', async () => {
  const random = new CounterRandom(3);
  const x = Float32Array.from({ length: frames * channels }, (_, i) => 6 + random.normal(i));
  const norm = new GroupNorm(channels, groups, false);
  const program = engine.compile('group-norm', ({ x }) => ({ y: norm.forward(x) }));
  const { y } = await program.run({ x: float32(x, [1, frames, channels]) });
  expect(maxDifference(y.data, expected(x))).toBeLessThan(3e-6);
});
