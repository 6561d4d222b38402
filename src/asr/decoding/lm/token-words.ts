// Which word of a language model stands for which token. NeMo's train_kenlm.py writes the subwords of a BPE
// vocabulary as single characters, id + 100; other models have the tokens themselves as words.
import { AnemoneError, saidBy } from '../../../errors/index.js';
import type { ReadFile, Tokenizer } from '../../../text/index.js';
import { parseArpa } from './arpa.js';
import type { NgramModel } from './ngram-model.js';

/** NeMo's DEFAULT_TOKEN_OFFSET. */
const offset = 100;

/**
 * The word of each token: whichever of both spellings more tokens are known by.
 * @throws AnemoneError `lm.vocabulary` if none is known
 */
export function tokenWords(model: NgramModel, tokenizer: Tokenizer): readonly string[] {
  const ownTokens = tokenizer.vocabulary.slice(0, tokenizer.vocabSize);
  const encoded = ownTokens.map((_, id) => String.fromCodePoint(id + offset));
  const [knownOwn, knownEncoded] = [ownTokens, encoded].map(
    (words) => words.filter((word) => model.has(word)).length,
  );
  if (Math.max(knownOwn, knownEncoded) === 0) {
    throw new AnemoneError({
      code: 'lm.vocabulary',
      message: 'the language model knows none of the tokens of this model',
      hint: 'train it on text cut into tokens, by spelling or as characters of id + 100',
    });
  }
  return knownEncoded > knownOwn ? encoded : ownTokens;
}

/**
 * A language model file and the words of a tokenizer's tokens in it.
 * @throws AnemoneError `lm.missing-file` with the config path, `lm.bad-arpa`, `lm.vocabulary`
 */
export function loadTokenLm(
  file: string,
  tokenizer: Tokenizer,
  readFile: ReadFile,
  path: string,
): { model: NgramModel; words: readonly string[] } {
  let bytes: Uint8Array;
  try {
    bytes = readFile(file);
  } catch (cause) {
    throw new AnemoneError({
      code: 'lm.missing-file',
      path,
      message: `cannot read the language model ${file}${saidBy(cause)}`,
      hint: 'correct the path, name the file yourself (key=value), or leave the key out',
      cause,
    });
  }
  const model = parseArpa(bytes, file);
  return { model, words: tokenWords(model, tokenizer) };
}
