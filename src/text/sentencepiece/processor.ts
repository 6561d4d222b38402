// Encoding and decoding with a SentencePiece model of any type.
import { AnemoneError } from '../../errors/index.js';
import { PieceType, readSentencePieceModel, type SentencePieceModel } from '../../formats/index.js';
import { BpeSegmenter } from './bpe.js';
import { Normalizer, SPACE_SYMBOL } from './normalizer.js';
import { byteToPiece, PieceTable, pieceToByte } from './piece-table.js';
import { CharSegmenter, type Segment, type Segmenter, WordSegmenter } from './segmenter.js';
import { UnigramSegmenter } from './unigram.js';

const encoder = new TextEncoder();

/**
 * Encoding and decoding with a SentencePiece model of any type: normalise, segment, and back. Equal to spm_encode
 * and spm_decode, piece for piece. The Tokenizer face that models use is sentencepiece-tokenizer.ts.
 */
export class SentencePieceProcessor {
  readonly model: SentencePieceModel;
  readonly table: PieceTable;
  private readonly normalizer: Normalizer;
  private readonly denormalizer: Normalizer | undefined;
  private readonly segmenter: Segmenter;

  /** Throws `sentencepiece.invalid-model` or `sentencepiece.corrupt`. */
  constructor(model: SentencePieceModel) {
    this.model = model;
    this.table = new PieceTable(model);
    this.normalizer = new Normalizer(model.normalizerSpec, {
      treatWhitespaceAsSuffix: model.trainerSpec.treatWhitespaceAsSuffix,
      keep: this.table.userDefined,
    });
    const denormalizerSpec = model.denormalizerSpec;
    if (denormalizerSpec && denormalizerSpec.precompiledCharsmap.length > 0) {
      this.denormalizer = new Normalizer(denormalizerSpec);
    }
    this.segmenter = makeSegmenter(model, this.table);
  }

  /**
   * Reads a `.model` file.
   * @param file its name, for errors
   * @throws AnemoneError `sentencepiece.invalid-model`, `sentencepiece.corrupt`
   */
  static fromBytes(bytes: Uint8Array, file?: string): SentencePieceProcessor {
    return new SentencePieceProcessor(readSentencePieceModel(bytes, file));
  }

  /** Number of pieces, special ones included. */
  get vocabSize(): number {
    return this.table.pieces.length;
  }

  /** The text as the model sees it, spaces as "▁". */
  normalize(text: string): string {
    return this.normalizer.normalize(text);
  }

  /**
   * Ids of a text, as `spm_encode --output_format=id` gives them. With byte fallback, unknown characters become
   * bytes.
   */
  encode(text: string): number[] {
    const ids: number[] = [];
    for (const { text: surface, id } of this.segment(text)) {
      if (id === this.table.unkId && this.table.byteIds) {
        for (const byte of encoder.encode(surface)) ids.push(this.table.byteIds[byte]);
      } else ids.push(id);
    }
    return ids;
  }

  /** Pieces as text; an unknown run shows its own characters (or its bytes, if the model falls back to bytes). */
  encodeAsPieces(text: string): string[] {
    const pieces: string[] = [];
    for (const { text: surface, id } of this.segment(text)) {
      if (id === this.table.unkId && this.table.byteIds) {
        for (const byte of encoder.encode(surface)) pieces.push(byteToPiece(byte));
      } else pieces.push(surface);
    }
    return pieces;
  }

  /** Throws `text.id-out-of-range`. */
  decode(ids: Iterable<number>): string {
    return this.decodePieces(this.idsToPieces(ids));
  }

  /** Pieces of ids. Throws `text.id-out-of-range`. */
  idsToPieces(ids: Iterable<number>): string[] {
    const pieces: string[] = [];
    for (const id of ids) {
      const piece = this.table.pieces[id];
      if (piece === undefined) {
        throw new AnemoneError({
          code: 'text.id-out-of-range',
          message: `token id ${id} is not in the vocabulary of ${this.vocabSize}`,
        });
      }
      pieces.push(piece);
    }
    return pieces;
  }

  /**
   * The text that pieces stand for, as spm_decode gives it. Control pieces vanish; pieces that the model does not
   * know are kept as they are.
   */
  decodePieces(pieces: readonly string[]): string {
    const { addDummyPrefix, removeExtraWhitespaces } = this.model.normalizerSpec;
    const { table } = this;
    let text = '';
    let bytes: number[] = [];
    let stripLeadingSpace = addDummyPrefix || removeExtraWhitespaces;
    const flushBytes = (): void => {
      text += decodeBytes(bytes);
      bytes = [];
    };
    for (const piece of pieces) {
      const id = table.id(piece);
      const type = table.types[id];
      if (type === PieceType.byte) {
        bytes.push(pieceToByte(piece));
        continue;
      }
      flushBytes();
      if (text !== '') stripLeadingSpace = false;
      if (type === PieceType.control) continue;
      if (type === PieceType.unknown) {
        text += piece === table.pieces[id] ? this.model.trainerSpec.unkSurface : piece;
        continue;
      }
      let shownPiece = piece;
      if (stripLeadingSpace && piece.startsWith(SPACE_SYMBOL)) {
        shownPiece = piece.slice(SPACE_SYMBOL.length);
        // Where spaces are squeezed, any number of leading ones may go; else only the dummy prefix.
        if (!removeExtraWhitespaces) stripLeadingSpace = false;
      }
      text += shownPiece.replaceAll(SPACE_SYMBOL, ' ');
    }
    flushBytes();
    return this.denormalizer ? this.denormalizer.normalize(text) : text;
  }

  /** Segments with neighbouring unknown ones merged (unless they will become bytes anyway). */
  private segment(text: string): Segment[] {
    const bytes = this.normalizer.normalizeToBytes(text);
    if (bytes.length === 0) return [];
    const { unkId } = this.table;
    const mergedSegments: { text: string; id: number }[] = [];
    for (const { text: surface, id } of this.segmenter.segment(bytes)) {
      const last = mergedSegments.at(-1);
      if (id === unkId && last?.id === unkId) last.text += surface;
      else mergedSegments.push({ text: surface, id });
    }
    return mergedSegments;
  }
}

function makeSegmenter(model: SentencePieceModel, table: PieceTable): Segmenter {
  switch (model.trainerSpec.modelType) {
    case 'unigram':
      return new UnigramSegmenter(table);
    case 'bpe':
      return new BpeSegmenter(table);
    case 'word':
      return new WordSegmenter(table);
    case 'char':
      return new CharSegmenter(table);
  }
}

/** UTF-8 to text, one replacement character for each byte that is part of no valid character. */
function decodeBytes(bytes: readonly number[]): string {
  let text = '';
  for (let i = 0; i < bytes.length; ) {
    const length = characterLength(bytes, i);
    text += length === 0 ? '\ufffd' : String.fromCodePoint(codePoint(bytes.slice(i, i + length)));
    i += Math.max(1, length);
  }
  return text;
}

/** The smallest character that each number of bytes is for; a longer way to write it is none. */
const SMALLEST = [0, 0, 0x80, 0x800, 0x10000];

/** Bytes of the valid character at `at`; 0 without one. */
function characterLength(bytes: readonly number[], at: number): number {
  const lead = bytes[at];
  const length = lead < 0x80 ? 1 : lead < 0xc0 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf8 ? 4 : 0;
  const part = bytes.slice(at, at + length);
  if (part.length < length || part.slice(1).some((byte) => (byte & 0xc0) !== 0x80)) return 0;
  const code = codePoint(part);
  const isSurrogate = code >= 0xd800 && code < 0xe000;
  return code < SMALLEST[length] || code > 0x10ffff || isSurrogate ? 0 : length;
}

/** Code point of the bytes of one whole character. */
function codePoint([lead, ...trail]: readonly number[]): number {
  const bits = trail.length === 0 ? lead : lead & (0x3f >> trail.length);
  return trail.reduce((code, byte) => code * 64 + (byte & 0x3f), bits);
}
