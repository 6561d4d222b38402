// Many texts to tokens at once: what a worker of `preprocess` is asked for.
import { HuggingFaceTokenizer, IdBuffer, type Tokenizer } from '../../text/index.js';

/** Tokens of texts, one after the other. */
export interface EncodedTexts {
  readonly ids: Int32Array;
  /** Tokens of each text. */
  readonly counts: Int32Array;
}

export function encodeTexts(tokenizer: Tokenizer, texts: readonly string[]): EncodedTexts {
  const ids = new IdBuffer();
  const counts = new Int32Array(texts.length);
  const encode = (text: string): ArrayLike<number> =>
    tokenizer instanceof HuggingFaceTokenizer ? tokenizer.encode(text) : tokenizer.textToIds(text);
  for (const [i, text] of texts.entries()) {
    const own = encode(text);
    counts[i] = own.length;
    ids.pushAll(own);
  }
  return { ids: ids.view().slice(), counts };
}
