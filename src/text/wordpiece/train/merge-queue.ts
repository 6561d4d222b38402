// Pairs of neighbouring pieces by how often they occur, with the words that have them. Counts change all the time; an
// entry's place in the queue is put right when it comes up.

export interface Merge {
  readonly left: number;
  readonly right: number;
  readonly count: number;
  /** Words in which the pair came about. */
  readonly words: ReadonlySet<number>;
}

export class MergeQueue {
  private readonly heap: Merge[] = [];
  private readonly counts = new Map<number, number>();
  /** Words of the pairs that came about since the last flush. */
  private pending = new Map<number, Set<number>>();

  /** The pair occurs so many times more in `word`, or fewer. */
  change(left: number, right: number, by: number, word: number): void {
    const key = keyOf(left, right);
    this.counts.set(key, (this.counts.get(key) ?? 0) + by);
    if (by <= 0) return;
    const words = this.pending.get(key);
    if (words) words.add(word);
    else this.pending.set(key, new Set([word]));
  }

  /** Queues the pairs that came about. */
  flush(): void {
    for (const [key, words] of this.pending) {
      const count = this.counts.get(key) as number;
      if (count > 0) this.push({ left: Math.floor(key / IDS), right: key % IDS, count, words });
    }
    this.pending = new Map();
  }

  /** Takes the most frequent pair; of equals the one with the lower ids. */
  pop(): Merge | undefined {
    for (;;) {
      const top = this.take();
      if (!top) return undefined;
      const count = this.counts.get(keyOf(top.left, top.right)) as number;
      if (count === top.count) return top;
      if (count > 0) this.push({ ...top, count });
    }
  }

  private push(merge: Merge): void {
    const { heap } = this;
    let at = heap.push(merge) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(merge, heap[parent])) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = merge;
  }

  private take(): Merge | undefined {
    const { heap } = this;
    const top = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1], heap[child])) child++;
      if (!before(heap[child], last)) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

/** More ids than a vocabulary can have; two of them fit into an exact number. */
const IDS = 2 ** 26;

const keyOf = (left: number, right: number): number => left * IDS + right;

function before(a: Merge, b: Merge): boolean {
  return a.count !== b.count ? a.count > b.count : a.left !== b.left ? a.left < b.left : a.right < b.right;
}
