// The tokenizer that a language model's `tokenizer` section asks for, by NeMo's keys.
import { basename } from 'node:path';
import { hasTarget } from '../config/index.js';
import { type Container, READ_FILE, type ReadFile } from '../container/index.js';
import { AnemoneError, saidBy } from '../errors/index.js';
import {
  ByteTokenizer,
  gpt2Tokenizer,
  loadTokenizer,
  type NamedBytes,
  nemoTiktokenTokenizer,
  openHuggingFaceTokenizer,
  type Tokenizer,
  tiktokenEncodings,
  tiktokenTokenizer,
  tokenizerKind,
} from '../text/index.js';

/** A checked section, or a component. */
interface Section {
  readonly library: 'megatron' | 'sentencepiece' | 'huggingface' | 'byte-level' | 'tiktoken';
  readonly type: string | null;
  readonly model: string | null;
  readonly vocab_file: string | null;
  readonly merge_file: string | null;
  readonly tokenizer_file: string | null;
}

type Reader = (section: Section, readFile: ReadFile) => Tokenizer;

const READERS: Readonly<Record<Section['library'], Reader>> = {
  'byte-level': () => new ByteTokenizer(),
  sentencepiece: ({ model, tokenizer_file }, readFile) => {
    const path = model ?? tokenizer_file;
    if (path === null) throw missing('model', 'library: sentencepiece needs its model');
    return loadTokenizer({ type: 'bpe', model_path: path }, 'model.tokenizer', readFile);
  },
  huggingface,
  megatron,
  tiktoken,
};

/** @throws AnemoneError `tokenizer.*` */
export function languageTokenizer(section: unknown, container: Container): Tokenizer {
  if (hasTarget(section)) return container.instantiate(section, tokenizerKind);
  const written = section as Section;
  return READERS[written.library](written, container.resolve(READ_FILE));
}

/** A folder, or a file, of transformers; or the two files of GPT-2. */
function huggingface(section: Section, readFile: ReadFile): Tokenizer {
  const { vocab_file, merge_file, tokenizer_file, type, model } = section;
  const path = tokenizer_file ?? type ?? model;
  if (path !== null) return openHuggingFaceTokenizer(path, readFile);
  if (vocab_file !== null && merge_file !== null) return megatron(section, readFile);
  throw missing('type', 'library: huggingface needs the folder of a tokenizer.json', 'give it as type, or the file as tokenizer_file'); // biome-ignore format: one line
}

function megatron(section: Section, readFile: ReadFile): Tokenizer {
  const { type, vocab_file, merge_file, tokenizer_file } = section;
  if (type !== null && type !== 'GPT2BPETokenizer')
    throw missing('type', `the type "${type}" of library: megatron is not supported`, 'GPT2BPETokenizer is'); // biome-ignore format: one line
  if (tokenizer_file !== null) return openHuggingFaceTokenizer(tokenizer_file, readFile);
  if (vocab_file === null) throw missing('vocab_file', 'library: megatron needs the vocab.json of GPT-2', 'nothing is downloaded; or take library: huggingface, sentencepiece, tiktoken or byte-level'); // biome-ignore format: one line
  if (merge_file === null) throw missing('merge_file', 'library: megatron needs the merges.txt of GPT-2');
  return gpt2Tokenizer(read(vocab_file, 'vocab_file', readFile), read(merge_file, 'merge_file', readFile));
}

/** NeMo's list in JSON, or a file of tiktoken with the name of its encoding as type. */
function tiktoken(section: Section, readFile: ReadFile): Tokenizer {
  const path = section.vocab_file ?? section.model ?? section.tokenizer_file;
  if (path === null) throw missing('vocab_file', 'library: tiktoken needs its vocabulary');
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
