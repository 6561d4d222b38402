// Makes the tokenizer of special tokens that multitask models need, in a folder: the vocabulary of NeMo's
// `CanaryTokenizer.build_special_tokenizer`.
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AnemoneError } from '../../errors/index.js';
import { makeFolder } from '../../formats/index.js';
import { SentencePieceTokenizer } from '../sentencepiece/sentencepiece-tokenizer.js';
import { trainSentencePiece } from '../sentencepiece/train/train.js';
import { DEFAULT_SPECIAL_TOKENS, specialToken } from './special-tokens.js';

/**
 * Writes tokenizer.model and its companions to `dir`. `tokens` are added to the default ones, `en` as `<|en|>`.
 * Returns the vocabulary. Throws `tokenizer.cannot-write`.
 */
export function trainSpecialTokenizer(tokens: readonly string[], dir: string): readonly string[] {
  const symbols = [...new Set([...DEFAULT_SPECIAL_TOKENS, ...tokens.map(specialToken)])];
  // Beside the symbols there is <unk>, and the space that the trainer finds before each of them.
  const { model } = trainSentencePiece({
    lines: symbols,
    vocabSize: symbols.length + 2,
    modelType: 'unigram',
    userDefinedSymbols: symbols,
    bosId: -1,
    eosId: -1,
    removeExtraWhitespaces: false,
    hardVocabLimit: false,
  });
  const tokenizer = SentencePieceTokenizer.fromBytes(model);
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
  return tokenizer.vocabulary;
}
