// Tokenizers as a kind of component.
import { defineKind } from '../container/index.js';
import type { Tokenizer } from './tokenizer.js';

/**
 * The kind of components that build tokenizers, for tokenizers of the user's own: `tokenizer: {_target_:
 * MyTokenizer}`.
 */
export const tokenizerKind = defineKind<Tokenizer>('tokenizer', 'a tokenizer');
