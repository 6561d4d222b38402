// Tokenizers of GGUF files: byte-level BPE ("gpt2"), and SentencePiece's BPE by scores ("llama").
import { AnemoneError } from '../../errors/index.js';
import type { GgufFile, GgufValue } from '../../formats/index.js';
import { addedTokens, byteLevelJson, type WordPatternName } from './families.js';
import { HuggingFaceTokenizer } from './huggingface-tokenizer.js';
import { mergesOfRanks } from './ranks.js';

/** What llama.cpp calls ways to cut texts. */
const WORDS: Readonly<Record<string, WordPatternName>> = {
  default: 'gpt2',
  'gpt-2': 'gpt2',
  smollm: 'gpt2-digits',
  starcoder: 'gpt2-digits',
  refact: 'gpt2-digits',
  'command-r': 'gpt2-digits',
  'llama-bpe': 'llama3',
  'llama-v3': 'llama3',
  llama3: 'llama3',
  qwen2: 'qwen2',
  'gpt-4o': 'o200k',
  tekken: 'tekken',
  'deepseek-v3': 'deepseek',
};

/** Types of tokens in GGUF. */
const NORMAL = 1;
const CONTROL = 3;
const USER_DEFINED = 4;

interface Header {
  readonly vocabulary: readonly string[];
  readonly types: readonly number[];
  readonly specials: ReadonlyMap<string, number>;
  readonly get: (key: string) => GgufValue | undefined;
}

/** The tokenizer that a GGUF file holds. @throws AnemoneError `gguf.unsupported`, `tokenizer.damaged` */
export function ggufTokenizer(file: GgufFile): HuggingFaceTokenizer {
  const header = headerOf(file);
  const token = (key: string): string | undefined => {
    const id = header.get(`${key}_token_id`);
    return id === undefined ? undefined : header.vocabulary[Number(id)];
  };
  const template = file.metadata.get('tokenizer.chat_template');
  const setting = {
    bos: token('bos'),
    eos: token('eos'),
    pad: token('padding'),
    unk: token('unknown'),
    chatTemplate: typeof template === 'string' ? template : undefined,
  };
  const kind = String(header.get('model'));
  if (kind === 'gpt2') return HuggingFaceTokenizer.fromJson(byteLevel(file, header), setting, file.name);
  if (kind === 'llama') return HuggingFaceTokenizer.fromJson(byScores(file, header), setting, file.name);
  throw unsupported(file, `the tokenizer "${kind}"`, 'gpt2 and llama are');
}

function headerOf(file: GgufFile): Header {
  const get = (key: string): GgufValue | undefined => file.metadata.get(`tokenizer.ggml.${key}`);
  const list = (key: string): readonly GgufValue[] => {
    const value = get(key) ?? [];
    return Array.isArray(value) ? (value as readonly GgufValue[]) : [];
  };
  const vocabulary = list('tokens').map(String);
  const types = list('token_type').map(Number);
  const isSpecial = (id: number): boolean => types[id] === CONTROL || types[id] === USER_DEFINED;
  const specials = new Map(
    vocabulary.map((token, id) => [token, id] as const).filter(([, id]) => isSpecial(id)),
  );
  return { vocabulary, types, specials, get };
}

function byteLevel(file: GgufFile, { vocabulary, specials, get }: Header): unknown {
  const pre = String(get('pre') ?? 'default');
  if (!Object.hasOwn(WORDS, pre))
    throw unsupported(file, `the tokenizer "gpt2" with the words "${pre}"`, `known are ${Object.keys(WORDS).join(', ')}`); // biome-ignore format: one line
  const words = WORDS[pre];
  const merges = get('merges');
  if (!Array.isArray(merges))
    throw unsupported(file, 'a tokenizer without merges', 'convert the model again');
  return byteLevelJson({
    vocabulary: new Map(vocabulary.map((token, id) => [token, id])),
    merges: merges.map(String),
    words,
    specials,
    wordsFirst: words === 'llama3',
    normalizer: words === 'qwen2' ? 'NFC' : undefined,
  });
}

/** As transformers writes Llama 2's SentencePiece model. */
function byScores(file: GgufFile, { vocabulary, types, specials, get }: Header): unknown {
  const scores = get('scores');
  if (!Array.isArray(scores))
    throw unsupported(file, 'a tokenizer without scores', 'convert the model again');
  const normal = vocabulary
    .map((token, id) => ({ token, rank: -Number(scores[id]), id }))
    .filter(({ id }) => types[id] === NORMAL || types[id] === USER_DEFINED);
  const addsSpace = get('add_space_prefix') !== false;
  const space = { type: 'Replace', pattern: { String: ' ' }, content: '\u2581' };
  return {
    version: '1.0',
    added_tokens: addedTokens(specials),
    normalizer: {
      type: 'Sequence',
      normalizers: addsSpace ? [{ type: 'Prepend', prepend: '\u2581' }, space] : [space],
    },
    pre_tokenizer: null,
    post_processor: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '\u2581' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        ...(addsSpace ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
      ],
    },
    model: {
      type: 'BPE',
      unk_token: vocabulary[Number(get('unknown_token_id') ?? 0)],
      fuse_unk: true,
      byte_fallback: true,
      vocab: new Map(vocabulary.map((token, id) => [token, id])),
      merges: mergesOfRanks(normal),
    },
  };
}

function unsupported(file: GgufFile, what: string, hint: string): AnemoneError {
  return new AnemoneError({ code: 'gguf.unsupported', position: { file: file.name }, message: `${what} is not supported`, hint }); // biome-ignore format: one line
}
