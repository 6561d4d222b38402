// Learns the merges of byte-pair encoding (Sennrich et al. 2016): the most frequent pair becomes a token, again and again.
// Pairs, ties and bounds are those of Hugging Face's BpeTrainer, so that equal texts give equal merges.

/** What is learned from words. */
export interface MergeTraining {
  /** Symbols that are there from the start; their places are their ids. */
  readonly symbols: readonly string[];
  /** Words and how often they occur, as ids of symbols. */
  readonly words: readonly { readonly symbols: Int32Array; readonly count: number }[];
  /** Size of the vocabulary, `symbols` included. */
  readonly vocabSize: number;
  /** Pairs that are rarer are not merged. */
  readonly minFrequency: number;
  readonly onMerge?: ((done: number, wanted: number) => void) | undefined;
}

/** Tokens in the order of their ids, and pairs in the order in which they are merged. */
export interface LearnedMerges {
  readonly tokens: readonly string[];
  readonly merges: readonly (readonly [string, string])[];
}

/** A pair that waits to be merged, and the words in which it was seen to come up. */
interface Candidate {
  count: number;
  readonly left: number;
  readonly right: number;
  readonly words: readonly number[];
}

/** Ids are below it. */
const MOST_TOKENS = 2 ** 24;
const keyOf = (left: number, right: number): number => left * MOST_TOKENS + right;

export function learnMerges(training: MergeTraining): LearnedMerges {
  return new MergeTrainer(training).run();
}

class MergeTrainer {
  private readonly tokens: string[];
  private readonly ids: Map<string, number>;
  private readonly counts = new Map<number, number>();
  private readonly queue = new CandidateQueue();
  private readonly words: Int32Array[];
  private readonly lengths: Int32Array;

  constructor(private readonly training: MergeTraining) {
    this.tokens = [...training.symbols];
    this.ids = new Map(this.tokens.map((token, id) => [token, id]));
    this.words = training.words.map(({ symbols }) => symbols.slice());
    this.lengths = Int32Array.from(this.words, (word) => word.length);
  }

  run(): LearnedMerges {
    const { vocabSize, minFrequency, symbols, onMerge } = this.training;
    const merges: [number, number][] = [];
    this.countPairs();
    while (this.tokens.length < vocabSize) {
      const best = this.queue.pop();
      if (!best) break;
      const count = this.counts.get(keyOf(best.left, best.right)) ?? 0;
      if (best.count !== count) {
        best.count = count;
        this.queue.push(best);
        continue;
      }
      if (count < 1 || count < minFrequency) break;
      merges.push([best.left, best.right]);
      this.merge(best);
      onMerge?.(this.tokens.length - symbols.length, vocabSize - symbols.length);
    }
    // A pair that was merged twice has its later rank, as in the tables that files are made of.
    const last = new Map(merges.map(([left, right], rank) => [keyOf(left, right), rank]));
    const kept = merges.filter(([left, right], rank) => last.get(keyOf(left, right)) === rank);
    return {
      tokens: this.tokens,
      merges: kept.map(([left, right]) => [this.tokens[left], this.tokens[right]] as const),
    };
  }

  private countPairs(): void {
    const places = new Map<number, number[]>();
    for (const [index, word] of this.words.entries()) {
      const { count } = this.training.words[index];
      for (let i = 0; i + 1 < word.length; i++) {
        const key = keyOf(word[i], word[i + 1]);
        this.counts.set(key, (this.counts.get(key) ?? 0) + count);
        addPlace(places, key, index);
      }
    }
    this.enqueue(places);
  }

  private enqueue(places: ReadonlyMap<number, readonly number[]>): void {
    for (const [key, words] of places) {
      const count = this.counts.get(key) ?? 0;
      const left = Math.floor(key / MOST_TOKENS);
      if (count > 0) this.queue.push({ count, left, right: key % MOST_TOKENS, words });
    }
  }

  private merge({ left, right, words }: Candidate): void {
    const token = this.tokens[left] + this.tokens[right];
    let id = this.ids.get(token);
    if (id === undefined) {
      id = this.tokens.length;
      this.tokens.push(token);
      this.ids.set(token, id);
    }
    const places = new Map<number, number[]>();
    for (const index of words) this.mergeWord(index, left, right, id, places);
    this.enqueue(places);
  }

  /** Replaces the pair in a word, and counts what has become of its neighbours. */
  private mergeWord(
    index: number,
    left: number,
    right: number,
    id: number,
    places: Map<number, number[]>,
  ): void {
    const word = this.words[index];
    const { count } = this.training.words[index];
    const change = (key: number, by: number): void => {
      this.counts.set(key, (this.counts.get(key) ?? 0) + by);
      if (by > 0) addPlace(places, key, index);
    };
    let length = this.lengths[index];
    let out = 0;
    for (let i = 0; i < length; out++) {
      if (i + 1 >= length || word[i] !== left || word[i + 1] !== right) {
        word[out] = word[i++];
        continue;
      }
      if (out > 0) {
        change(keyOf(word[out - 1], left), -count);
        change(keyOf(word[out - 1], id), count);
      }
      i += 2;
      if (i < length) {
        change(keyOf(right, word[i]), -count);
        change(keyOf(id, word[i]), count);
      }
      word[out] = id;
    }
    length = out;
    this.lengths[index] = length;
  }
}

function addPlace(places: Map<number, number[]>, key: number, index: number): void {
  const list = places.get(key);
  if (!list) places.set(key, [index]);
  else if (list[list.length - 1] !== index) list.push(index);
}

/** The most frequent pair comes out first; of equals, the one of the lower ids. */
class CandidateQueue {
  private readonly heap: Candidate[] = [];

  push(candidate: Candidate): void {
    const { heap } = this;
    let at = heap.length;
    heap.push(candidate);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!comesBefore(candidate, heap[parent])) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = candidate;
  }

  pop(): Candidate | undefined {
    const { heap } = this;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && comesBefore(heap[child + 1], heap[child])) child++;
      if (!comesBefore(heap[child], last)) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function comesBefore(a: Candidate, b: Candidate): boolean {
  if (a.count !== b.count) return a.count > b.count;
  return a.left !== b.left ? a.left < b.left : a.right < b.right;
}
