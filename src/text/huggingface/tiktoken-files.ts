// Files of tiktoken: lines of a token's bytes in base64 and its rank; and NeMo's JSON list of the same.
import { AnemoneError } from '../../errors/index.js';
import { decodeUtf8, parseJsonText } from '../../formats/index.js';
import { BYTE_CHARACTERS } from '../bpe/byte-alphabet.js';
import { byteLevelJson, type WordPatternName } from './families.js';
import type { NamedBytes } from './gpt2-files.js';
import { HuggingFaceTokenizer } from './huggingface-tokenizer.js';
import { JsonNode } from './json-node.js';
import { mergesOfRanks, type RankedToken } from './ranks.js';

interface Encoding {
  readonly words: WordPatternName;
  /** Special tokens and their ids, or how many ids after the first the next one is. */
  readonly specials: (ranks: number) => readonly (readonly [string, number])[];
  readonly bos?: string;
  readonly eos?: string;
}

const END = '<|endoftext|>';
const FILL = ['<|fim_prefix|>', '<|fim_middle|>', '<|fim_suffix|>'];

/** Llama 3's file is tiktoken's, though it is called tokenizer.model. */
function llama3Specials(ranks: number): (readonly [string, number])[] {
  const names = ['<|begin_of_text|>', '<|end_of_text|>', '<|reserved_special_token_0|>', '<|reserved_special_token_1|>', '<|finetune_right_pad_id|>', '<|step_id|>', '<|start_header_id|>', '<|end_header_id|>', '<|eom_id|>', '<|eot_id|>', '<|python_tag|>']; // biome-ignore format: a table
  const reserved = Array.from(
    { length: 256 - names.length },
    (_, i) => `<|reserved_special_token_${i + 2}|>`,
  );
  return [...names, ...reserved].map((name, i) => [name, ranks + i]);
}

const ENCODINGS: Readonly<Record<string, Encoding>> = {
  gpt2: { words: 'gpt2', specials: () => [[END, 50256]], bos: END, eos: END },
  r50k_base: { words: 'gpt2', specials: () => [[END, 50256]], bos: END, eos: END },
  p50k_base: { words: 'gpt2', specials: () => [[END, 50256]], bos: END, eos: END },
  cl100k_base: {
    words: 'cl100k',
    specials: () => [
      [END, 100257],
      ...FILL.map((name, i) => [name, 100258 + i] as const),
      ['<|endofprompt|>', 100276],
    ],
    eos: END,
  },
  o200k_base: {
    words: 'o200k',
    specials: () => [
      [END, 199999],
      ['<|endofprompt|>', 200018],
    ],
    eos: END,
  },
  llama3: { words: 'llama3', specials: llama3Specials, bos: '<|begin_of_text|>', eos: '<|end_of_text|>' },
  qwen: {
    words: 'qwen2',
    specials: (ranks) => [END, '<|im_start|>', '<|im_end|>'].map((name, i) => [name, ranks + i]),
    eos: END,
  },
};

/** Names of tiktoken's encodings that are known. */
export const tiktokenEncodings = Object.keys(ENCODINGS);

/**
 * The tokenizer of a tiktoken file.
 * @param encoding says what words are and which special tokens there are
 * @throws AnemoneError `tokenizer.unknown-encoding`, `tokenizer.damaged`
 */
export function tiktokenTokenizer(file: NamedBytes, encoding: string): HuggingFaceTokenizer {
  if (!Object.hasOwn(ENCODINGS, encoding))
    throw new AnemoneError({
      code: 'tokenizer.unknown-encoding',
      message: `the encoding "${encoding}" of tiktoken is not known`,
      hint: `known are ${tiktokenEncodings.join(', ')}`,
    });
  const tokens = ranksOf(file);
  const { words, specials, bos, eos } = ENCODINGS[encoding];
  const json = byteLevelJson({
    vocabulary: Object.fromEntries(tokens.map(({ token, rank }) => [token, rank])),
    merges: mergesOfRanks(tokens),
    words,
    specials: new Map(specials(tokens.length)),
    wordsFirst: true,
  });
  const files = new Map([[file.name, file.bytes]]);
  return HuggingFaceTokenizer.fromJson(json, { bos, eos, files }, file.name);
}

/** NeMo's special tokens come before all others; those between the named and this many have numbers as names. */
const NEMO_SPECIALS = ['<unk>', '<s>', '</s>', '<mask>', '<pad>', '<cls>', '<sep>'];
const NEMO_SPECIAL_COUNT = 1000;
const NEMO_VOCABULARY = 2 ** 17;

/** The tokenizer of NeMo's JSON vocabulary. @throws AnemoneError `tokenizer.damaged` */
export function nemoTiktokenTokenizer(file: NamedBytes): HuggingFaceTokenizer {
  const ranked = jsonRanks(file).slice(0, NEMO_VOCABULARY - NEMO_SPECIAL_COUNT);
  const names = Array.from({ length: NEMO_SPECIAL_COUNT }, (_, i) => NEMO_SPECIALS[i] ?? `<SPECIAL_${i}>`);
  const json = byteLevelJson({
    vocabulary: Object.fromEntries(ranked.map(({ token, rank }) => [token, rank + NEMO_SPECIAL_COUNT])),
    merges: mergesOfRanks(ranked),
    words: 'tekken',
    specials: new Map(names.map((name, id) => [name, id])),
    wordsFirst: true,
  });
  const files = new Map([[file.name, file.bytes]]);
  const setting = { unk: '<unk>', bos: '<s>', eos: '</s>', pad: '<pad>', files };
  return HuggingFaceTokenizer.fromJson(json, setting, file.name);
}

function ranksOf(file: NamedBytes): RankedToken[] {
  if (file.name.endsWith('.json')) return jsonRanks(file);
  const tokens: RankedToken[] = [];
  for (const [i, line] of decodeUtf8(file.bytes, file.name).split(/\r?\n/).entries()) {
    if (line === '') continue;
    const form = /^([A-Za-z0-9+/]+={0,2}) (\d{1,8})$/.exec(line);
    if (!form) throw damaged(file.name, 'expected a token in base64 and its rank', i + 1);
    tokens.push({ token: charactersOf(form[1]), rank: Number(form[2]) });
  }
  return checked(tokens, file.name);
}

function jsonRanks({ name, bytes }: NamedBytes): RankedToken[] {
  const json = parseJsonText(bytes, { code: 'tokenizer.damaged', position: { file: name } });
  const tokens = new JsonNode(json, name).items().map((entry) => ({
    token: charactersOf(entry.field('token_bytes').text()),
    rank: entry.field('rank').count(),
  }));
  return checked(tokens, name);
}

function checked(tokens: RankedToken[], file: string): RankedToken[] {
  if (tokens.length < 256) throw damaged(file, `${tokens.length} tokens are fewer than bytes`);
  if (new Set(tokens.map(({ token }) => token)).size < tokens.length)
    throw damaged(file, 'a token occurs twice');
  return tokens;
}

function charactersOf(base64: string): string {
  let out = '';
  for (const byte of Buffer.from(base64, 'base64')) out += BYTE_CHARACTERS[byte];
  return out;
}

function damaged(file: string, message: string, line?: number): AnemoneError {
  return new AnemoneError({ code: 'tokenizer.damaged', position: { file, line }, message });
}
