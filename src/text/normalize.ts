// Cleaning the texts of manifests before training or scoring: the named SentencePiece normalisations as
// plain functions, and the few steps that speech transcripts commonly want. Each is a choice of the user's;
// none is applied unasked.
import { compiledCharsMap } from './sentencepiece/charsmap.js';
import { Normalizer } from './sentencepiece/normalizer.js';

const normalizers = new Map<string, Normalizer>();

/**
 * Applies `identity`, `nfkc`, `nmt_nfkc`, `nfkc_cf` or `nmt_nfkc_cf` and nothing else: no "▁", spaces kept
 * as they come out. Throws `text.unknown-normalization`.
 */
export function normalizeText(text: string, name = 'nmt_nfkc'): string {
  let normalizer = normalizers.get(name);
  if (normalizer === undefined) {
    normalizer = new Normalizer({
      name,
      precompiledCharsmap: compiledCharsMap(name),
      addDummyPrefix: false,
      removeExtraWhitespaces: false,
      escapeWhitespaces: false,
    });
    normalizers.set(name, normalizer);
  }
  return normalizer.normalize(text);
}

/** Which steps of cleaning a text goes through. */
export interface CleanTextOptions {
  /** Default true. */
  readonly lowercase?: boolean;
  /** Named normalisation to begin with; default `nmt_nfkc`. */
  readonly normalization?: string;
  /** Drops punctuation and symbols; default true. */
  readonly removePunctuation?: boolean;
  /** Characters that `removePunctuation` spares; default the apostrophe and, between letters, the hyphen. */
  readonly keep?: string;
}

/** One line of plain words: normalised, lower-cased, without punctuation, single spaces. */
export function cleanText(text: string, options: CleanTextOptions = {}): string {
  const { lowercase = true, normalization = 'nmt_nfkc', removePunctuation = true, keep = "'-" } = options;
  let result = normalizeText(text, normalization);
  if (lowercase) result = result.toLowerCase();
  if (removePunctuation) {
    result = result.replace(/\u2019/g, "'");
    result = Array.from(result, (c) => (!keep.includes(c) && /[\p{P}\p{S}]/u.test(c) ? ' ' : c)).join('');
    // A kept mark counts only inside a word.
    result = result.replace(/(?<![\p{L}\p{N}])['-]+|['-]+(?![\p{L}\p{N}])/gu, ' ');
  }
  return result.replace(/\s+/gu, ' ').trim();
}
