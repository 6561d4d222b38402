// The `model` of tokenizer.json: words become ids.
import { defaultNormalizerSpec, defaultTrainerSpec, PieceType } from '../../formats/index.js';
import { BpeModel } from '../bpe/bpe-model.js';
import { PairTable } from '../bpe/pair-table.js';
import type { IdBuffer } from '../id-buffer.js';
import { PieceTable } from '../sentencepiece/piece-table.js';
import { UnigramSegmenter } from '../sentencepiece/unigram.js';
import type { JsonNode } from './json-node.js';

/** Cuts a word into tokens. */
export interface WordModel {
  readonly ids: ReadonlyMap<string, number>;
  readonly unknown: number | undefined;
  encode(word: string, out: IdBuffer): void;
}

/** Ids beyond are no vocabulary but an attempt to fill the memory. */
const MOST_IDS = 2 ** 24;
const KNOWN = ['BPE', 'Unigram', 'WordPiece', 'WordLevel'];

/**
 * @param writesBytes words are written as the characters of their bytes first
 * @throws AnemoneError `tokenizer.unsupported`, `tokenizer.damaged`
 */
export function wordModelOf(node: JsonNode, writesBytes: boolean): WordModel {
  // Files of before version 0.8 do not say which it is.
  const kind = node.field('type').text(node.field('merges').isAbsent ? 'WordPiece' : 'BPE');
  if (kind === 'BPE') return bpe(node, writesBytes);
  if (kind === 'Unigram') return unigram(node);
  if (kind === 'WordPiece') return wordPiece(node);
  if (kind === 'WordLevel') return wordLevel(node);
  throw node.unsupported(`the model ${kind}`, KNOWN);
}

function vocabularyOf(node: JsonNode): Map<string, number> {
  // Formats that have no tokenizer.json give it as it is used.
  if (node.value instanceof Map) return node.value as Map<string, number>;
  const ids = new Map<string, number>();
  const vocabulary = node.mapping();
  for (const token of Object.keys(vocabulary)) {
    const id = vocabulary[token];
    if (!Number.isInteger(id) || (id as number) < 0 || (id as number) >= MOST_IDS)
      throw node.field(token).wrong(`expected an id from 0 to ${MOST_IDS - 1}`);
    ids.set(token, id as number);
  }
  return ids;
}

function bpe(node: JsonNode, overBytes: boolean): WordModel {
  const dropout = node.field('dropout');
  if (!dropout.isAbsent && dropout.number() !== 0) throw dropout.unsupported('dropout of merges', ['none']);
  const ids = vocabularyOf(node.field('vocab'));
  const prefix = node.field('continuing_subword_prefix').text('');
  const unknown = unknownOf(node.field('unk_token'), ids);
  const model = new BpeModel({
    ids,
    merges: mergesOf(node.field('merges'), ids, prefix),
    overBytes,
    unknown,
    fusesUnknown: node.field('fuse_unk').flag(false),
    fallsToBytes: node.field('byte_fallback').flag(false),
    wordsFirst: node.field('ignore_merges').flag(false),
    prefix,
    suffix: node.field('end_of_word_suffix').text(''),
  });
  if (overBytes || !marksStartsOnly(ids))
    return { ids, unknown, encode: (word, out) => model.encode(word, out) };
  return {
    ids,
    unknown,
    encode: (text, out) => {
      for (const word of text.match(SPACED_WORDS) ?? []) model.encode(word, out);
    },
  };
}

/** A run of SentencePiece's spaces and what follows until the next. */
const SPACED_WORDS = /\u2581*[^\u2581]+|\u2581+/g;

/**
 * Whether a space stands in no token after anything else: nothing is then merged over the borders of words, and they can be
 * cut one by one, although the file has no pre-tokenizer.
 */
function marksStartsOnly(ids: ReadonlyMap<string, number>): boolean {
  if (!ids.has('\u2581')) return false;
  for (const token of ids.keys()) if (/[^\u2581]\u2581/.test(token)) return false;
  return true;
}

function mergesOf(node: JsonNode, ids: ReadonlyMap<string, number>, prefix: string): PairTable {
  const written = node.value;
  if (!Array.isArray(written)) throw node.wrong('expected a list');
  if (written.length >= MOST_IDS) throw node.wrong(`there are ${written.length} merges`);
  const table = new PairTable(written.length);
  const tokens: string[] = [];
  for (const [token, id] of ids) tokens[id] = token;
  let joined: number | undefined = -1;
  for (let rank = 0; rank < written.length; rank++) {
    const merge: unknown = written[rank];
    const [left, right] = pairOf(merge);
    if (typeof left !== 'string' || typeof right !== 'string')
      throw node.items()[rank].wrong('expected two tokens with a space between them, or a list of them');
    const a = ids.get(left);
    const b = ids.get(right);
    const rest = prefix !== '' && right.startsWith(prefix) ? right.slice(prefix.length) : right;
    // A trainer gives each pair that it learns the next id; looking a text up that was just made is most of the work.
    const next: number = (joined ?? -1) + 1;
    joined = isJoined(tokens[next], left, rest) ? next : ids.get(left + rest);
    if (a === undefined || b === undefined || joined === undefined)
      throw node.items()[rank].wrong(`the vocabulary has not both ${JSON.stringify(left)} and ${JSON.stringify(right)} and what they become`); // biome-ignore format: one line
    table.set(a, b, rank, joined);
  }
  return table;
}

/** Two tokens with a space between them, of which the first may begin with one, or a list of them. */
function pairOf(merge: unknown): readonly unknown[] {
  if (typeof merge !== 'string')
    return Array.isArray(merge) && merge.length === 2 ? (merge as unknown[]) : [];
  const space = merge.indexOf(' ', 1);
  const isPair = space > 0 && merge.indexOf(' ', space + 1) < 0;
  return isPair ? [merge.slice(0, space), merge.slice(space + 1)] : [];
}

function isJoined(token: string | undefined, left: string, right: string): boolean {
  return token?.length === left.length + right.length && token.startsWith(left) && token.endsWith(right);
}

function unknownOf(node: JsonNode, ids: ReadonlyMap<string, number>): number | undefined {
  const token = node.optionalText();
  return token === undefined ? undefined : ids.get(token);
}

function unigram(node: JsonNode): WordModel {
  const unknownId = node.field('unk_id').isAbsent ? undefined : node.field('unk_id').count();
  const fallsToBytes = node.field('byte_fallback').flag(false);
  const pieces = node
    .field('vocab')
    .items()
    .map((entry, id) => {
      const [piece, score] = entry.items();
      if (!piece || !score) throw entry.wrong('expected a token and its score');
      const isByte = fallsToBytes && /^<0x[0-9A-F]{2}>$/.test(piece.text());
      const type = id === unknownId ? PieceType.unknown : isByte ? PieceType.byte : PieceType.normal;
      return { piece: piece.text(), score: score.number(), type };
    });
  if (unknownId === undefined || unknownId >= pieces.length)
    throw node.field('unk_id').wrong('expected the id of the unknown token');
  const table = new PieceTable({
    pieces,
    trainerSpec: { ...defaultTrainerSpec(), byteFallback: fallsToBytes },
    normalizerSpec: defaultNormalizerSpec(),
  } as ConstructorParameters<typeof PieceTable>[0]);
  const segmenter = new UnigramSegmenter(table);
  const encoder = new TextEncoder();
  return {
    ids: new Map(pieces.map(({ piece }, id) => [piece, id])),
    unknown: unknownId,
    encode: (word, out) => {
      let wasUnknown = false;
      for (const { text, id } of segmenter.segment(encoder.encode(word))) {
        const isUnknown = id === unknownId;
        if (isUnknown && table.byteIds)
          for (const byte of encoder.encode(text)) out.push(table.byteIds[byte]);
        else if (!(isUnknown && wasUnknown)) out.push(id);
        wasUnknown = isUnknown;
      }
    },
  };
}

function wordPiece(node: JsonNode): WordModel {
  const ids = vocabularyOf(node.field('vocab'));
  const prefix = node.field('continuing_subword_prefix').text('##');
  const most = node.field('max_input_chars_per_word').count(100);
  const unknown = ids.get(node.field('unk_token').text('[UNK]'));
  if (unknown === undefined) throw node.field('unk_token').wrong('it is not in the vocabulary');
  const encode = (word: string, out: IdBuffer): void => {
    const characters = [...word];
    const found: number[] = [];
    for (let start = 0; start < characters.length; ) {
      let end = characters.length > most ? start : characters.length;
      const piece = (): string => (start > 0 ? prefix : '') + characters.slice(start, end).join('');
      while (end > start && !ids.has(piece())) end--;
      if (end === start) {
        out.push(unknown);
        return;
      }
      found.push(ids.get(piece()) as number);
      start = end;
    }
    out.pushAll(found);
  };
  return { ids, unknown, encode };
}

function wordLevel(node: JsonNode): WordModel {
  const ids = vocabularyOf(node.field('vocab'));
  const unknown = unknownOf(node.field('unk_token'), ids);
  const encode = (word: string, out: IdBuffer): void => {
    const id = ids.get(word) ?? unknown;
    if (id !== undefined) out.push(id);
  };
  return { ids, unknown, encode };
}
