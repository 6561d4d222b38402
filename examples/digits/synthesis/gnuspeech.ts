// Gnuspeech (GPL-3.0, used as a separate tool): an acoustic tube model of the vocal tract. Its tract length
// is a continuous parameter, so it gives speakers of any size rather than a list of voices.
import { decodeAudio } from '../../../src/audio/index.js';
import { AnemoneError } from '../../../src/errors/index.js';
import { resampleTo } from './clip.js';
import type { Synthesizer, VoiceSettings } from './synthesizer.js';

const DATA = '/data/en';
const WAV_PATH = '/speech.wav';
const PARAMETERS_PATH = '/parameters.txt';

/** The part of the package's Emscripten module that is used here; it ships no types for it. */
interface GnuspeechModule {
  FS: {
    readFile(path: string): Uint8Array;
    readFile(path: string, options: { encoding: 'utf8' }): string;
    writeFile(path: string, text: string): void;
  };
  HEAPU8: Uint8Array;
  _malloc(bytes: number): number;
  _free(address: number): void;
  _GnuSpeech_synthesizeToFile(
    text: number,
    output: number,
    config: number,
    parameters: number,
    debug: boolean,
  ): void;
}

export async function createGnuspeech(): Promise<Synthesizer> {
  const { default: load } = (await import('@echogarden/gnuspeech-wasm/wasm/gnuspeech.js')) as unknown as {
    default: () => Promise<GnuspeechModule>;
  };
  const module = await load();
  const originals = new Map<string, string>();
  const original = (file: string) => {
    const known = originals.get(file) ?? module.FS.readFile(`${DATA}/${file}`, { encoding: 'utf8' });
    originals.set(file, known);
    return known;
  };

  const withStrings = (texts: readonly string[], use: (addresses: number[]) => void) => {
    const encoded = texts.map((text) => Buffer.from(`${text}\0`, 'utf8'));
    const addresses = encoded.map((bytes) => module._malloc(bytes.length));
    for (const [i, bytes] of encoded.entries()) module.HEAPU8.set(bytes, addresses[i]);
    try {
      use(addresses);
    } finally {
      for (const address of addresses) module._free(address);
    }
  };

  return {
    async synthesize(text: string, voice: VoiceSettings) {
      const voiceFile = `voice_${voice.base}.txt`;
      const nature = original(voiceFile);
      const tract = Number(/vocal_tract_length = ([\d.]+)/.exec(nature)?.[1] ?? 17.5);
      module.FS.writeFile(
        `${DATA}/${voiceFile}`,
        withValues(nature, { vocal_tract_length: tract / voice.formants }),
      );
      module.FS.writeFile(
        `${DATA}/trm_control_model.txt`,
        withValues(original('trm_control_model.txt'), {
          voice_name: voice.base,
          tempo: voice.rate,
          control_rate: 250,
          pitch_offset: -4 + 12 * Math.log2(voice.pitch),
          // Its own random intonation would make two runs differ.
          intonation_drift: 0,
          random_intonation: 0,
          tonic_range: -8 * voice.intonation,
          pretonic_range: -2 * voice.intonation,
        }),
      );
      withStrings([text, WAV_PATH, DATA, PARAMETERS_PATH], ([textAt, wavAt, dataAt, parametersAt]) => {
        module._GnuSpeech_synthesizeToFile(textAt, wavAt, dataAt, parametersAt, false);
      });
      return resampleTo(await decodeAudio(module.FS.readFile(WAV_PATH)), 16000);
    },
  };
}

/** Replaces the values of `key = value` lines. */
function withValues(text: string, values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values).reduce((lines, [key, value]) => {
    const line = new RegExp(`^${key} = .*$`, 'm');
    if (!line.test(lines)) {
      throw new AnemoneError({
        code: 'digits.gnuspeech-setting',
        message: `gnuspeech has no setting "${key}"`,
        hint: 'the installed version of @echogarden/gnuspeech-wasm differs from the pinned one',
      });
    }
    return lines.replace(line, `${key} = ${value}`);
  }, text);
}
