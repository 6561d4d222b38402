// A data source of your own: letters as tones, made as they are asked for. `train_ds: {_target_: ToneSource, …}`.
import { defineSchema } from '../../src/config/index.js';
import { component } from '../../src/container/index.js';
import type { SpeechDataSource, SpeechExample } from '../../src/data/index.js';
import { dataSourceKind } from '../../src/model/index.js';
import { CounterRandom } from '../../src/random/index.js';

const RATE = 16000;
const HERTZ: Readonly<Record<string, number>> = { a: 400, b: 900, c: 1800 };

/** A fifth of a second of its pitch for each letter, with silence between. */
function tones(text: string): Float32Array {
  const [sounding, whole] = [0.2 * RATE, 0.3 * RATE];
  return Float32Array.from({ length: text.length * whole }, (_, i) => {
    const hertz = HERTZ[text[Math.floor(i / whole)]];
    return i % whole < sounding ? 0.5 * Math.sin((2 * Math.PI * hertz * i) / RATE) : 0;
  });
}

function utterances(count: number, seed: number): SpeechExample[] {
  return Array.from({ length: count }, (_, i) => {
    const random = new CounterRandom(seed).derive('tones', i);
    const letters = Array.from(
      { length: 2 + random.integer(0, 3) },
      (_, k) => 'abc'[random.integer(1 + k, 3)],
    );
    const text = letters.join('');
    return { audio: tones(text), sampleRate: RATE, text };
  });
}

export const toneSource = component({
  kind: dataSourceKind,
  name: 'ToneSource',
  schema: defineSchema('ToneSource', {
    utterances: { doc: 'How many there are.', format: 'int', min: 1 },
    batch_size: { doc: 'Utterances a batch.', format: 'int', min: 1, default: 8 },
  }),
  create: ({ utterances: count, batch_size: batchSize }): SpeechDataSource => ({
    open: (speech) => speech.batchesOf(utterances(count, speech.training ? speech.seed : 999), { batchSize }),
  }),
});
