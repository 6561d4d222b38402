// Trains a tokenizer and leaves it in a folder laid out and named as NeMo's process_asr_text_tokenizer.py
// does: `tokenizer_spe_bpe_v128/` with tokenizer.model, tokenizer.vocab and vocab.txt.
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AnemoneError } from '../../../errors/index.js';
import { makeFolder } from '../../../formats/index.js';
import { SentencePieceTokenizer } from '../sentencepiece-tokenizer.js';
import type { SentencePieceTrainOptions } from './options.js';
import { type TrainedSentencePiece, trainSentencePiece } from './train.js';

export interface TokenizerFolderOptions extends SentencePieceTrainOptions {
  /** The folder is made inside this one. */
  readonly dataRoot: string;
}

/** Path of the folder for these options; the length limit is named only when it is given. */
export function tokenizerFolder(
  options: Pick<TokenizerFolderOptions, 'dataRoot' | 'modelType' | 'vocabSize' | 'maxSentencePieceLength'>,
): string {
  const { dataRoot, modelType = 'bpe', vocabSize, maxSentencePieceLength } = options;
  const limit = maxSentencePieceLength === undefined ? '' : `_max${maxSentencePieceLength}`;
  return join(dataRoot, `tokenizer_spe_${modelType}_v${vocabSize}${limit}`);
}

/**
 * Trains and writes; files appear whole or not at all. Returns the folder, ready for `tokenizer.dir`.
 * Throws what `trainSentencePiece` throws, and `tokenizer.cannot-write`.
 */
export function trainTokenizerFolder(
  options: TokenizerFolderOptions,
): TrainedSentencePiece & { readonly dir: string } {
  const trained = trainSentencePiece(options);
  const dir = tokenizerFolder(options);
  writeTokenizerFiles(SentencePieceTokenizer.fromBytes(trained.model), dir);
  return { ...trained, dir };
}

/** Writes the tokenizer's files into `dir`; each appears whole or not at all. Throws `tokenizer.cannot-write`. */
export function writeTokenizerFiles(tokenizer: SentencePieceTokenizer, dir: string): void {
  try {
    makeFolder(dir);
    for (const [name, bytes] of tokenizer.files()) {
      const file = join(dir, name);
      writeFileSync(`${file}.partial`, bytes);
      renameSync(`${file}.partial`, file);
    }
  } catch (cause) {
    throw new AnemoneError({
      code: 'tokenizer.cannot-write',
      message: `cannot write the tokenizer to ${dir}: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: 'check the permissions and the free space there',
      cause,
    });
  }
}
