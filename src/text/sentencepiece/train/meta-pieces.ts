// The pieces that training does not find: unknown, begin, end, padding, control and user-defined symbols,
// bytes. Gives each its id; the trained pieces fill the gaps in order.
import { AnemoneError } from '../../../errors/index.js';
import { PieceType, type SentencePiece } from '../../../formats/index.js';
import { byteToPiece } from '../piece-table.js';
import type { ResolvedTrainOptions } from './options.js';

export type MetaPieces = ReadonlyMap<number, { readonly piece: string; readonly type: PieceType }>;

/** Throws `tokenizer.bad-option` when ids clash or symbols repeat. */
export function layOutMetaPieces(options: ResolvedTrainOptions): MetaPieces {
  const pieces = new Map<number, { piece: string; type: PieceType }>();
  const namedPieces = [
    ['unkId', options.unkId, options.unkPiece, PieceType.unknown],
    ['bosId', options.bosId, options.bosPiece, PieceType.control],
    ['eosId', options.eosId, options.eosPiece, PieceType.control],
    ['padId', options.padId, options.padPiece, PieceType.control],
  ] as const;
  const placeOf = new Map<string, number>();
  for (const [name, id, piece, type] of namedPieces) {
    if (id < 0 && name !== 'unkId') continue;
    if (!Number.isInteger(id) || id < 0 || id >= options.vocabSize) {
      throw bad(name, `${id} is not an id of a vocabulary of ${options.vocabSize}`);
    }
    if (pieces.has(id)) throw bad(name, `id ${id} is already taken by "${pieces.get(id)?.piece}"`);
    if (placeOf.has(piece) || piece === '') throw bad(name, `the piece "${piece}" is empty or used twice`);
    pieces.set(id, { piece, type });
    placeOf.set(piece, id);
  }
  const seenPieces = new Set<string>();
  let next = 0;
  const add = (path: string, piece: string, type: PieceType): void => {
    if (piece === '' || seenPieces.has(piece) || piece === options.unkPiece) {
      throw bad(path, `the symbol "${piece}" is empty, repeated or the unknown piece`);
    }
    seenPieces.add(piece);
    const knownPlace = placeOf.get(piece);
    if (knownPlace !== undefined) {
      pieces.set(knownPlace, { piece, type });
      return;
    }
    while (pieces.has(next)) next++;
    pieces.set(next, { piece, type });
  };
  for (const piece of options.controlSymbols) add('controlSymbols', piece, PieceType.control);
  for (const piece of options.userDefinedSymbols) add('userDefinedSymbols', piece, PieceType.userDefined);
  if (options.byteFallback) {
    for (let byte = 0; byte < 256; byte++) add('byteFallback', byteToPiece(byte), PieceType.byte);
  }
  return pieces;
}

/** The whole vocabulary in id order: meta pieces at their ids, trained ones between. */
export function mergePieces(
  meta: MetaPieces,
  trained: readonly { piece: string; score: number }[],
): SentencePiece[] {
  const pieces: SentencePiece[] = [];
  let next = 0;
  for (let id = 0; id < meta.size + trained.length; id++) {
    const fixed = meta.get(id);
    if (fixed) pieces.push({ ...fixed, score: 0 });
    else if (next < trained.length) pieces.push({ ...trained[next++], type: PieceType.normal });
    else {
      throw bad('padId', `the special pieces leave a gap: nothing is left for id ${id}`);
    }
  }
  return pieces;
}

function bad(path: string, message: string): AnemoneError {
  return new AnemoneError({ code: 'tokenizer.bad-option', path, message });
}
