// A worker that turns texts into tokens.
import { type LanguageTokenizerSection, languageTokenizer } from '../../text/index.js';
import { serve } from '../workers/serve.js';
import { type EncodedTexts, encodeTexts } from './encode-texts.js';

serve<LanguageTokenizerSection, readonly string[], EncodedTexts>((section) => {
  const tokenizer = languageTokenizer(section);
  return async (texts) => {
    const value = encodeTexts(tokenizer, texts);
    return { value, transfer: [value.ids.buffer as ArrayBuffer, value.counts.buffer as ArrayBuffer] };
  };
});
