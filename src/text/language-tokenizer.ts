// The tokenizers of language models, by the keys of NeMo's `model.tokenizer`.
import { basename } from 'node:path';
import type { ReadFile } from '../container/index.js';
import { AnemoneError, saidBy } from '../errors/index.js';
import { readRegularFileSync } from '../formats/index.js';
import { ByteTokenizer } from './byte-tokenizer.js';
import { openHuggingFaceTokenizer } from './huggingface/folder.js';
import { gpt2Tokenizer, type NamedBytes } from './huggingface/gpt2-files.js';
import { nemoTiktokenTokenizer, tiktokenEncodings, tiktokenTokenizer } from './huggingface/tiktoken-files.js';
import { loadTokenizer } from './load-tokenizer.js';
import type { Tokenizer } from './tokenizer.js';

/** Which tokenizer it is, and its files. */
export interface LanguageTokenizerSection {
  readonly library: 'megatron' | 'sentencepiece' | 'huggingface' | 'byte-level' | 'tiktoken';
  readonly type?: string | null;
  readonly model?: string | null;
  readonly vocab_file?: string | null;
  readonly merge_file?: string | null;
  readonly tokenizer_file?: string | null;
}

type Reader = (section: LanguageTokenizerSection, readFile: ReadFile) => Tokenizer;

const READERS: Readonly<Record<LanguageTokenizerSection['library'], Reader>> = {
  'byte-level': () => new ByteTokenizer(),
  sentencepiece: ({ model, tokenizer_file }, readFile) => {
    const path = model ?? tokenizer_file;
    if (typeof path !== 'string') throw missing('model', 'library: sentencepiece needs its model');
    return loadTokenizer({ type: 'bpe', model_path: path }, 'model.tokenizer', readFile);
  },
  huggingface,
  megatron,
  tiktoken,
};

/**
 * The tokenizer of a section.
 * @param readFile default: from disk
 * @throws AnemoneError `tokenizer.*`
 */
export function languageTokenizer(
  section: LanguageTokenizerSection,
  readFile: ReadFile = (file) => readRegularFileSync(file),
): Tokenizer {
  return READERS[section.library](section, readFile);
}

/** A folder, or a file, of transformers; or the two files of GPT-2. */
function huggingface(section: LanguageTokenizerSection, readFile: ReadFile): Tokenizer {
  const { vocab_file, merge_file, tokenizer_file, type, model } = section;
  const path = tokenizer_file ?? type ?? model;
  if (typeof path === 'string') return openHuggingFaceTokenizer(path, readFile);
  if (vocab_file && merge_file) return megatron(section, readFile);
  throw missing('type', 'library: huggingface needs the folder of a tokenizer.json', 'give it as type, or the file as tokenizer_file'); // biome-ignore format: one line
}

function megatron(section: LanguageTokenizerSection, readFile: ReadFile): Tokenizer {
  const { type, vocab_file, merge_file, tokenizer_file } = section;
  if (type && type !== 'GPT2BPETokenizer')
    throw missing('type', `the type "${type}" of library: megatron is not supported`, 'GPT2BPETokenizer is'); // biome-ignore format: one line
  if (tokenizer_file) return openHuggingFaceTokenizer(tokenizer_file, readFile);
  if (!vocab_file) throw missing('vocab_file', 'library: megatron needs the vocab.json of GPT-2', 'nothing is downloaded; or take library: huggingface, sentencepiece, tiktoken or byte-level'); // biome-ignore format: one line
  if (!merge_file) throw missing('merge_file', 'library: megatron needs the merges.txt of GPT-2');
  return gpt2Tokenizer(read(vocab_file, 'vocab_file', readFile), read(merge_file, 'merge_file', readFile));
}

/** NeMo's list in JSON, or a file of tiktoken with the name of its encoding as type. */
function tiktoken(section: LanguageTokenizerSection, readFile: ReadFile): Tokenizer {
  const path = section.vocab_file ?? section.model ?? section.tokenizer_file;
  if (typeof path !== 'string') throw missing('vocab_file', 'library: tiktoken needs its vocabulary');
  const file = read(path, 'vocab_file', readFile);
  const known = tiktokenEncodings.find((name) => path.includes(name));
  const type = section.type ?? known;
  if (type !== undefined) return tiktokenTokenizer(file, type);
  if (path.endsWith('.json')) return nemoTiktokenTokenizer(file);
  throw missing('type', 'type must say which encoding of tiktoken it is', `known are ${tiktokenEncodings.join(', ')}`); // biome-ignore format: one line
}

function read(path: string, key: string, readFile: ReadFile): NamedBytes {
  try {
    return { name: basename(path), bytes: readFile(path, basename(path)) };
  } catch (cause) {
    throw new AnemoneError({
      code: 'tokenizer.missing-file',
      path: `model.tokenizer.${key}`,
      message: `cannot read the tokenizer file ${path}${saidBy(cause)}`,
      details: { file: path },
      cause,
    });
  }
}

function missing(key: string, message: string, hint?: string): AnemoneError {
  return new AnemoneError({ code: 'tokenizer.bad-option', path: `model.tokenizer.${key}`, message, hint });
}
