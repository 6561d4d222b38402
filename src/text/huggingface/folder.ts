// A folder as transformers saves tokenizers: tokenizer.json, with names of special tokens and chat templates beside it.
import { basename, dirname, join } from 'node:path';
import type { ReadFile } from '../../container/index.js';
import { AnemoneError } from '../../errors/index.js';
import { decodeUtf8, parseJsonText, readRegularFileSync } from '../../formats/index.js';
import { HuggingFaceTokenizer } from './huggingface-tokenizer.js';
import { JsonNode } from './json-node.js';

/** What a tokenizer is made again from; only the first must be there. */
const FILES = ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'chat_template.jinja'];

/**
 * Reads a tokenizer of Hugging Face.
 * @param path a folder with tokenizer.json, or the file itself
 * @throws AnemoneError `tokenizer.missing-file`, `tokenizer.damaged`, `tokenizer.unsupported`, `tokenizer.pattern`
 */
export function openHuggingFaceTokenizer(
  path: string,
  readFile: ReadFile = (file) => readRegularFileSync(file),
): HuggingFaceTokenizer {
  const isFile = path.endsWith('.json');
  const folder = isFile ? dirname(path) : path;
  const main = isFile ? path : join(path, FILES[0]);
  const files = new Map<string, Uint8Array>([[FILES[0], needed(main, readFile)]]);
  for (const name of FILES.slice(1)) {
    const bytes = optional(join(folder, name), name, readFile);
    if (bytes) files.set(name, bytes);
  }
  return tokenizerOf(files, main, folder);
}

function tokenizerOf(
  files: ReadonlyMap<string, Uint8Array>,
  main: string,
  folder: string,
): HuggingFaceTokenizer {
  const read = (name: string): JsonNode => {
    const [bytes, file] = [files.get(name), join(folder, name)];
    if (!bytes) return new JsonNode({}, file);
    return new JsonNode(parseJsonText(bytes, { code: 'tokenizer.damaged', position: { file } }), file);
  };
  const [config, map] = [read('tokenizer_config.json'), read('special_tokens_map.json')];
  const token = (name: string): string | undefined => tokenOf(config, name) ?? tokenOf(map, name);
  const template = files.get('chat_template.jinja');
  const templateFile = template ? 'chat_template.jinja' : 'tokenizer_config.json';
  const setting = {
    bos: token('bos_token'),
    eos: token('eos_token'),
    pad: token('pad_token'),
    unk: token('unk_token'),
    chatTemplate: template ? decodeUtf8(template, join(folder, templateFile)) : templateOf(config),
    files,
  };
  return HuggingFaceTokenizer.fromBytes(files.get(FILES[0]) as Uint8Array, setting, main);
}

/** A name, or a mapping that has it as its content. */
function tokenOf(config: JsonNode, name: string): string | undefined {
  const node = config.field(name);
  if (node.isAbsent || typeof node.value === 'string') return node.optionalText();
  return node.field('content').text();
}

/** One template, or several by name, of which `default` is taken. */
function templateOf(config: JsonNode): string | undefined {
  const node = config.field('chat_template');
  if (node.isAbsent || typeof node.value === 'string') return node.optionalText();
  const named = node.items();
  const chosen = named.find((entry) => entry.field('name').text() === 'default') ?? named[0];
  return chosen?.field('template').text();
}

function needed(file: string, readFile: ReadFile): Uint8Array {
  try {
    return readFile(file, basename(file));
  } catch (cause) {
    throw new AnemoneError({
      code: 'tokenizer.missing-file',
      message: `cannot read the tokenizer file ${file}`,
      hint: 'give a folder that has a tokenizer.json, as transformers saves it; nothing is downloaded',
      details: { file },
      cause,
    });
  }
}

function optional(file: string, name: string, readFile: ReadFile): Uint8Array | undefined {
  try {
    return readFile(file, name);
  } catch (error) {
    const { code } = error as { readonly code?: string };
    if (code === 'file.missing' || code === 'asr.sealed' || code === 'ENOENT') return undefined;
    throw error;
  }
}
