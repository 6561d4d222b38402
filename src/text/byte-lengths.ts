// How many bytes of text a token stands for: what bits per byte are counted by, where the text itself is not at hand.
import { bytesOfToken } from './bpe/byte-alphabet.js';
import { HuggingFaceTokenizer } from './huggingface/huggingface-tokenizer.js';
import type { Tokenizer } from './tokenizer.js';

const SPACE = /\u2581/g;
const BYTE = /^<0x[0-9A-F]{2}>$/i;

/** Bytes by id: exact over bytes; of SentencePiece but for the space that it puts before a text. Special tokens have none. */
export function byteLengths(tokenizer: Tokenizer): Uint16Array {
  const isByteLevel = tokenizer instanceof HuggingFaceTokenizer && tokenizer.isByteLevel;
  return Uint16Array.from(tokenizer.vocabulary, (token, id) => {
    if (BYTE.test(token)) return 1;
    if (isSpecial(tokenizer, id)) return 0;
    return isByteLevel ? bytesOfToken(token).length : Buffer.byteLength(token.replace(SPACE, ' '));
  });
}

function isSpecial(tokenizer: Tokenizer, id: number): boolean {
  if (tokenizer instanceof HuggingFaceTokenizer) return tokenizer.isSpecial(id);
  return [tokenizer.unkId, tokenizer.bosId, tokenizer.eosId, tokenizer.padId].includes(id);
}
