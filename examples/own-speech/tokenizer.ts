// A tokenizer of your own: letters, whatever their case. `tokenizer: {_target_: Letters, letters: abc}`.
import { defineSchema } from '../../src/config/index.js';
import { component } from '../../src/container/index.js';
import { CharTokenizer, tokenizerKind } from '../../src/text/index.js';

class Letters extends CharTokenizer {
  override textToIds(text: string): number[] {
    return super.textToIds(text.toLowerCase());
  }
}

export const letters = component({
  kind: tokenizerKind,
  name: 'Letters',
  schema: defineSchema('Letters', { letters: { doc: 'Each is a token.', format: 'string' } }),
  create: ({ letters }) => new Letters([...letters]),
});
