// The `pre_tokenizer` of tokenizer.json: a text becomes pieces, over whose borders nothing is merged.
import { bytesAsCharacters } from '../bpe/byte-alphabet.js';
import type { JsonNode } from './json-node.js';
import { compilePattern, literalPattern } from './pattern.js';
import { behaviorOf, patternOf, type Splitter, splitterBy } from './splitting.js';

/** Cuts pieces of a text further. `startsText`: the first of them begins the text. */
export type PreTokenizer = (pieces: readonly string[], startsText: boolean) => readonly string[];

/** How a text is cut, and whether the bytes of the pieces are written as characters at the end. */
export interface Cutting {
  readonly cut: PreTokenizer;
  /** Left to the model, which then keeps words with their ids before their bytes are written out. */
  readonly writesBytes: boolean;
}

/** The words of GPT-2. */
export const GPT2_WORDS =
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

const gpt2 = () => splitterBy(compilePattern(GPT2_WORDS), 'Isolated');
const SPACE = /\p{White_Space}/gu;
const ASCII_PUNCTUATION = '!-\\/:-@[-`{-~';
const PUNCTUATION = new RegExp(`[${ASCII_PUNCTUATION}\\p{P}]`, 'gu');

const each =
  (split: Splitter): PreTokenizer =>
  (pieces) =>
    pieces.length === 1 ? split(pieces[0]) : pieces.flatMap(split);

const by = (expression: RegExp, ...how: [Parameters<typeof splitterBy>[1], boolean?]): PreTokenizer =>
  each(splitterBy({ expression, mayRunAway: false }, ...how));

const KINDS: Readonly<Record<string, (node: JsonNode) => PreTokenizer>> = {
  ByteLevel: (node) => {
    const words = byteLevelWords(node);
    return (pieces, startsText) => words(pieces, startsText).map(bytesAsCharacters);
  },
  Split: (node) =>
    each(
      splitterBy(
        patternOf(node.field('pattern')),
        behaviorOf(node.field('behavior'), 'Isolated'),
        node.field('invert').flag(false),
      ),
    ),
  Metaspace: metaspace,
  Whitespace: () => by(/[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu, 'Removed', true), // biome-ignore format: one line
  WhitespaceSplit: () => by(SPACE, 'Removed'),
  Digits: (node) => by(/\p{N}/gu, node.field('individual_digits').flag(false) ? 'Isolated' : 'Contiguous'),
  Punctuation: (node) => by(PUNCTUATION, behaviorOf(node.field('behavior'), 'Isolated')),
  BertPreTokenizer: () => {
    const [words, marks] = [by(SPACE, 'Removed'), by(PUNCTUATION, 'Isolated')];
    return (pieces, startsText) => marks(words(pieces, startsText), startsText);
  },
  CharDelimiterSplit: (node) => each(splitterBy(literalPattern(node.field('delimiter').text()), 'Removed')),
  Sequence: (node) => sequence(node.field('pretokenizers').items().map(preTokenizerOf)),
};

/** @throws AnemoneError `tokenizer.unsupported`, `tokenizer.damaged`, `tokenizer.pattern` */
export function cuttingOf(node: JsonNode): Cutting {
  if (node.isAbsent) return { cut: (pieces) => pieces, writesBytes: false };
  const kind = node.field('type').text();
  if (kind === 'ByteLevel') return { cut: byteLevelWords(node), writesBytes: true };
  if (kind !== 'Sequence') return { cut: preTokenizerOf(node), writesBytes: false };
  const steps = node.field('pretokenizers').items();
  if (steps.length === 0) return { cut: (pieces) => pieces, writesBytes: false };
  const last = cuttingOf(steps[steps.length - 1]);
  const before = steps.slice(0, -1).map(preTokenizerOf);
  return { cut: sequence([...before, last.cut]), writesBytes: last.writesBytes };
}

function preTokenizerOf(node: JsonNode): PreTokenizer {
  const kind = node.field('type').text();
  if (!Object.hasOwn(KINDS, kind)) throw node.unsupported(`the pre-tokenizer ${kind}`, Object.keys(KINDS));
  return KINDS[kind](node);
}

function sequence(steps: readonly PreTokenizer[]): PreTokenizer {
  return (pieces, startsText) => steps.reduce((current, step) => step(current, startsText), pieces);
}

/** The words of ByteLevel, their bytes not yet written as characters. */
function byteLevelWords(node: JsonNode): PreTokenizer {
  const addsSpace = node.field('add_prefix_space').flag(true);
  const split = node.field('use_regex').flag(true) ? gpt2() : undefined;
  return (pieces) => {
    const spaced = addsSpace ? pieces.map((piece) => (piece.startsWith(' ') ? piece : ` ${piece}`)) : pieces;
    return split ? each(split)(spaced, false) : spaced;
  };
}

/** SentencePiece's spaces. Files of before version 0.14 say add_prefix_space instead of prepend_scheme. */
function metaspace(node: JsonNode): PreTokenizer {
  const replacement = node.field('replacement').text('\u2581');
  const older = node.field('add_prefix_space').flag(true) ? 'always' : 'never';
  const scheme = node.field('prepend_scheme').text(older).toLowerCase();
  if (!['always', 'first', 'never'].includes(scheme)) throw node.unsupported(`prepend_scheme "${scheme}"`, ['always', 'first', 'never']); // biome-ignore format: one line
  const split = node.field('split').flag(true)
    ? splitterBy(literalPattern(replacement), 'MergedWithNext')
    : (text: string) => [text];
  return (pieces, startsText) =>
    pieces.flatMap((piece, i) => {
      const spaced = piece.replaceAll(' ', replacement);
      const prepends = scheme === 'always' || (scheme === 'first' && i === 0 && startsText);
      return split(prepends && !spaced.startsWith(replacement) ? replacement + spaced : spaced);
    });
}
