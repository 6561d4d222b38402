// Segmenting with a unigram model: the cut with the highest sum of log probabilities, found by Viterbi over
// byte positions. Sums are rounded to float32 where SentencePiece rounds them, so that ties fall alike.
// Training is in train/unigram-trainer.ts.
import { PieceType } from '../../formats/index.js';
import { DoubleArray, unitOffset } from './double-array.js';
import { utf8Length } from './normalizer.js';
import type { PieceTable } from './piece-table.js';
import { type Segment, type Segmenter, utf8Decoder } from './segmenter.js';

const UNKNOWN_PENALTY = 10;
const LABEL_MASK = 0x800000ff | 0;
/** Smallest normal float32: where SentencePiece starts when it looks for the highest score. */
const SMALLEST_FLOAT = 2 ** -126;

export class UnigramSegmenter implements Segmenter {
  private readonly trie: DoubleArray;
  private readonly unkScore: number;
  private readonly maxScore: number;
  private ids = new Int32Array(0);
  private starts = new Int32Array(0);
  private scores = new Float32Array(0);

  constructor(private readonly table: PieceTable) {
    const encoder = new TextEncoder();
    const entries: [Uint8Array, number][] = [];
    for (const [piece, id] of table.segments) entries.push([encoder.encode(piece), id]);
    this.trie = DoubleArray.build(entries);
    let min = Number.POSITIVE_INFINITY;
    let max = SMALLEST_FLOAT;
    table.types.forEach((type, id) => {
      if (type !== PieceType.normal) return;
      min = Math.min(min, table.scores[id]);
      max = Math.max(max, table.scores[id]);
    });
    this.unkScore = Math.fround(min - UNKNOWN_PENALTY);
    this.maxScore = max;
  }

  segment(bytes: Uint8Array): Segment[] {
    this.search(bytes);
    const segments: Segment[] = [];
    for (let end = bytes.length; end > 0; end = this.starts[end]) {
      const id = this.ids[end];
      const text =
        id === this.table.unkId
          ? utf8Decoder.decode(bytes.subarray(this.starts[end], end))
          : this.table.pieces[id];
      segments.push({ text, id });
    }
    return segments.reverse();
  }

  private search(bytes: Uint8Array): void {
    const size = bytes.length;
    if (this.ids.length <= size) {
      this.ids = new Int32Array(2 * size + 1);
      this.starts = new Int32Array(2 * size + 1);
      this.scores = new Float32Array(2 * size + 1);
    }
    const { table, trie, ids, starts, scores } = this;
    const { units } = trie;
    starts.fill(-1, 0, size + 1);
    scores[0] = 0;
    for (let start = 0; start < size; ) {
      const before = scores[start];
      const charEnd = Math.min(size, start + utf8Length(bytes[start]));
      let hasCharacter = false;
      let base = trie.rootBase;
      for (let i = start; i < size; i++) {
        const at = base ^ bytes[i];
        const unit = units[at];
        if (unit === undefined || (unit & LABEL_MASK) !== bytes[i]) break;
        base = at ^ unitOffset(unit);
        if ((unit & 0x100) === 0) continue;
        const id = units[base] & 0x7fffffff;
        const type = table.types[id];
        if (type === PieceType.unused) continue;
        const end = i + 1;
        // User-defined symbols score so high that they are always taken.
        const score =
          type === PieceType.userDefined
            ? Math.fround((end - start) * this.maxScore) - 0.1
            : table.scores[id];
        const candidate = score + before;
        if (starts[end] < 0 || candidate > scores[end]) {
          scores[end] = candidate;
          starts[end] = start;
          ids[end] = id;
        }
        if (end === charEnd) hasCharacter = true;
      }
      if (!hasCharacter) {
        const candidate = Math.fround(this.unkScore + before);
        if (starts[charEnd] < 0 || candidate > scores[charEnd]) {
          scores[charEnd] = candidate;
          starts[charEnd] = start;
          ids[charEnd] = table.unkId;
        }
      }
      start = charEnd;
    }
  }
}
