// What may be asked of generation, and what of it makes no sense.
import { AnemoneError } from '../../errors/index.js';
import type { SamplingOptions } from './sampling.js';

/** How much is written, when it ends, and how tokens are chosen. */
export interface GenerateOptions extends SamplingOptions {
  /** Most new tokens. Default 30, NeMo's. */
  readonly tokensToGenerate?: number;
  /** The end of text does not come before so many new tokens. Default 0. */
  readonly minTokens?: number;
  /** The tokenizer's beginning of text is put before prompts. Default: as the model wants it. */
  readonly addBos?: boolean;
  /** A text ends where one of these has been written; they are cut off, also where they straddle tokens. Default: none. */
  readonly stop?: readonly string[];
  /** Texts after each prompt, each drawn by itself; the first is the one that there would be alone. Default 1. */
  readonly samples?: number;
  /** Searches with so many beams for the likeliest text, as transformers does. Default 1: no search. */
  readonly numBeams?: number;
  /** With beams: scores are divided by (number of tokens)^penalty, so that above 0 longer texts win. Default 1. */
  readonly lengthPenalty?: number;
  /** With beams: ends as soon as there are `numBeams` whole texts. Default false: when none can become better. */
  readonly earlyStopping?: boolean;
  /** Also tells the logarithm of each token's probability, before temperature and penalties; a number: and so many likeliest tokens. */
  readonly logProbs?: boolean | number;
  /** Texts that are written at once. Default 16. What is written does not depend on it. */
  readonly batchSize?: number;
  /** Ends the writing: it rejects with `engine.cancelled`. */
  readonly signal?: AbortSignal;
  /** Gets what has been added to the text number `row`, as it is known: a character is never cut in two. Not with beams. */
  readonly onText?: (row: number, text: string) => void;
}

/** A token with the logarithm of its probability. */
export interface ScoredToken {
  readonly id: number;
  readonly logProb: number;
}

/** A text that was written after a prompt. */
export interface Generated {
  /** What was added to the prompt. */
  readonly text: string;
  readonly tokens: readonly number[];
  /** Why it ended: the model said so, a stop text was written, or there is no more room. */
  readonly reason: 'end' | 'stop' | 'length';
  /** Of each token, with `logProbs`. */
  readonly logProbs?: readonly number[];
  /** The likeliest tokens at each place, with `logProbs: n`. */
  readonly likeliest?: readonly (readonly ScoredToken[])[];
  /** With beams: Σ log-probabilities / length^penalty. */
  readonly score?: number;
}

const WHOLE = ['tokensToGenerate', 'samples', 'numBeams', 'batchSize'] as const;

/** @throws AnemoneError `lm.option` */
export function checkOptions(options: GenerateOptions, vocabulary: number): void {
  for (const key of WHOLE) {
    const value = options[key];
    if (value !== undefined && !(Number.isInteger(value) && value >= 1)) throw wrong(key, value, 'a whole number from 1 on'); // biome-ignore format: one line
  }
  const bounded = (
    key: keyof GenerateOptions,
    isRight: (value: number) => boolean,
    expected: string,
  ): void => {
    const value = options[key];
    if (value !== undefined && !(typeof value === 'number' && isRight(value))) throw wrong(key, value, expected); // biome-ignore format: one line
  };
  bounded('minTokens', (x) => Number.isInteger(x) && x >= 0, 'a whole number from 0 on');
  bounded('seed', (x) => Number.isSafeInteger(x) && x >= 0, 'a whole number from 0 on');
  bounded('topK', (x) => Number.isInteger(x) && x >= 0, 'a whole number from 0 on');
  bounded('temperature', (x) => x > 0 && x < Number.POSITIVE_INFINITY, 'a number above 0');
  bounded('topP', (x) => x > 0 && x <= 1, 'a number above 0, at most 1');
  bounded('minP', (x) => x >= 0 && x <= 1, 'a number from 0 to 1');
  bounded('repetitionPenalty', (x) => x > 0 && x < Number.POSITIVE_INFINITY, 'a number above 0');
  for (const key of ['presencePenalty', 'frequencyPenalty', 'lengthPenalty'] as const)
    bounded(key, Number.isFinite, 'a number');
  const { logProbs, stop = [], numBeams = 1, samples = 1, tokensToGenerate = 30, minTokens = 0 } = options;
  if (typeof logProbs === 'number') bounded('logProbs', (x) => Number.isInteger(x) && x >= 0 && x <= vocabulary, `at most ${vocabulary} tokens`); // biome-ignore format: one line
  if (stop.some((text) => text === '')) throw wrong('stop', '', 'texts that are not empty');
  if (minTokens > tokensToGenerate) throw wrong('minTokens', minTokens, `at most the ${tokensToGenerate} of tokensToGenerate`); // biome-ignore format: one line
  if (numBeams > 1) checkBeams(options, samples, numBeams);
}

/** What draws tokens, or shows them one by one, is at odds with a search. */
function checkBeams(options: GenerateOptions, samples: number, numBeams: number): void {
  const drawing = ['temperature', 'topK', 'topP', 'minP', 'onText'] as const;
  const other = drawing.find((key) => options[key] !== undefined);
  if (other)
    throw wrong('numBeams', numBeams, `1 with ${other}: a search draws nothing, and shows whole texts`);
  if (samples > numBeams) throw wrong('samples', samples, `at most the ${numBeams} of numBeams`);
}

function wrong(key: string, value: unknown, expected: string): AnemoneError {
  return new AnemoneError({
    code: 'lm.option',
    path: key,
    message: `${JSON.stringify(value) ?? String(value)} was given; expected is ${expected}`,
  });
}
