// Segmenting with a BPE model: begin with characters, join the neighbouring pair whose piece has the highest
// score (the leftmost of equals) until no pair is a piece. Training is in train/bpe-trainer.ts.
import type { PieceTable } from './piece-table.js';
import { type Segment, type Segmenter, splitIntoSymbols } from './segmenter.js';

export class BpeSegmenter implements Segmenter {
  constructor(private readonly table: PieceTable) {}

  segment(bytes: Uint8Array): Segment[] {
    const { table } = this;
    const symbols = splitIntoSymbols(bytes, table);
    const count = symbols.length;
    const texts = symbols.map((s) => s.text);
    const previous = Int32Array.from({ length: count }, (_, i) => i - 1);
    const next = Int32Array.from({ length: count }, (_, i) => (i + 1 < count ? i + 1 : -1));
    const agenda = new Agenda();
    // How unused pieces came about, so that they can be taken apart again.
    const parts = new Map<string, readonly [string, string]>();

    const propose = (left: number, right: number): void => {
      if (left < 0 || right < 0 || symbols[left].frozen || symbols[right].frozen) return;
      const text = texts[left] + texts[right];
      const id = table.segments.get(text);
      if (id === undefined) return;
      agenda.push(table.scores[id], left, right, text.length);
      if (table.isUnused(id)) parts.set(text, [texts[left], texts[right]]);
    };
    for (let i = 1; i < count; i++) propose(i - 1, i);

    while (agenda.pop()) {
      const { left, right, size } = agenda;
      // Skip a pair one of whose halves has changed since.
      if (texts[left] === '' || texts[right] === '' || texts[left].length + texts[right].length !== size) {
        continue;
      }
      texts[left] += texts[right];
      texts[right] = '';
      next[left] = next[right];
      if (next[right] >= 0) previous[next[right]] = left;
      propose(previous[left], left);
      propose(left, next[left]);
    }

    const segments: Segment[] = [];
    const emit = (text: string): void => {
      const id = table.id(text);
      const halves = table.isUnused(id) ? parts.get(text) : undefined;
      if (halves === undefined) segments.push({ text, id });
      else halves.forEach(emit);
    };
    for (let i = 0; i >= 0 && i < count; i = next[i]) emit(texts[i]);
    return segments;
  }
}

/** A binary heap of candidate pairs: highest score first, then leftmost. `pop` leaves the answer in the fields. */
class Agenda {
  left = 0;
  right = 0;
  /** Length of the joined text in UTF-16 units. */
  size = 0;
  private readonly scores: number[] = [];
  private readonly lefts: number[] = [];
  private readonly rights: number[] = [];
  private readonly sizes: number[] = [];

  push(score: number, left: number, right: number, size: number): void {
    let hole = this.scores.length;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (!this.outranks(score, left, parent)) break;
      this.move(parent, hole);
      hole = parent;
    }
    this.put(hole, score, left, right, size);
  }

  pop(): boolean {
    const last = this.scores.length - 1;
    if (last < 0) return false;
    this.left = this.lefts[0];
    this.right = this.rights[0];
    this.size = this.sizes[0];
    const score = this.scores.pop() as number;
    const left = this.lefts.pop() as number;
    const right = this.rights.pop() as number;
    const size = this.sizes.pop() as number;
    if (last === 0) return true;
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= last) break;
      if (child + 1 < last && this.outranks(this.scores[child + 1], this.lefts[child + 1], child)) child++;
      if (this.outranks(score, left, child)) break;
      this.move(child, hole);
      hole = child;
    }
    this.put(hole, score, left, right, size);
    return true;
  }

  private outranks(score: number, left: number, otherLeft: number): boolean {
    return (
      score > this.scores[otherLeft] || (score === this.scores[otherLeft] && left < this.lefts[otherLeft])
    );
  }

  private move(from: number, to: number): void {
    this.put(to, this.scores[from], this.lefts[from], this.rights[from], this.sizes[from]);
  }

  private put(at: number, score: number, left: number, right: number, size: number): void {
    this.scores[at] = score;
    this.lefts[at] = left;
    this.rights[at] = right;
    this.sizes[at] = size;
  }
}
