// From a config's `tokenizer:` section (or `labels:`) to a Tokenizer. Reading goes through a function, so
// that a checkpoint's own copies can take the place of files on disk.
import { join } from 'node:path';
import { defineSchema, listOf, parseJson, requireMapping } from '../config/index.js';
import type { ReadFile } from '../container/index.js';
import { AnemoneError, didYouMean, saidBy } from '../errors/index.js';
import { decodeUtf8, readRegularFileSync, readSentencePieceModel } from '../formats/index.js';
import { AggregateTokenizer } from './aggregate-tokenizer.js';
import { CanaryBPETokenizer } from './canary/canary-bpe-tokenizer.js';
import { CanaryTokenizer } from './canary/canary-tokenizer.js';
import { CharTokenizer } from './char-tokenizer.js';
import { SentencePieceTokenizer } from './sentencepiece/sentencepiece-tokenizer.js';
import type { Tokenizer } from './tokenizer.js';
import { WordTokenizer } from './word-tokenizer.js';
import { WordPieceTokenizer } from './wordpiece/wordpiece-tokenizer.js';

/** NeMo's `model.tokenizer`, with `char` and `word` added. */
export interface TokenizerConfig {
  /** Folder with `tokenizer.model`; or give `model_path`. */
  readonly dir?: string | null;
  /** `bpe` for SentencePiece of any kind (also `spe`, `unigram`); `wpe` for WordPiece; `char`, `word`, `agg`. */
  readonly type: string;
  /** NeMo's class in its place; see `tokenizerTypeOf`. */
  readonly _target_?: string | null;
  readonly model_path?: string | null;
  /** `word` and `wpe`: the vocabulary, a token a line; else only kept for NeMo's sake. */
  readonly vocab_path?: string | null;
  /** `char`: the labels. */
  readonly labels?: readonly string[] | null;
  readonly unk_token?: string | null;
  readonly lowercase?: boolean;
  /** `wpe`: special tokens of other names, which are not supported. */
  readonly hf_kwargs?: Readonly<Record<string, unknown>> | null;
  /** `agg`: a section for each language, in the order of their ids. */
  readonly langs?: Readonly<Record<string, TokenizerConfig>> | null;
  /** NeMo's classes for multitask models: CanaryTokenizer (with `agg`) or CanaryBPETokenizer (with `bpe`). */
  readonly custom_tokenizer?: { readonly _target_?: string } | null;
}

const sentencePieceTypes = ['bpe', 'spe', 'unigram', 'sentencepiece'];
const knownTypes = [...sentencePieceTypes, 'wpe', 'char', 'word', 'agg'];
/** NeMo's classes, whose paths may stand where the type does. */
const typesOfClasses: Readonly<Record<string, string>> = {
  SentencePieceTokenizer: 'bpe',
  AutoTokenizer: 'wpe',
  WordPieceTokenizer: 'wpe',
  CharTokenizer: 'char',
  WordTokenizer: 'word',
  AggregateTokenizer: 'agg',
};

/** The type that a class of NeMo's stands for, by the last part of its path; undefined for other classes. */
export function tokenizerTypeOf(className: string): string | undefined {
  const name = className.slice(className.lastIndexOf('.') + 1);
  return Object.hasOwn(typesOfClasses, name) ? typesOfClasses[name] : undefined;
}

/** The type that a section asks for, in small letters. */
function typeOf({ _target_: target, type }: Pick<TokenizerConfig, '_target_' | 'type'>): string {
  const writtenName = target ?? type;
  return tokenizerTypeOf(writtenName) ?? writtenName.toLowerCase();
}

/** What is wrong with the type of a section; undefined where nothing is. Its path is the key. */
export function tokenizerTypeProblem(
  config: Pick<TokenizerConfig, '_target_' | 'type'>,
): AnemoneError | undefined {
  const type = typeOf(config);
  if (knownTypes.includes(type)) return undefined;
  return new AnemoneError({
    code: 'tokenizer.unknown-type',
    path: config._target_ ? '_target_' : 'type',
    message: `unknown tokenizer type "${config._target_ ?? config.type}"`,
    hint: didYouMean(type, knownTypes) ?? `one of ${knownTypes.join(', ')}`,
  });
}

/** What NeMo passes on that changes nothing here. */
const harmlessKeywords = ['use_fast', 'pretrained_model_name'];

/**
 * The tokenizer that a config's `tokenizer` section describes.
 * @param path where the section stands in the config, for messages; default `tokenizer`
 * @param readFile reads a file's bytes; default from disk
 * @throws AnemoneError `tokenizer.unknown-type`, `tokenizer.bad-option`, `tokenizer.missing-file` and what the
 *   tokenizer throws
 */
export function loadTokenizer(
  config: TokenizerConfig,
  path = 'tokenizer',
  readFile: ReadFile = (file) => readRegularFileSync(file),
): Tokenizer {
  checkSection(config, path);
  const type = typeOf(config);
  if (sentencePieceTypes.includes(type)) {
    const file = config.model_path ?? (config.dir ? join(config.dir, 'tokenizer.model') : undefined);
    if (!file) {
      throw new AnemoneError({
        code: 'tokenizer.bad-option',
        path: `${path}.dir`,
        message: 'neither `dir` nor `model_path` says where the tokenizer is',
        hint: 'train one with `anemone tokenizer train` and give its folder as `dir`',
      });
    }
    const key = config.model_path ? 'model_path' : 'dir';
    const bytes = read(file, 'tokenizer.model', `${path}.${key}`, readFile);
    if (customName(config, path, ['CanaryBPETokenizer'])) {
      return new CanaryBPETokenizer(readSentencePieceModel(bytes, file), bytes);
    }
    return SentencePieceTokenizer.fromBytes(bytes, file);
  }
  if (type === 'char') {
    return new CharTokenizer(charLabels(config, path, readFile), {
      unkToken: config.unk_token ?? undefined,
      lowercase: config.lowercase ?? false,
    });
  }
  if (type === 'word') {
    const file = config.vocab_path ?? join(config.dir ?? '.', 'vocab.txt');
    const key = config.vocab_path ? 'vocab_path' : 'dir';
    const words = splitLines(read(file, 'vocab.txt', `${path}.${key}`, readFile), file);
    return new WordTokenizer(words, { unkToken: config.unk_token ?? undefined });
  }
  if (type === 'wpe') {
    refuseKeywords(config, path);
    const file = config.vocab_path ?? (config.dir ? join(config.dir, 'vocab.txt') : undefined);
    if (!file) {
      throw new AnemoneError({
        code: 'tokenizer.bad-option',
        path: `${path}.dir`,
        message: 'neither `dir` nor `vocab_path` says where the vocabulary is',
      });
    }
    const bytes = read(file, 'vocab.txt', `${path}.${config.vocab_path ? 'vocab_path' : 'dir'}`, readFile);
    return WordPieceTokenizer.fromBytes(bytes, { lowercase: config.lowercase ?? false }, file);
  }
  if (type === 'agg') {
    const langs = Object.entries(config.langs ?? {});
    const strangeMember = langs.find(([lang]) => !/^[\p{L}\p{N}_-]+$/u.test(lang));
    if (strangeMember) {
      throw new AnemoneError({
        code: 'tokenizer.bad-option',
        path: `${path}.langs`,
        message: `${JSON.stringify(strangeMember[0])} is no name for a language`,
        hint: 'use letters, digits, - and _',
      });
    }
    const members = langs.map(([lang, section]) => {
      const readOwn: ReadFile = (file, name) => readFile(file, `${lang}/${name}`);
      return [lang, loadTokenizer(section, `${path}.langs.${lang}`, readOwn)] as const;
    });
    const custom = customName(config, path, ['CanaryTokenizer']);
    return custom ? new CanaryTokenizer(members) : new AggregateTokenizer(members);
  }
  const { code, path: key, reason: message, hint } = tokenizerTypeProblem(config) as AnemoneError;
  throw new AnemoneError({ code, path: `${path}.${key}`, message, hint });
}

const optionalText = { format: 'string', nullable: true, optional: true } as const;

/** What every section has; the schemas of models tell the rest. */
const sectionShape = defineSchema(
  'tokenizer',
  {
    type: { doc: 'Kind of tokenizer.', format: 'string', default: 'bpe' },
    _target_: { doc: 'Its class.', ...optionalText },
    dir: { doc: 'Folder of its files.', ...optionalText },
    model_path: { doc: 'Its model.', ...optionalText },
    vocab_path: { doc: 'Its vocabulary.', ...optionalText },
    unk_token: { doc: 'Its unknown token.', ...optionalText },
    labels: { doc: 'Its labels.', format: listOf('string'), nullable: true, optional: true },
    langs: { doc: 'A section a language.', format: 'mapping', nullable: true, optional: true },
    hf_kwargs: { doc: 'Special tokens.', format: 'mapping', nullable: true, optional: true },
    custom_tokenizer: { doc: 'A class.', format: 'mapping', nullable: true, optional: true },
  },
  { extra: 'any' },
);

function checkSection(config: unknown, path: string): void {
  sectionShape.parse(requireMapping(config, path), { path });
}

function refuseKeywords({ hf_kwargs: keywords }: TokenizerConfig, path: string): void {
  const set = Object.entries(keywords ?? {}).filter(
    ([key, value]) => value !== null && !harmlessKeywords.includes(key),
  );
  if (set.length === 0) return;
  throw new AnemoneError({
    code: 'tokenizer.bad-option',
    path: `${path}.hf_kwargs.${set[0][0]}`,
    message: 'special tokens of WordPiece have their usual names here: [UNK], [SEP], [PAD], [CLS], [MASK]',
  });
}

/** The class that `custom_tokenizer` names, without its Python module; undefined without one. */
function customName(
  config: TokenizerConfig,
  path: string,
  knownNames: readonly string[],
): string | undefined {
  const target = config.custom_tokenizer?._target_;
  if (!target) return undefined;
  if (typeof target !== 'string') {
    throw new AnemoneError({
      code: 'tokenizer.unknown-type',
      path: `${path}.custom_tokenizer._target_`,
      message: 'expected the name of a class',
    });
  }
  const name = target.replace(/^.*\./, '');
  if (knownNames.includes(name)) return name;
  throw new AnemoneError({
    code: 'tokenizer.unknown-type',
    path: `${path}.custom_tokenizer._target_`,
    message: `unknown tokenizer class "${target}" for type ${config.type}`,
    hint: `known is ${knownNames.join(', ')}`,
  });
}

function charLabels(config: TokenizerConfig, path: string, readFile: ReadFile): readonly string[] {
  if (config.labels) return config.labels;
  if (config.dir) {
    const file = join(config.dir, 'labels.json');
    const bytes = read(file, 'labels.json', `${path}.dir`, readFile);
    const hint = 'write one list of texts: ["a", "b", " "]';
    return parseJson(bytes, listOf('string'), { code: 'tokenizer.bad-labels', position: { file }, hint });
  }
  throw new AnemoneError({
    code: 'tokenizer.bad-option',
    path: `${path}.labels`,
    message: 'a character tokenizer needs `labels` (or `dir` with a labels.json)',
  });
}

function read(file: string, name: string, path: string, readFile: ReadFile): Uint8Array {
  try {
    return readFile(file, name);
  } catch (cause) {
    throw new AnemoneError({
      code: 'tokenizer.missing-file',
      path,
      message: `cannot read the tokenizer file ${file}${saidBy(cause)}`,
      hint: 'train a tokenizer with `anemone tokenizer train`, or correct the path',
      details: { file },
      cause,
    });
  }
}

function splitLines(bytes: Uint8Array, file: string): string[] {
  return decodeUtf8(bytes, file)
    .split(/\r?\n/)
    .filter((line) => line !== '');
}
