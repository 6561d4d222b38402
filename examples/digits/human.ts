// The test set: strings spliced from digits recorded by two people whom no part of training ever hears.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeAudio } from '../../src/audio/index.js';
import { encodeWav } from '../../src/formats/index.js';
import { CounterRandom } from '../../src/random/index.js';
import type { ManifestLine } from '../lib/manifest.js';
import { DIGIT_WORDS, wordsOf } from './digits.js';
import { drawDigits, drawLevel } from './speak.js';
import { splice } from './splice.js';

export const HUMAN_VOICES = ['allison', 'dawson'] as const;

/** Writes `count` strings of each human voice and returns their manifest lines. */
export async function writeHumanStrings(out: string, seed: number, count: number): Promise<ManifestLine[]> {
  const lines: ManifestLine[] = [];
  await mkdir(join(out, 'audio', 'test'), { recursive: true });
  for (const voice of HUMAN_VOICES) {
    const words = await Promise.all(
      DIGIT_WORDS.map((_, digit) =>
        decodeAudio(fileURLToPath(new URL(`./voices/${voice}/${digit}.flac`, import.meta.url)), {
          targetSampleRate: 16000,
        }),
      ),
    );
    for (let i = 0; i < count; i++) {
      const random = new CounterRandom(seed, 'human', voice, i);
      const digits = drawDigits(random.derive('digits'));
      const clip = splice(
        digits.map((digit) => words[digit]),
        random.derive('splice'),
        { gap: [0.02, 0.3], wordSpeedJitter: 0, levelDb: drawLevel(random.derive('level')) },
      );
      const path = `audio/test/${voice}-${String(i).padStart(3, '0')}.wav`;
      await writeFile(join(out, path), encodeWav([clip.samples], { sampleRate: clip.sampleRate }));
      const duration = clip.samples.length / clip.sampleRate;
      lines.push({ audio_filepath: path, duration, text: wordsOf(digits), speaker: voice, lang: 'en' });
    }
  }
  return lines;
}
