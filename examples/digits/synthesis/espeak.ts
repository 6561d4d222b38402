// eSpeak NG (GPL-3.0, used as a separate tool): formant synthesis, eight English accents times about a
// hundred voice variants. A voice name is `accent+variant`, as on its command line.
import { resampleTo } from './clip.js';
import type { Synthesizer, VoiceSettings } from './synthesizer.js';

const RATE_WORDS_PER_MINUTE = 175;
const MAX_RATE = 450;
const MIN_RATE = 80;

/** The part of the package's embind worker that is used here; it ships no types. */
interface EspeakWorker {
  set_voice(name: string): number;
  set_rate(wordsPerMinute: number): void;
  set_pitch(zeroTo99: number): void;
  set_range(zeroTo100: number): void;
  get_samplerate(): number;
  synthesize(text: string, onChunk: (audio: ArrayBuffer | null, events: unknown) => boolean): void;
}

interface EspeakModule {
  eSpeakNGWorker: new () => EspeakWorker;
}

export async function createEspeak(): Promise<Synthesizer> {
  const { default: load } = (await import('@echogarden/espeak-ng-emscripten')) as unknown as {
    default: () => Promise<EspeakModule>;
  };
  const module = await load();
  const worker = withFrozenClock(() => new module.eSpeakNGWorker());
  return {
    async synthesize(text: string, voice: VoiceSettings) {
      worker.set_voice(voice.base);
      const rate = (RATE_WORDS_PER_MINUTE * voice.rate) / voice.formants;
      worker.set_rate(Math.round(Math.max(MIN_RATE, Math.min(MAX_RATE, rate))));
      // Its pitch scale doubles the frequency every 50 units.
      const pitch = 50 + 50 * Math.log2(voice.pitch / voice.formants);
      worker.set_pitch(Math.round(Math.max(0, Math.min(99, pitch))));
      worker.set_range(Math.round(Math.max(0, Math.min(100, 50 * voice.intonation))));
      const chunks: Int16Array[] = [];
      withFrozenClock(() => {
        worker.synthesize(text, (audio) => {
          if (audio !== null) chunks.push(new Int16Array(audio.slice(0)));
          return false;
        });
      });
      const samples = new Float32Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
      let at = 0;
      for (const chunk of chunks) for (const x of chunk) samples[at++] = x / 32768;
      return resampleTo({ samples, sampleRate: worker.get_samplerate() * voice.formants }, 16000);
    },
  };
}

/** Its breath noise is seeded from the clock; the calls are synchronous, so nobody else sees this. */
function withFrozenClock<T>(use: () => T): T {
  const now = Date.now;
  Date.now = () => 0;
  try {
    return use();
  } finally {
    Date.now = now;
  }
}
