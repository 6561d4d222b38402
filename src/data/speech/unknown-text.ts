// Transcripts with something the tokenizer does not know, told once before training starts: what, how often,
// where first, what happens to it. NeMo drops or replaces such characters without a word. Checking a manifest
// line by line is in check/.
import { AnemoneError } from '../../errors/index.js';
import { AggregateTokenizer, type Tokenizer, WordTokenizer } from '../../text/index.js';
import { showCharacter } from './check/check-manifest.js';
import type { Utterance } from './dataset.js';

/** What of a transcript a tokenizer cannot represent. */
export interface UnknownText {
  readonly unit: 'character' | 'word';
  /** The token that stands for it; undefined where it is left out. */
  readonly becomes: string | undefined;
  /** The distinct unknown parts of a text; its token ids, where they are known already, save time. */
  find(
    text: string,
    known?: { readonly ids?: ArrayLike<number>; readonly lang?: string | undefined },
  ): readonly string[];
}

/** How to find what `tokenizer` does not know. */
export function unknownTextOf(tokenizer: Tokenizer): UnknownText {
  const { unkId } = tokenizer;
  const words = tokenizer instanceof WordTokenizer;
  return {
    unit: words ? 'word' : 'character',
    becomes: unknownToken(tokenizer),
    find: (text, { ids, lang } = {}) => {
      // Looking for the characters means encoding the text again. Most texts have no unknown id and are spared it.
      if (ids && unkId >= 0 && !includes(ids, unkId)) return [];
      return words ? tokenizer.unknownWords(text) : tokenizer.unknownCharacters(text, lang);
    },
  };
}

/** An aggregate has an unknown token in each of its parts; those of SentencePiece have one name. */
function unknownToken(tokenizer: Tokenizer): string | undefined {
  const part =
    tokenizer instanceof AggregateTokenizer ? tokenizer.tokenizerOf(tokenizer.langs[0]) : tokenizer;
  return part.unkId < 0 ? undefined : part.vocabulary[part.unkId];
}

const SHOWN = 20;

/**
 * What the log should say; undefined when every transcript is known.
 * @throws AnemoneError `data.unknown-text` instead, with `fatal`
 */
export function describeUnknown(
  utterances: readonly Utterance[],
  encoded: readonly ArrayLike<number>[],
  unknownText: UnknownText,
  {
    name,
    fatal,
    languageOf = ({ lang }) => lang,
  }: {
    readonly name: string;
    readonly fatal: boolean;
    readonly languageOf?: ((utterance: Utterance) => string | undefined) | undefined;
  },
): string | undefined {
  const counts = new Map<string, number>();
  let first: string | undefined;
  let transcripts = 0;
  utterances.forEach((utterance, i) => {
    const { text, origin } = utterance;
    const parts = unknownText.find(text, { ids: encoded[i], lang: languageOf(utterance) });
    if (parts.length === 0) return;
    first ??= origin;
    transcripts++;
    for (const part of parts) counts.set(part, (counts.get(part) ?? 0) + 1);
  });
  if (first === undefined) return undefined;
  const { unit, becomes } = unknownText;
  const message = `${transcripts} of ${utterances.length} transcripts have ${unit}s that the tokenizer does not know: ${listed(counts, unit)}; the first is ${first}`;
  const hint = hintFor([...counts.keys()], unknownText);
  if (fatal) throw new AnemoneError({ code: 'data.unknown-text', path: name, message, hint });
  const fate = becomes === undefined ? 'left out' : `replaced by ${becomes}`;
  return `warning: ${message}. They are ${fate}, as NeMo does; ${hint}`;
}

function listed(counts: ReadonlyMap<string, number>, unit: UnknownText['unit']): string {
  const commonParts = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  const shownParts = commonParts.slice(0, SHOWN).map(([part, count]) => {
    return `${unit === 'word' ? JSON.stringify(part) : showCharacter(part)} in ${count}`;
  });
  const rest = commonParts.length - shownParts.length;
  return `${shownParts.join(', ')}${rest > 0 ? `, and ${rest} more` : ''}`;
}

function hintFor(parts: readonly string[], { unit, find }: UnknownText): string {
  const check = 'anemone manifest check lists every line';
  const isCase = (part: string) => part !== part.toLowerCase() && find(part.toLowerCase()).length === 0;
  if (parts.every(isCase)) return `lower-case the transcripts: those forms are known; ${check}`;
  const teach = unit === 'word' ? 'add them to the vocabulary' : 'make them labels or tokens';
  return `clean the transcripts, or ${teach}; ${check}`;
}

function includes(ids: ArrayLike<number>, id: number): boolean {
  for (let i = 0; i < ids.length; i++) if (ids[i] === id) return true;
  return false;
}
