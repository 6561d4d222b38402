// Which synthetic voices there are. A voice is an engine's voice with its own vocal-tract size, pitch,
// intonation and rate, so that a few engines give hundreds of speakers. Validation speakers come from
// base voices that no training speaker uses.
import { CounterRandom } from '../../src/random/index.js';
import type { EngineName, VoiceSettings } from './synthesis/synthesizer.js';

export interface Voice extends VoiceSettings {
  /** Speaker name in the manifests, e.g. `flite-slt-03`. */
  readonly speaker: string;
}

const ESPEAK_ACCENTS = [
  'en-us',
  'en-us-nyc',
  'en-gb-x-rp',
  'en-gb-scotland',
  'en-gb-x-gbclan',
  'en-gb-x-gbcwmd',
  'en-029',
  'en-us',
];

/** Variants that sound like a person, not a robot or a whisper. */
const ESPEAK_VARIANTS = (
  'Alex Alicia Andrea Andy Annie Denis Diogo Gene Gene2 Henrique Hugo Jacky Lee Marco Mario Michael Mike ' +
  'Nguyen Reed RicishayMax Storm adam anika announcer antonio aunty belinda benjamin boris caleb david ed ' +
  'edward f1 f2 f3 f4 f5 grandma grandpa gustave ian iven john kaukovalta klatt klatt2 klatt3 klatt4 linda ' +
  'm1 m2 m3 m4 m5 m6 m7 m8 marcelo max michel miguel norbert pablo paul pedro quincy rob robert sandro ' +
  'shelby steph travis victor zac'
).split(' ');

const VALIDATION_ESPEAK_VARIANTS = new Set([
  'Andrea',
  'Mike',
  'f4',
  'm7',
  'klatt4',
  'victor',
  'linda',
  'paul',
]);
const VALIDATION_FLITE = ['rms'];
const TRAINING_FLITE = ['awb', 'slt', 'kal16'];
const TRAINING_GNUSPEECH = ['male', 'female'];
const VALIDATION_GNUSPEECH = ['large_child'];

export interface VoiceCounts {
  readonly flite: number;
  readonly espeak: number;
  readonly gnuspeech: number;
}

export type Split = 'train' | 'dev';

/** The voices of one side of the split; the same for the same seed. */
export function sampleVoices(seed: number, split: Split, counts: VoiceCounts): Voice[] {
  const training = split === 'train';
  const variants = ESPEAK_VARIANTS.filter((name) => VALIDATION_ESPEAK_VARIANTS.has(name) !== training);
  const bases: Record<EngineName, (index: number, random: CounterRandom) => string> = {
    flite: (index) => pick(training ? TRAINING_FLITE : VALIDATION_FLITE, index),
    gnuspeech: (index) => pick(training ? TRAINING_GNUSPEECH : VALIDATION_GNUSPEECH, index),
    espeak: (index, random) => `${pick(ESPEAK_ACCENTS, random.integer(9, 64))}+${pick(variants, index)}`,
  };
  return (['flite', 'espeak', 'gnuspeech'] as const).flatMap((engine) =>
    Array.from({ length: counts[engine] }, (_, index): Voice => {
      const random = new CounterRandom(seed, 'voice', split, engine, index);
      const base = bases[engine](index, random);
      const name = base.replace('+', '-');
      return { speaker: `${engine}-${name}-${index}`, engine, base, ...sampleManner(random) };
    }),
  );
}

function pick<T>(values: readonly T[], index: number): T {
  return values[index % values.length];
}

/** Tract size and pitch move together in people, hence the shared part. */
function sampleManner(random: CounterRandom): Omit<VoiceSettings, 'engine' | 'base'> {
  const symmetric = (index: number, half: number) => (2 * random.uniform(index) - 1) * half;
  const formants = 2 ** symmetric(0, 0.27);
  return {
    formants,
    pitch: formants * 2 ** symmetric(1, 0.35),
    intonation: 0.6 + 1.0 * random.uniform(2),
    rate: 2 ** (symmetric(3, 0.4) - 0.1),
  };
}
