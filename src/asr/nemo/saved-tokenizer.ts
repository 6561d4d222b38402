// How NeMo's configs describe a tokenizer: its kind, and files that lie in the archive.
import { isMapping } from '../../config/index.js';
import { AnemoneError } from '../../errors/index.js';
import {
  AggregateTokenizer,
  CanaryBPETokenizer,
  CanaryTokenizer,
  CharTokenizer,
  SentencePieceTokenizer,
  type Tokenizer,
  WordPieceTokenizer,
  WordTokenizer,
} from '../../text/index.js';

type Plain = Readonly<Record<string, unknown>>;

const CANARY = 'nemo.collections.common.tokenizers.canary_tokenizer';

/** Gives a file a place in the archive; returns how the config refers to it. */
export type Register = (file: string, bytes: Uint8Array) => string;

/**
 * The section that NeMo makes this tokenizer of.
 * @param writtenSection the section as the model has it
 * @throws AnemoneError `nemo.not-nemos` for tokenizers that NeMo's speech models do not have
 */
export function tokenizerSection(tokenizer: Tokenizer, writtenSection: Plain, register: Register): Plain {
  refuseForeign(tokenizer, 'type');
  const files = tokenizer.files();
  if (!(tokenizer instanceof AggregateTokenizer)) {
    const custom = tokenizer instanceof CanaryBPETokenizer && {
      custom_tokenizer: { _target_: `${CANARY}.CanaryBPETokenizer` },
    };
    const { dir = null } = writtenSection;
    return { ...filesOf(files, '', register), ...kindOf(tokenizer, writtenSection), dir, ...custom };
  }
  const langs: Record<string, Plain> = {};
  const { langs: sections } = writtenSection;
  for (const lang of tokenizer.langs) {
    refuseForeign(tokenizer.tokenizerOf(lang), `langs.${lang}.type`);
    const section = isMapping(sections) ? sections[lang] : undefined;
    const kind = kindOf(tokenizer.tokenizerOf(lang), isMapping(section) ? section : {});
    langs[lang] = { ...filesOf(files, `${lang}/`, register), ...kind, dir: null };
  }
  const custom = tokenizer instanceof CanaryTokenizer && {
    custom_tokenizer: { _target_: `${CANARY}.CanaryTokenizer`, tokenizers: null },
  };
  return { type: 'agg', dir: null, langs, ...custom };
}

/** NeMo passes over `lowercase`, which only training follows. */
function kindOf(tokenizer: Tokenizer, writtenSection: Plain): Plain {
  if (!(tokenizer instanceof WordPieceTokenizer)) return { type: 'bpe' };
  return { type: 'wpe', ...(writtenSection['lowercase'] === true && { lowercase: true }) };
}

/** NeMo makes exactly these; a class that extends one of them is another one. */
const NEMOS: readonly unknown[] = [
  SentencePieceTokenizer,
  WordPieceTokenizer,
  AggregateTokenizer,
  CanaryTokenizer,
  CanaryBPETokenizer,
];

function refuseForeign(tokenizer: Tokenizer, key: string): void {
  if (NEMOS.includes(tokenizer.constructor)) return;
  const isWord = tokenizer.constructor === WordTokenizer;
  const isPlain = isWord || tokenizer.constructor === CharTokenizer;
  const { name } = tokenizer.constructor;
  const kind = isPlain ? `${isWord ? 'word' : 'character'} tokenizer` : name;
  throw new AnemoneError({
    code: 'nemo.not-nemos',
    path: `model.tokenizer.${isPlain ? key : '_target_'}`,
    message: `NeMo has no ${kind} for such speech models, so it could not restore this model`,
    ...(!isPlain && { hint: 'export it, or keep its checkpoints: they have all that this library needs' }),
  });
}

function filesOf(files: ReadonlyMap<string, Uint8Array>, folder: string, register: Register): Plain {
  const keys = {
    model_path: 'tokenizer.model',
    vocab_path: 'vocab.txt',
    spe_tokenizer_vocab: 'tokenizer.vocab',
  };
  const section: Record<string, unknown> = {};
  for (const [key, file] of Object.entries(keys)) {
    const bytes = files.get(folder + file);
    if (bytes) section[key] = register(file, bytes);
  }
  return section;
}
