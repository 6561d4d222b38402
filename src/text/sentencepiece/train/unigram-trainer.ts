// placeholder
import type { Corpus } from './corpus.js';
import type { ResolvedTrainOptions } from './options.js';
export function learnUnigram(
  _c: Corpus,
  _room: number,
  _o: ResolvedTrainOptions,
  _f: ReadonlySet<string>,
): { piece: string; score: number }[] {
  throw new Error('not yet');
}
