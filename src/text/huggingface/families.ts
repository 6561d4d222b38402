// How families of models cut texts before their merges, as steps of tokenizer.json, for files that hold vocabulary and merges
// alone: GPT-2's, tiktoken's, GGUF's.
import { GPT2_WORDS } from './pre-tokenizers.js';

const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const REST = '\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';
/** Words of Llama 3, with so many digits at once. */
const llama3Words = (digits: string, rest = REST): string =>
  `${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|${rest}`;
const UPPER = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]';
const LOWER = '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]';
/** Words of o200k: a change from lower to upper case ends one. */
const o200kWords = (ending: string, digits: string): string =>
  `[^\\r\\n\\p{L}\\p{N}]?${UPPER}*${LOWER}+${ending}|[^\\r\\n\\p{L}\\p{N}]?${UPPER}+${LOWER}*${ending}|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${REST}`; // biome-ignore format: one line

const DEEPSEEK = [
  '\\p{N}{1,3}',
  '[一-龥\u3040-ゟ゠-ヿ]+',
  '[!"#$%&\'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+',
];

/** Patterns that cut one after the other, by the name of the words; `gpt2` is the last of them where it stands. */
const WORDS = {
  gpt2: [GPT2_WORDS],
  'gpt2-digits': ['\\p{N}', GPT2_WORDS],
  llama3: [llama3Words('\\p{N}{1,3}')],
  // White space at the end of a text is one word.
  cl100k: [llama3Words('\\p{N}{1,3}', `\\s+\\z|${REST}`)],
  qwen2: [llama3Words('\\p{N}')],
  o200k: [o200kWords(`${CONTRACTIONS}?`, '\\p{N}{1,3}')],
  tekken: [o200kWords('', '\\p{N}')],
  deepseek: DEEPSEEK,
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** Names of how texts are cut before byte-level BPE. */
export type WordPatternName = keyof typeof WORDS;

/** All of them. */
export const wordPatternNames = Object.keys(WORDS) as readonly WordPatternName[];

/** The `pre_tokenizer` of byte-level BPE. */
export function byteLevelWords(
  name: WordPatternName,
  addPrefixSpace = false,
): Readonly<Record<string, unknown>> {
  const byteLevel = { type: 'ByteLevel', add_prefix_space: addPrefixSpace, trim_offsets: true };
  if (name === 'gpt2') return { ...byteLevel, use_regex: true };
  const splits = WORDS[name].map((Regex) => ({
    type: 'Split',
    pattern: { Regex },
    behavior: 'Isolated',
    invert: false,
  }));
  return { type: 'Sequence', pretokenizers: [...splits, { ...byteLevel, use_regex: false }] };
}

/** What a tokenizer of byte-level BPE is made of. */
export interface ByteLevelParts {
  readonly vocabulary: Readonly<Record<string, number>> | ReadonlyMap<string, number>;
  /** Pairs in the order in which they were learned, also as texts with a space between the two. */
  readonly merges: readonly (readonly [string, string])[] | readonly string[];
  readonly words: WordPatternName;
  /** Tokens that stand for themselves, and their ids. */
  readonly specials: ReadonlyMap<string, number>;
  /** Words that are tokens are not merged. */
  readonly wordsFirst?: boolean;
  /** Unicode's normal form, done first. */
  readonly normalizer?: 'NFC' | 'NFKC' | undefined;
  readonly addPrefixSpace?: boolean;
}

/** A tokenizer.json of byte-level BPE, as Hugging Face's tokenizers writes it. */
export function byteLevelJson(parts: ByteLevelParts): Readonly<Record<string, unknown>> {
  const { vocabulary, merges, words, specials, wordsFirst = false, normalizer, addPrefixSpace } = parts;
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: addedTokens(specials),
    normalizer: normalizer ? { type: normalizer } : null,
    pre_tokenizer: byteLevelWords(words, addPrefixSpace),
    post_processor: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: false, use_regex: true },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: wordsFirst,
      vocab: vocabulary,
      merges,
    },
  };
}

/** Special tokens as tokenizer.json lists them, in the order of their ids. */
export function addedTokens(
  specials: ReadonlyMap<string, number>,
): readonly Readonly<Record<string, unknown>>[] {
  return [...specials]
    .sort(([, a], [, b]) => a - b)
    .map(([content, id]) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    }));
}
