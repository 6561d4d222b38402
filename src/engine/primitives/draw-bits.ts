// The numbers behind `randomBits`: the same bits for the same key on every engine.
import { AnemoneError } from '../../errors/index.js';
import type { CounterRandom } from '../../random/index.js';

/** The random integers of one site of one run: the same for every engine. */
export function drawBits(
  random: CounterRandom | undefined,
  site: number,
  count: number,
  bits: number,
): Int32Array {
  if (!random) {
    throw new AnemoneError({
      code: 'engine.no-random-key',
      message: 'the program draws random bits but run() was given no random key',
    });
  }
  const stream = random.derive('site', site);
  const shift = 32 - bits;
  const values = new Int32Array(count);
  for (let i = 0; i < count; i++) values[i] = stream.bits(i) >>> shift;
  return values;
}
