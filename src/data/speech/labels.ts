// From the transcripts of utterances to the tokens a model is trained to say.
import { encodeTranscripts, type Tokenize, type Utterance } from './dataset.js';
import type { UnknownText } from './unknown-text.js';

/** How the transcripts of utterances become what a model is trained to say. */
export interface SpeechLabels {
  readonly tokenize: Tokenize;
  /** Tokens that stand before those of the transcript; batches then have `promptLengths`. */
  readonly prompt?: (utterance: Utterance) => ArrayLike<number>;
  /** The number of an utterance's prompt; batches then have `promptIndex`. */
  readonly promptIndex?: (utterance: Utterance) => number;
  /** Keys of the manifest to keep, in `Utterance.custom`. */
  readonly custom?: readonly string[];
  /** Finds what `tokenize` drops or replaces; absent: nothing is looked for. */
  readonly unknown?: UnknownText;
  /** Of an utterance's text, for `unknown`. Default: its `lang`. */
  readonly languageOf?: (utterance: Utterance) => string | undefined;
  /** Fills targets after their end. Default 0. */
  readonly padId?: number;
}

/** The tokens of utterances, with those of their prompts. */
export interface EncodedLabels {
  /** Token ids of each prompt and transcript. */
  readonly encoded: readonly ArrayLike<number>[];
  /** Tokens of each prompt, the first of `encoded`; absent without prompts. */
  readonly promptTokens: readonly number[] | undefined;
  /** The number of each utterance's prompt; absent for models without. */
  readonly promptIndices: readonly number[] | undefined;
}

/** @throws AnemoneError with the manifest line, where a transcript or its prompt cannot be written in tokens */
export function encodeUtterances(
  utterances: readonly Utterance[],
  { tokenize, prompt, promptIndex }: SpeechLabels,
): EncodedLabels {
  const prompts = prompt && encodeTranscripts(utterances, (_, utterance) => prompt(utterance));
  const indices = promptIndex && encodeTranscripts(utterances, (_, utterance) => [promptIndex(utterance)]);
  const transcripts = encodeTranscripts(utterances, tokenize);
  return {
    encoded: prompts
      ? transcripts.map((ids, i) => [...Array.from(prompts[i]), ...Array.from(ids)])
      : transcripts,
    promptTokens: prompts?.map((ids) => ids.length),
    promptIndices: indices?.map((ids) => ids[0] as number),
  };
}
