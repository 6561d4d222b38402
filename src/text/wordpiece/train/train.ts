// Trains a WordPiece vocabulary as NeMo's process_asr_text_tokenizer.py does with --tokenizer=wpe, and leaves it in the
// same folder: `tokenizer_wpe_v128/vocab.txt`. The learning itself is in learn-pieces.ts.
import { join } from 'node:path';
import { AnemoneError } from '../../../errors/index.js';
import { writeTokenizerFiles } from '../../tokenizer-files.js';
import { basicTokens } from '../basic-tokens.js';
import { WordPieceTokenizer } from '../wordpiece-tokenizer.js';
import { learnPieces } from './learn-pieces.js';

/** What a WordPiece vocabulary is learned from, and how large it gets. */
export interface WordPieceTrainOptions {
  /** The text, a sentence a line. Read once. */
  readonly lines: Iterable<string>;
  /**
   * Size of the vocabulary, special tokens included. It gets smaller when the text runs out of pairs, and larger when it
   * has more characters than that.
   */
  readonly vocabSize: number;
  /** Lower-case the text and strip its accents; for a tokenizer that is used with `lowercase`. Default false. */
  readonly lowercase?: boolean;
  /** Pieces that occur less often are not joined. Default 2. */
  readonly minFrequency?: number;
  /** Most characters; the rest are unknown. Default 1000. */
  readonly limitAlphabet?: number;
}

/** A learned vocabulary, and what it was learned from. */
export interface TrainedWordPiece {
  /** Pieces in the order of their ids. */
  readonly pieces: readonly string[];
  /** Lines read. */
  readonly lines: number;
}

const SPECIAL_TOKENS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];

/**
 * The same lines and options give the same vocabulary.
 * @throws AnemoneError `tokenizer.bad-option`, `tokenizer.empty-text`
 */
export function trainWordPiece(options: WordPieceTrainOptions): TrainedWordPiece {
  const { vocabSize, minFrequency = 2, limitAlphabet = 1000, lowercase = false } = options;
  for (const [path, value] of Object.entries({ vocabSize, minFrequency, limitAlphabet })) {
    if (Number.isInteger(value) && value >= 1) continue;
    throw new AnemoneError({
      code: 'tokenizer.bad-option',
      path,
      message: `expected an integer ≥ 1, got ${String(value)}`,
    });
  }
  const words = new Map<string, number>();
  let lines = 0;
  for (const line of options.lines) {
    lines++;
    for (const word of basicTokens(line, { lowercase })) words.set(word, (words.get(word) ?? 0) + 1);
  }
  if (words.size === 0) {
    throw new AnemoneError({
      code: 'tokenizer.empty-text',
      message: 'there is no word in the text to train on',
    });
  }
  const specialTokens = SPECIAL_TOKENS;
  return { pieces: learnPieces(words, { vocabSize, minFrequency, limitAlphabet, specialTokens }), lines };
}

/** What the trainer is asked for, and where the folder goes. */
export interface WordPieceFolderOptions extends WordPieceTrainOptions {
  /** The folder is made inside this one. */
  readonly dataRoot: string;
}

/**
 * Trains and writes; the file appears whole or not at all. Returns the folder, ready for `tokenizer.dir` with
 * `type: wpe`. Throws what `trainWordPiece` throws, and `tokenizer.cannot-write`.
 */
export function trainWordPieceFolder(
  options: WordPieceFolderOptions,
): TrainedWordPiece & { readonly dir: string } {
  const trained = trainWordPiece(options);
  const dir = join(options.dataRoot, `tokenizer_wpe_v${options.vocabSize}`);
  writeTokenizerFiles(new WordPieceTokenizer(trained.pieces), dir);
  return { ...trained, dir };
}
