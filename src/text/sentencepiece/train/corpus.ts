// The training text, counted: lines are normalised and cut into distinct words (or kept whole) with their
// counts, and the characters that the vocabulary must hold are chosen. Both trainers start from here.
import { AnemoneError } from '../../../errors/index.js';
import { CounterRandom } from '../../../random/index.js';
import { DoubleArray } from '../double-array.js';
import { type Normalizer, SPACE_SYMBOL } from '../normalizer.js';
import { splitIntoWords } from '../words.js';
import type { MetaPieces } from './meta-pieces.js';
import type { ResolvedTrainOptions } from './options.js';
import { byCount } from './order.js';
import { UNKNOWN_CODE } from './piece-rules.js';

export interface Corpus {
  /** Distinct words (with their "▁") and how often they occur; rare characters replaced by U+2585. */
  readonly words: ReadonlyMap<string, number>;
  /** How often each word ends a line: what follows a word decides which substrings can branch. */
  readonly finals: ReadonlyMap<string, number>;
  /** Characters the vocabulary must hold, by falling frequency. */
  readonly requiredChars: readonly (readonly [string, number])[];
  /** Lines used. */
  readonly lines: number;
  /** Lines left out for their length. */
  readonly tooLong: number;
}

const UNKNOWN = String.fromCharCode(UNKNOWN_CODE);
/** A character that marks where a special piece stood in the text. */
const BOUNDARY = '\t';

/** Throws `tokenizer.empty-text` when no usable line is left. */
export function readCorpus(options: ResolvedTrainOptions, normalizer: Normalizer, meta: MetaPieces): Corpus {
  const words = new Map<string, number>();
  const finals = new Map<string, number>();
  const replaceMeta = metaReplacer(meta);
  let lines = 0;
  let tooLong = 0;
  const accept = (line: string): boolean => {
    if (line === '' || line.includes(UNKNOWN)) return false;
    if (line.length * 3 > options.maxSentenceLength && Buffer.byteLength(line) > options.maxSentenceLength) {
      tooLong++;
      return false;
    }
    return true;
  };
  for (const line of sample(options, accept)) {
    const text = replaceMeta(normalizer.normalize(line));
    if (text === '') continue;
    lines++;
    const parts = options.splitByWhitespace ? splitIntoWords(text, options) : [text];
    for (const part of parts) words.set(part, (words.get(part) ?? 0) + 1);
    const last = parts[parts.length - 1];
    finals.set(last, (finals.get(last) ?? 0) + 1);
    if (lines % 10_000 === 0) options.onProgress?.({ stage: 'read', pieces: words.size, lines });
  }
  if (lines === 0) {
    throw new AnemoneError({
      code: 'tokenizer.empty-text',
      message:
        tooLong > 0
          ? `all ${tooLong} lines are longer than maxSentenceLength (${options.maxSentenceLength} bytes)`
          : 'there is no text to train a tokenizer on',
      hint: tooLong > 0 ? 'raise maxSentenceLength or split the lines' : 'check the manifest or text file',
    });
  }
  const requiredChars = chooseChars(words, options);
  const knownChars = new Set(requiredChars.map(([char]) => char));
  return {
    words: hideRare(words, knownChars),
    finals: hideRare(finals, knownChars),
    requiredChars,
    lines,
    tooLong,
  };
}

/** All accepted lines, or a reservoir sample of them. */
function* sample(options: ResolvedTrainOptions, accept: (line: string) => boolean): Iterable<string> {
  const size = options.inputSentenceSize;
  if (size === 0) {
    for (const line of options.lines) if (accept(line)) yield line;
    return;
  }
  const random = new CounterRandom(options.seed, 'tokenizer-sample');
  const keptLines: string[] = [];
  let seenLines = 0;
  for (const line of options.lines) {
    if (!accept(line)) continue;
    const place = seenLines < size ? seenLines : random.integer(seenLines, seenLines + 1);
    if (place < size) keptLines[place] = line;
    seenLines++;
  }
  yield* keptLines;
}

/** Characters by falling frequency until they cover enough of the text; asked-for ones first. */
function chooseChars(
  words: ReadonlyMap<string, number>,
  options: ResolvedTrainOptions,
): (readonly [string, number])[] {
  const counts = new Map<string, number>();
  let total = 0;
  for (const [word, count] of words) {
    for (const char of word) {
      if (char === ' ' || char === '\0') continue;
      counts.set(char, (counts.get(char) ?? 0) + count);
      total += count;
    }
  }
  const askedChars = new Map<string, number>();
  for (const char of options.requiredChars) {
    askedChars.set(char, counts.get(char) ?? 0);
    counts.delete(char);
  }
  const chosenChars: (readonly [string, number])[] = [];
  let coveredCount = 0;
  for (const entry of [...byCount(askedChars), ...byCount(counts)]) {
    if (Math.fround(coveredCount / total) >= Math.fround(options.characterCoverage)) break;
    coveredCount += entry[1];
    if (entry[0] !== BOUNDARY) chosenChars.push(entry);
  }
  return byCount(chosenChars);
}

function hideRare(words: ReadonlyMap<string, number>, knownChars: ReadonlySet<string>): Map<string, number> {
  const result = new Map<string, number>();
  for (const [word, count] of words) {
    let shownWord = '';
    for (const char of word) shownWord += knownChars.has(char) ? char : UNKNOWN;
    result.set(shownWord, (result.get(shownWord) ?? 0) + count);
  }
  return result;
}

/** Cuts the special pieces out of a text, so that none of them is learned in parts. */
function metaReplacer(meta: MetaPieces): (text: string) => string {
  const pieces = [...meta.values()].map(({ piece }) => piece).filter((piece) => piece !== SPACE_SYMBOL);
  const encoder = new TextEncoder();
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const trie = DoubleArray.build(pieces.map((piece, i) => [encoder.encode(piece), i] as const));
  const firsts = new Set(pieces.map((piece) => piece[0]));
  return (text) => {
    let suspicious = false;
    for (const first of firsts) suspicious ||= text.includes(first);
    if (!suspicious) return text;
    const bytes = encoder.encode(text);
    let result = '';
    let from = 0;
    for (let at = 0; at < bytes.length; ) {
      if (trie.longestPrefix(bytes, at, bytes.length)) {
        result += decoder.decode(bytes.subarray(from, at)) + BOUNDARY;
        at += trie.matchedLength;
        from = at;
      } else at++;
    }
    return result + decoder.decode(bytes.subarray(from));
  };
}
