// The two model types that need no learning: the most frequent characters, or the most frequent words.
import type { Corpus } from './corpus.js';
import { byCount } from './order.js';
import { UNKNOWN_CODE } from './piece-rules.js';

/** Up to `room` pieces with their log frequency as score. */
export function countPieces(
  corpus: Corpus,
  room: number,
  modelType: 'char' | 'word',
): { piece: string; score: number }[] {
  const unknownChar = String.fromCharCode(UNKNOWN_CODE);
  const entries = modelType === 'char' ? corpus.requiredChars : byCount(corpus.words);
  const total = entries.reduce((sum, [, count]) => sum + count, 0);
  return entries
    .filter(([piece]) => !piece.includes(unknownChar))
    .slice(0, room)
    .map(([piece, count]) => ({ piece, score: logFloat(count) - logFloat(total) }));
}

/** The logarithm in single precision, which shows in the last digit of a `.vocab` file. */
function logFloat(count: number): number {
  return Math.fround(Math.log(Math.fround(count)));
}
