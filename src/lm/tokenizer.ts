// The tokenizer that a language model's `tokenizer` section asks for, by NeMo's keys.
import { hasTarget } from '../config/index.js';
import { type Container, READ_FILE } from '../container/index.js';
import { AnemoneError } from '../errors/index.js';
import { ByteTokenizer, loadTokenizer, type Tokenizer, tokenizerKind } from '../text/index.js';

/** A checked section, or a component. */
interface Section {
  readonly library: 'megatron' | 'sentencepiece' | 'huggingface' | 'byte-level';
  readonly type: string | null;
  readonly model: string | null;
  readonly vocab_file: string | null;
  readonly merge_file: string | null;
  readonly tokenizer_file: string | null;
}

/** @throws AnemoneError `tokenizer.*` */
export function languageTokenizer(section: unknown, container: Container): Tokenizer {
  if (hasTarget(section)) return container.instantiate(section, tokenizerKind);
  const { library, model } = section as Section;
  const readFile = container.resolve(READ_FILE);
  if (library === 'byte-level') return new ByteTokenizer();
  if (library === 'sentencepiece') {
    if (model) return loadTokenizer({ type: 'bpe', model_path: model }, 'model.tokenizer', readFile);
    throw missing('model', 'library: sentencepiece needs its model');
  }
  throw missing('library', `library: ${library} is not supported yet`, 'sentencepiece and byte-level are');
}

function missing(key: string, message: string, hint?: string): AnemoneError {
  return new AnemoneError({ code: 'tokenizer.bad-option', path: `model.tokenizer.${key}`, message, hint });
}
