// The `normalizer` of tokenizer.json: what is done to a text before it is cut.
import { defaultNormalizerSpec } from '../../formats/index.js';
import { bytesAsCharacters } from '../bpe/byte-alphabet.js';
import { Normalizer as SentencePieceNormalizer } from '../sentencepiece/normalizer.js';
import type { JsonNode } from './json-node.js';
import { patternOf } from './splitting.js';

export type Normalizer = (text: string) => string;

const identity: Normalizer = (text) => text;

const KINDS: Readonly<Record<string, (node: JsonNode) => Normalizer>> = {
  NFC: () => (text) => text.normalize('NFC'),
  NFD: () => (text) => text.normalize('NFD'),
  NFKC: () => (text) => text.normalize('NFKC'),
  NFKD: () => (text) => text.normalize('NFKD'),
  Lowercase: () => lowerCase,
  StripAccents: () => (text) => text.replace(/\p{Mn}/gu, ''),
  ByteLevel: () => bytesAsCharacters,
  Nmt: () => nmt,
  Strip: strip,
  Prepend: (node) => {
    const prefix = node.field('prepend').text();
    return (text) => (text === '' ? '' : prefix + text);
  },
  Replace: (node) => {
    const { expression } = patternOf(node.field('pattern'));
    const content = node.field('content').text();
    return (text) => text.replace(expression, () => content);
  },
  Precompiled: precompiled,
  BertNormalizer: bert,
  Sequence: (node) => {
    const steps = node.field('normalizers').items().map(normalizerOf);
    return (text) => steps.reduce((current, step) => step(current), text);
  },
};

/** @throws AnemoneError `tokenizer.unsupported`, `tokenizer.damaged` */
export function normalizerOf(node: JsonNode): Normalizer {
  if (node.isAbsent) return identity;
  const kind = node.field('type').text();
  if (!Object.hasOwn(KINDS, kind)) throw node.unsupported(`the normalizer ${kind}`, Object.keys(KINDS));
  return KINDS[kind](node);
}

/** Each character by itself, so that a sigma is the same everywhere. */
function lowerCase(text: string): string {
  if (!text.includes('Σ')) return text.toLowerCase();
  return Array.from(text, (character) => character.toLowerCase()).join('');
}

function strip(node: JsonNode): Normalizer {
  const [left, right] = [node.field('strip_left').flag(true), node.field('strip_right').flag(true)];
  return (text) => {
    const start = left ? text.replace(/^\p{White_Space}+/u, '') : text;
    return right ? start.replace(/(?<!\p{White_Space})\p{White_Space}+$/u, '') : start;
  };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: controls are what it looks for
const DROPPED = /[\x01-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]/g;
const SPACES = /[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/g;

/** Controls are dropped, and all white space is a space: SentencePiece's rules for translation. */
function nmt(text: string): string {
  return text.replace(DROPPED, '').replace(SPACES, ' ');
}

/** SentencePiece's compiled map alone, without what SentencePiece does to spaces. */
function precompiled(node: JsonNode): Normalizer {
  const map = node.field('precompiled_charsmap').optionalText() ?? '';
  const normalizer = new SentencePieceNormalizer({
    ...defaultNormalizerSpec(),
    precompiledCharsmap: new Uint8Array(Buffer.from(map, 'base64')),
    addDummyPrefix: false,
    removeExtraWhitespaces: false,
    escapeWhitespaces: false,
  });
  return (text) => normalizer.normalize(text);
}

const NO_TEXT = /\ufffd|(?![\t\n\r])\p{C}/gu;
const IDEOGRAPH =
  /[\u4E00-\u9FFF\u3400-\u4DBF\u{20000}-\u{2A6DF}\u{2A700}-\u{2B73F}\u{2B740}-\u{2B81F}\u{2B920}-\u{2CEAF}\uF900-\uFAFF\u{2F800}-\u{2FA1F}]/gu;

function bert(node: JsonNode): Normalizer {
  const lowers = node.field('lowercase').flag(true);
  const steps: Normalizer[] = [];
  if (node.field('clean_text').flag(true))
    steps.push((text) => text.replace(NO_TEXT, '').replace(/\p{White_Space}/gu, ' '));
  if (node.field('handle_chinese_chars').flag(true)) steps.push((text) => text.replace(IDEOGRAPH, ' $& '));
  if (node.field('strip_accents').flag(lowers))
    steps.push((text) => text.normalize('NFD').replace(/\p{Mn}/gu, ''));
  if (lowers) steps.push(lowerCase);
  return (text) => steps.reduce((current, step) => step(current), text);
}
