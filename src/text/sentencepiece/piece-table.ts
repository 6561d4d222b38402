// The vocabulary of a SentencePiece model, indexed: text → id, id → type, and the matcher for user-defined
// symbols. Checks what SentencePiece checks when it loads a model (one unknown piece, no doubles, all 256
// bytes if any). Segmenting is left to the model types.
import { AnemoneError } from '../../errors/index.js';
import { PieceType, type SentencePieceModel } from '../../formats/index.js';
import { DoubleArray } from './double-array.js';

const encoder = new TextEncoder();

export class PieceTable {
  /** Normal, user-defined and unused pieces: what text can be segmented into. */
  readonly segments = new Map<string, number>();
  /** Unknown, control and byte pieces. */
  readonly reserved = new Map<string, number>();
  readonly pieces: readonly string[];
  readonly scores: Float32Array;
  readonly types: Uint8Array;
  readonly unkId: number;
  /** Id of the piece for each byte value, when the model falls back to bytes. */
  readonly byteIds: Int32Array | undefined;
  /** Matches user-defined symbols; undefined when there are none. */
  readonly userDefined: DoubleArray | undefined;

  /** Throws `sentencepiece.invalid-model`. */
  constructor(model: SentencePieceModel) {
    this.pieces = model.pieces.map((p) => p.piece);
    this.scores = Float32Array.from(model.pieces, (p) => p.score);
    this.types = Uint8Array.from(model.pieces, (p) => p.type);
    const byteIds = new Int32Array(256).fill(-1);
    const userDefined: [Uint8Array, number][] = [];
    let unkId = -1;
    model.pieces.forEach(({ piece, type }, id) => {
      if (piece === '') throw invalid(`piece ${id} is empty`);
      const isSegment =
        type === PieceType.normal || type === PieceType.userDefined || type === PieceType.unused;
      const map = isSegment ? this.segments : this.reserved;
      if (map.has(piece)) throw invalid(`piece "${piece}" occurs twice`);
      map.set(piece, id);
      if (type === PieceType.userDefined) userDefined.push([encoder.encode(piece), id]);
      if (type === PieceType.unknown) {
        if (unkId >= 0) throw invalid('there are two unknown pieces');
        unkId = id;
      }
      if (type === PieceType.byte) {
        const byte = pieceToByte(piece);
        if (byte < 0) throw invalid(`byte piece "${piece}" is not of the form <0x00>`);
        byteIds[byte] = id;
      }
    });
    if (unkId < 0) throw invalid('there is no unknown piece');
    this.unkId = unkId;
    if (model.trainerSpec.byteFallback) {
      if (byteIds.includes(-1)) throw invalid('byte_fallback is set but some byte pieces are missing');
      this.byteIds = byteIds;
    } else if (byteIds.some((id) => id >= 0)) {
      throw invalid('there are byte pieces but byte_fallback is not set');
    }
    this.userDefined = userDefined.length === 0 ? undefined : DoubleArray.build(userDefined);
  }

  /** Id of a piece, the unknown id when there is none. */
  id(piece: string): number {
    return this.reserved.get(piece) ?? this.segments.get(piece) ?? this.unkId;
  }

  isUnused(id: number): boolean {
    return this.types[id] === PieceType.unused;
  }

  isUserDefined(id: number): boolean {
    return this.types[id] === PieceType.userDefined;
  }
}

/** `<0x41>` → 0x41; -1 for anything else. */
export function pieceToByte(piece: string): number {
  const match = /^<0x([0-9A-F]{2})>$/.exec(piece);
  return match ? Number.parseInt(match[1], 16) : -1;
}

export function byteToPiece(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
}

function invalid(what: string): AnemoneError {
  return new AnemoneError({
    code: 'sentencepiece.invalid-model',
    message: `the SentencePiece model is not valid: ${what}`,
  });
}
