// A tiny real data set for scripts/nemo-configs.ts: tones in WAV files, manifests, a tar archive of the same, and
// SentencePiece tokenizers trained on the texts.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeWav } from '../../src/formats/index.js';
import { CounterRandom } from '../../src/random/index.js';
import { trainSpecialTokenizer, trainTokenizerFolder } from '../../src/text/index.js';

export interface Corpus {
  readonly manifest: string;
  readonly tokenizer: string;
  /** The tokenizer of special tokens. */
  readonly specialTokens: string;
  /** The recordings in a tar archive. */
  readonly archive: string;
}

const RATE = 16000;
const TEXTS = [
  'hello world',
  'the cat sat',
  'a dog ran',
  'see you soon',
  'good day',
  'one two three',
  'yes',
  'no way',
];

/** Writes everything under `folder`. */
export function makeCorpus(folder: string): Corpus {
  const rows = TEXTS.map((text, i) => {
    const samples = tones(text, i);
    const path = join(folder, `${i}.wav`);
    writeFileSync(path, encodeWav([samples], { sampleRate: RATE }));
    return JSON.stringify({
      audio_filepath: path,
      duration: samples.length / RATE,
      text,
      lang: i % 2 === 0 ? 'en' : 'es',
      source_lang: 'en',
      target_lang: 'en',
      task: 'asr',
      pnc: 'yes',
    });
  });
  const manifest = join(folder, 'all.json');
  writeFileSync(manifest, `${rows.join('\n')}\n`);
  const { dir: tokenizer } = trainTokenizerFolder({ dataRoot: folder, lines: TEXTS, vocabSize: 32 });
  const specialTokens = join(folder, 'special');
  trainSpecialTokenizer(['translate', 'transcribe', 'en', 'es', 'de', 'fr'], specialTokens);
  return { manifest, tokenizer, specialTokens, archive: join(folder, 'audio.tar') };
}

/** A tone for each letter, 0.15 s long. */
function tones(text: string, seed: number): Float32Array {
  const random = new CounterRandom(seed);
  const samples = new Float32Array(text.length * RATE * 0.15);
  for (let i = 0; i < samples.length; i++) {
    const code = text.charCodeAt(Math.floor((i / samples.length) * text.length));
    samples[i] =
      0.3 * Math.sin((2 * Math.PI * (200 + 40 * (code - 90)) * i) / RATE) + 0.01 * random.normal(i);
  }
  return samples;
}
