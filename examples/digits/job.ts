// One share of the synthesis: a fixed set of voices said, sent through simulated channels and written as
// WAV files. Shares do not depend on the number of threads, and every share starts its own engines, so that
// an engine's inner state (espeak's oscillators run on from call to call) cannot make two runs differ.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeWav } from '../../src/formats/index.js';
import { CounterRandom } from '../../src/random/index.js';
import type { ManifestLine } from '../lib/manifest.js';
import { TRAINING_ODDS, throughChannel } from './acoustics.js';
import { type SpeechAmounts, speak } from './speak.js';
import { createEspeak } from './synthesis/espeak.js';
import { createFlite } from './synthesis/flite.js';
import { createGnuspeech } from './synthesis/gnuspeech.js';
import type { EngineName, Synthesizer } from './synthesis/synthesizer.js';
import type { Split, Voice } from './voices.js';

export interface Job {
  readonly out: string;
  readonly seed: number;
  readonly split: Split;
  readonly voices: readonly Voice[];
  readonly strings: SpeechAmounts;
}

const CREATE: Readonly<Record<EngineName, () => Promise<Synthesizer>>> = {
  flite: createFlite,
  espeak: createEspeak,
  gnuspeech: createGnuspeech,
};

/** Does the job; `onUtterance` is told the seconds of each utterance written. */
export async function runJob(job: Job, onUtterance: (seconds: number) => void): Promise<ManifestLine[]> {
  const engines = new Map<EngineName, Synthesizer>();
  const lines: ManifestLine[] = [];
  await mkdir(join(job.out, 'audio', job.split), { recursive: true });
  for (const voice of job.voices) {
    const engine = engines.get(voice.engine) ?? (await CREATE[voice.engine]());
    engines.set(voice.engine, engine);
    const random = new CounterRandom(job.seed, 'speech', job.split, voice.speaker);
    let index = 0;
    for await (const utterance of speak(engine, voice, random, job.strings)) {
      const clip = throughChannel(utterance.clip, random.derive('channel', index), TRAINING_ODDS);
      const path = `audio/${job.split}/${utterance.speaker}-${String(index++).padStart(2, '0')}.wav`;
      await writeFile(join(job.out, path), encodeWav([clip.samples], { sampleRate: clip.sampleRate }));
      const duration = clip.samples.length / clip.sampleRate;
      lines.push({
        audio_filepath: path,
        duration,
        text: utterance.text,
        speaker: utterance.speaker,
        lang: 'en',
      });
      onUtterance(duration);
    }
  }
  return lines;
}
