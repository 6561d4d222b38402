// A small corpus of tones in a temporary folder, with a manifest.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeWav } from '../../../src/formats/index.js';
import { CounterRandom } from '../../../src/random/index.js';

export const RATE = 8000;

export interface Corpus {
  readonly folder: string;
  readonly manifest: string;
  readonly durations: readonly number[];
  remove(): void;
}

/** A tone with noise. */
export function tone(seconds: number, hertz: number, seed = 0): Float32Array {
  const random = new CounterRandom(seed, 'tone', hertz);
  return Float32Array.from(
    { length: Math.round(seconds * RATE) },
    (_, i) => 0.3 * Math.sin((2 * Math.PI * hertz * i) / RATE) + 0.01 * (random.uniform(i) - 0.5),
  );
}

export function wav(samples: Float32Array): Uint8Array {
  return encodeWav([samples], { sampleRate: RATE });
}

export interface Line {
  audio_filepath: string;
  duration: number;
  text: string;
  [key: string]: unknown;
}

/** `count` utterances of 0.2 to 1.4 s; text `a` repeated once per 0.1 s. */
export function makeCorpus(count: number, change?: (line: Line, i: number, folder: string) => void): Corpus {
  const folder = mkdtempSync(join(tmpdir(), 'anemone-data-'));
  mkdirSync(join(folder, 'wavs'));
  const durations: number[] = [];
  const lines = Array.from({ length: count }, (_, i) => {
    const seconds = 0.2 + ((i * 37) % 13) / 10;
    durations.push(seconds);
    writeFileSync(join(folder, 'wavs', `u${i}.wav`), wav(tone(seconds, 200 + 13 * i)));
    const line: Line = {
      audio_filepath: `wavs/u${i}.wav`,
      duration: Math.round(seconds * 100) / 100,
      text: 'a'.repeat(Math.round(seconds * 10)),
    };
    change?.(line, i, folder);
    return JSON.stringify(line);
  });
  const manifest = join(folder, 'train.jsonl');
  writeFileSync(manifest, `${lines.join('\n')}\n`);
  return {
    folder,
    manifest,
    durations,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
