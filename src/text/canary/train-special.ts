// Makes the tokenizer of special tokens that multitask models need, in a folder: the vocabulary of NeMo's
// `CanaryTokenizer.build_special_tokenizer`.
import { SentencePieceTokenizer } from '../sentencepiece/sentencepiece-tokenizer.js';
import { trainSentencePiece } from '../sentencepiece/train/train.js';
import { writeTokenizerFiles } from '../tokenizer-files.js';
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
  writeTokenizerFiles(tokenizer, dir);
  return tokenizer.vocabulary;
}
