// What a user can ask of the SentencePiece trainers, with defaults and their limits. Defaults follow
// spm_train, except the character coverage, which is NeMo's 1.0.
import { AnemoneError } from '../../../errors/index.js';
import type { SentencePieceModelType } from '../../../formats/index.js';
import { normalizationNames } from '../charsmap.js';

/** What spm_train is asked for, in camelCase. Defaults are spm_train's, but for `characterCoverage`. */
export interface SentencePieceTrainOptions {
  /** The text, a sentence a line, without line ends. Read once. */
  readonly lines: Iterable<string>;
  /** Size of the vocabulary, special pieces included. */
  readonly vocabSize: number;
  /** Default `bpe`. */
  readonly modelType?: SentencePieceModelType;
  /** Share of the text's characters that must be in the vocabulary, 0.98 to 1; default 1. The rest is unknown. */
  readonly characterCoverage?: number;
  /** `identity`, `nfkc`, `nmt_nfkc` (default), `nfkc_cf` or `nmt_nfkc_cf` (these two also fold case). */
  readonly normalization?: string;
  readonly addDummyPrefix?: boolean;
  readonly removeExtraWhitespaces?: boolean;
  /** Ids of the special pieces; -1 leaves one out. Default 0, 1, 2, -1. */
  readonly unkId?: number;
  readonly bosId?: number;
  readonly eosId?: number;
  readonly padId?: number;
  readonly unkPiece?: string;
  readonly bosPiece?: string;
  readonly eosPiece?: string;
  readonly padPiece?: string;
  /** What an unknown token decodes to; default " ⁇ ". */
  readonly unkSurface?: string;
  /** Pieces that no text becomes: language marks and the like. */
  readonly controlSymbols?: readonly string[];
  /** Pieces that are always cut out whole. */
  readonly userDefinedSymbols?: readonly string[];
  /** Characters that must be in the vocabulary whatever their frequency. */
  readonly requiredChars?: string;
  /** Longest piece in characters; default 16. */
  readonly maxSentencePieceLength?: number;
  readonly splitByUnicodeScript?: boolean;
  readonly splitByNumber?: boolean;
  readonly splitByWhitespace?: boolean;
  /** Every digit is a piece of its own; default false. */
  readonly splitDigits?: boolean;
  readonly treatWhitespaceAsSuffix?: boolean;
  readonly allowWhitespaceOnlyPieces?: boolean;
  /** Unknown characters become byte pieces (256 more pieces); default false. */
  readonly byteFallback?: boolean;
  /** Fail when the data cannot fill the vocabulary (default); else make a smaller one. */
  readonly hardVocabLimit?: boolean;
  /** Lines longer than this many UTF-8 bytes are left out and counted; default 4192. */
  readonly maxSentenceLength?: number;
  /** Train on a random sample of so many lines; 0 (default) takes all. */
  readonly inputSentenceSize?: number;
  /** Chooses the sample; default 0. */
  readonly seed?: number;
  /** Unigram only: candidates to begin with; default 1,000,000. */
  readonly seedSentencePieceSize?: number;
  /** Unigram only: share of the pieces kept in each round of pruning; default 0.75. */
  readonly shrinkingFactor?: number;
  /** Unigram only: EM steps between prunings; default 2. */
  readonly numSubIterations?: number;
  /** Told now and then how far the training is. */
  readonly onProgress?: (progress: TrainProgress) => void;
}

/** How far a training has come: `em` belongs to unigram models, `merge` to BPE. */
export interface TrainProgress {
  readonly stage: 'read' | 'seed' | 'em' | 'merge';
  /** Pieces that there are now. */
  readonly pieces: number;
  readonly lines: number;
}

export type ResolvedTrainOptions = Required<Omit<SentencePieceTrainOptions, 'onProgress'>> &
  Pick<SentencePieceTrainOptions, 'onProgress'>;

/** Fills in defaults and checks ranges. Throws `tokenizer.bad-option`. */
export function resolveTrainOptions(options: SentencePieceTrainOptions): ResolvedTrainOptions {
  const resolved: ResolvedTrainOptions = {
    modelType: 'bpe',
    characterCoverage: 1,
    normalization: 'nmt_nfkc',
    addDummyPrefix: true,
    removeExtraWhitespaces: true,
    unkId: 0,
    bosId: 1,
    eosId: 2,
    padId: -1,
    unkPiece: '<unk>',
    bosPiece: '<s>',
    eosPiece: '</s>',
    padPiece: '<pad>',
    unkSurface: ' \u2047 ',
    controlSymbols: [],
    userDefinedSymbols: [],
    requiredChars: '',
    maxSentencePieceLength: 16,
    splitByUnicodeScript: true,
    splitByNumber: true,
    splitByWhitespace: true,
    splitDigits: false,
    treatWhitespaceAsSuffix: false,
    allowWhitespaceOnlyPieces: false,
    byteFallback: false,
    hardVocabLimit: true,
    maxSentenceLength: 4192,
    inputSentenceSize: 0,
    seed: 0,
    seedSentencePieceSize: 1_000_000,
    shrinkingFactor: 0.75,
    numSubIterations: 2,
    ...withoutUndefined(options),
  };
  if (!['bpe', 'unigram', 'char', 'word'].includes(resolved.modelType)) {
    throw bad('modelType', `"${resolved.modelType}" is not a model type`, 'bpe, unigram, char or word');
  }
  if (!normalizationNames.includes(resolved.normalization)) {
    throw bad(
      'normalization',
      `unknown normalization "${resolved.normalization}"`,
      normalizationNames.join(', '),
    );
  }
  checkRange(resolved, 'vocabSize', 1, 2 ** 24, true);
  checkRange(resolved, 'characterCoverage', 0.98, 1, false);
  checkRange(resolved, 'maxSentencePieceLength', 1, 512, true);
  checkRange(resolved, 'maxSentenceLength', 10, 2 ** 30, true);
  checkRange(resolved, 'numSubIterations', 1, 10, true);
  checkRange(resolved, 'shrinkingFactor', 0.5, 0.95, false);
  checkRange(resolved, 'seedSentencePieceSize', 1, 2 ** 26, true);
  checkRange(resolved, 'inputSentenceSize', 0, Number.MAX_SAFE_INTEGER, true);
  return resolved;
}

type NumberOption =
  | 'vocabSize'
  | 'characterCoverage'
  | 'maxSentencePieceLength'
  | 'maxSentenceLength'
  | 'numSubIterations'
  | 'shrinkingFactor'
  | 'seedSentencePieceSize'
  | 'inputSentenceSize';

function checkRange(
  options: ResolvedTrainOptions,
  name: NumberOption,
  min: number,
  max: number,
  isWhole: boolean,
): void {
  const value = options[name];
  if (value >= min && value <= max && (!isWhole || Number.isInteger(value))) return;
  throw bad(name, `${value} is out of range`, `${isWhole ? 'a whole number ' : ''}from ${min} to ${max}`);
}

function withoutUndefined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}

function bad(path: string, message: string, expectation: string): AnemoneError {
  return new AnemoneError({ code: 'tokenizer.bad-option', path, message, hint: `expected ${expectation}` });
}
