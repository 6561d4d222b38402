// Trains a tokenizer and leaves it in a folder laid out and named as NeMo's process_asr_text_tokenizer.py
// does: `tokenizer_spe_bpe_v128/` with tokenizer.model, tokenizer.vocab and vocab.txt.
import { join } from 'node:path';
import { writeTokenizerFiles } from '../../tokenizer-files.js';
import { SentencePieceTokenizer } from '../sentencepiece-tokenizer.js';
import type { SentencePieceTrainOptions } from './options.js';
import { type TrainedSentencePiece, trainSentencePiece } from './train.js';

/** What the trainer is asked for, and where the folder goes. */
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
