// The tokenizer of a language model: what its section names, or a component of the user's own.
import { hasTarget } from '../config/index.js';
import { type Container, READ_FILE } from '../container/index.js';
import {
  type LanguageTokenizerSection,
  languageTokenizer,
  type Tokenizer,
  tokenizerKind,
} from '../text/index.js';

/** @throws AnemoneError `tokenizer.*` */
export function modelTokenizer(section: unknown, container: Container): Tokenizer {
  if (hasTarget(section)) return container.instantiate(section, tokenizerKind);
  return languageTokenizer(section as LanguageTokenizerSection, container.resolve(READ_FILE));
}
