// The `decoder` of tokenizer.json: tokens become the texts that they stand for, joined at the end.
import { bytesOfToken } from '../bpe/byte-alphabet.js';
import type { JsonNode } from './json-node.js';
import { patternOf } from './splitting.js';

/** Tokens, or what an earlier step has made of them. */
export type Decoder = (tokens: readonly string[]) => readonly string[];

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

const KINDS: Readonly<Record<string, (node: JsonNode) => Decoder>> = {
  ByteLevel: () => (tokens) => [utf8.decode(Buffer.concat(tokens.map(bytesOfToken)))],
  ByteFallback: () => byteFallback,
  Fuse: () => (tokens) => [tokens.join('')],
  Replace: (node) => {
    const { expression } = patternOf(node.field('pattern'));
    const content = node.field('content').text();
    return (tokens) => tokens.map((token) => token.replace(expression, () => content));
  },
  Strip: (node) => {
    const content = node.field('content').text();
    const [start, stop] = [node.field('start').count(), node.field('stop').count()];
    return (tokens) => tokens.map((token) => stripped(token, content, start, stop));
  },
  Metaspace: (node) => {
    const replacement = node.field('replacement').text('\u2581');
    const older = node.field('add_prefix_space').flag(true) ? 'always' : 'never';
    const dropsFirst = node.field('prepend_scheme').text(older).toLowerCase() !== 'never';
    return (tokens) =>
      tokens.map((token, i) => token.replaceAll(replacement, i === 0 && dropsFirst ? '' : ' '));
  },
  WordPiece: (node) => {
    const prefix = node.field('prefix').text('##');
    const cleans = node.field('cleanup').flag(true);
    return (tokens) =>
      tokens.map((token, i) => {
        const joins = i > 0 && token.startsWith(prefix);
        const text = i === 0 ? token : joins ? token.slice(prefix.length) : ` ${token}`;
        return cleans ? cleaned(text) : text;
      });
  },
  BPEDecoder: (node) => {
    const suffix = node.field('suffix').text('</w>');
    return (tokens) => tokens.map((token, i) => token.replaceAll(suffix, i + 1 === tokens.length ? '' : ' '));
  },
  Sequence: (node) => {
    const steps = node.field('decoders').items().map(decoderOf);
    return (tokens) => steps.reduce((current, step) => step(current), tokens);
  },
};

/** @throws AnemoneError `tokenizer.unsupported`, `tokenizer.damaged` */
export function decoderOf(node: JsonNode): Decoder {
  if (node.isAbsent) return (tokens) => [tokens.join(' ')];
  const kind = node.field('type').text();
  if (!Object.hasOwn(KINDS, kind)) throw node.unsupported(`the decoder ${kind}`, Object.keys(KINDS));
  return KINDS[kind](node);
}

/** `<0xE2>` and its like are bytes; those of a row that are no UTF-8 are U+FFFD each. */
const byteFallback: Decoder = (tokens) => {
  const out: string[] = [];
  let bytes: number[] = [];
  const flush = (): void => {
    if (bytes.length === 0) return;
    out.push(validText(bytes) ?? '\uFFFD'.repeat(bytes.length));
    bytes = [];
  };
  for (const token of tokens) {
    const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(token);
    if (byte) bytes.push(Number.parseInt(byte[1], 16));
    else {
      flush();
      out.push(token);
    }
  }
  flush();
  return out;
};

function validText(bytes: readonly number[]): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes));
  } catch {
    return undefined;
  }
}

function stripped(token: string, content: string, start: number, stop: number): string {
  let [from, to] = [0, token.length];
  for (let i = 0; i < start && token.startsWith(content, from) && from < to; i++) from += content.length;
  for (let i = 0; i < stop && to - content.length >= from && token.endsWith(content, to); i++)
    to -= content.length;
  return token.slice(from, to);
}

/** The spaces that BERT puts before English marks. */
function cleaned(text: string): string {
  return text
    .replaceAll(' .', '.')
    .replaceAll(' ?', '?')
    .replaceAll(' !', '!')
    .replaceAll(' ,', ',')
    .replaceAll(" ' ", "'")
    .replaceAll(" n't", "n't")
    .replaceAll(" 'm", "'m")
    .replaceAll(' do not', " don't")
    .replaceAll(" 's", "'s")
    .replaceAll(" 've", "'ve")
    .replaceAll(" 're", "'re");
}
