// What one synthetic voice says: every digit alone, a few strings in one breath, and strings spliced from
// the digits said alone. Pure planning and calls to the engines; nothing is written here.
import type { CounterRandom } from '../../src/random/index.js';
import { DIGIT_WORDS, MAX_STRING_LENGTH, wordsOf } from './digits.js';
import { splice } from './splice.js';
import { type Clip, setLevel } from './synthesis/clip.js';
import type { Synthesizer } from './synthesis/synthesizer.js';
import type { Voice } from './voices.js';

export interface Utterance {
  readonly speaker: string;
  readonly text: string;
  readonly clip: Clip;
}

export interface SpeechAmounts {
  /** Strings spoken in one breath. */
  readonly fluent: number;
  /** Strings spliced from words spoken alone. */
  readonly spliced: number;
}

/** Short strings teach a transducer where words are, so training has more of them. */
const TRAINING_LENGTH_RATIO = 0.85;

/** Random digits, one to seven of them; length n + 1 is `ratio` times as likely as length n. */
export function drawDigits(random: CounterRandom, ratio = 1): number[] {
  const weights = Array.from({ length: MAX_STRING_LENGTH }, (_, i) => ratio ** i);
  let left = random.uniform(0) * weights.reduce((sum, weight) => sum + weight, 0);
  let length = 1;
  while (length < MAX_STRING_LENGTH && left >= weights[length - 1]) left -= weights[length++ - 1];
  return Array.from({ length }, (_, i) => random.integer(1 + i, DIGIT_WORDS.length));
}

/** Level of an utterance in dB below full scale, from quiet to loud. */
export function drawLevel(random: CounterRandom): number {
  return -32 + 18 * random.uniform(0);
}

export async function* speak(
  synthesizer: Synthesizer,
  voice: Voice,
  random: CounterRandom,
  amounts: SpeechAmounts,
): AsyncGenerator<Utterance> {
  for (let i = 0; i < amounts.fluent; i++) {
    const draw = random.derive('fluent', i);
    const digits = drawDigits(draw.derive('digits'), TRAINING_LENGTH_RATIO);
    const separators = draw.integer(0, 3) === 0 ? ', ' : ' ';
    const rate = voice.rate * 2 ** (0.3 * (draw.uniform(1) - 0.5));
    const text = `${wordsOf(digits).split(' ').join(separators)}.`;
    const clip = await synthesizer.synthesize(text, { ...voice, rate });
    setLevel(clip.samples, drawLevel(draw.derive('level')));
    yield { speaker: voice.speaker, text: wordsOf(digits), clip };
  }
  const words: Clip[] = [];
  for (const [digit, word] of DIGIT_WORDS.entries()) {
    // A full stop falls, a comma stays up: the two intonations a word has inside a list.
    const mark = random.derive('mark').integer(digit, 2) === 0 ? '.' : ',';
    words.push(await synthesizer.synthesize(`${word}${mark}`, voice));
  }
  for (let i = 0; i < amounts.spliced; i++) {
    const draw = random.derive('spliced', i);
    const digits = drawDigits(draw.derive('digits'), TRAINING_LENGTH_RATIO);
    const clip = splice(
      digits.map((digit) => words[digit]),
      draw.derive('splice'),
      {
        gap: [0, 0.05 + 0.45 * draw.uniform(0)],
        wordSpeedJitter: 0.06,
        levelDb: drawLevel(draw.derive('level')),
      },
    );
    yield { speaker: voice.speaker, text: wordsOf(digits), clip };
  }
}
