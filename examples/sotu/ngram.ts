// An n-gram model of tokens with interpolated, modified Kneser-Ney smoothing (Chen and Goodman 1999, §3): what a neural network
// has to beat. Counts of histories and of their continuations lie in one hash table an order.

/** Numbers of n-grams of one order, each known by the number of its history and its last token. */
class GramTable {
  private keys = new Float64Array(1 << 16).fill(-1);
  private values = new Int32Array(1 << 16);
  size = 0;

  constructor(private readonly vocabSize: number) {}

  /** The gram's number, or -1. */
  find(history: number, token: number): number {
    const slot = this.slotOf(history * this.vocabSize + token);
    return this.keys[slot] === -1 ? -1 : this.values[slot];
  }

  /** The gram's number; a new one is that of the table's size before. */
  add(history: number, token: number): number {
    const key = history * this.vocabSize + token;
    const slot = this.slotOf(key);
    if (this.keys[slot] !== -1) return this.values[slot];
    this.keys[slot] = key;
    this.values[slot] = this.size++;
    if (this.size * 2 > this.keys.length) this.grow();
    return this.size - 1;
  }

  private slotOf(key: number): number {
    const mask = this.keys.length - 1;
    let slot = (Math.imul(key % 0x7fffffff, 0x9e3779b1) >>> 7) & mask;
    while (this.keys[slot] !== -1 && this.keys[slot] !== key) slot = (slot + 1) & mask;
    return slot;
  }

  private grow(): void {
    const [keys, values] = [this.keys, this.values];
    this.keys = new Float64Array(2 * keys.length).fill(-1);
    this.values = new Int32Array(2 * keys.length);
    keys.forEach((key, i) => {
      if (key === -1) return;
      const slot = this.slotOf(key);
      this.keys[slot] = key;
      this.values[slot] = values[i];
    });
  }
}

/** A growing array of counts. */
class Counts {
  private values = new Int32Array(1 << 16);

  get(i: number): number {
    return i < this.values.length ? this.values[i] : 0;
  }

  increment(i: number, by = 1): void {
    if (i >= this.values.length) {
      const larger = new Int32Array(2 ** Math.ceil(Math.log2(i + 1)));
      larger.set(this.values);
      this.values = larger;
    }
    this.values[i] += by;
  }
}

/** What is known of the grams of one order. */
interface Order {
  readonly table: GramTable;
  /** Of each gram: how often it is there, or, below the highest order, how many tokens are seen before it. */
  readonly counts: Counts;
  /** Of each history: Σ counts. */
  readonly totals: Counts;
  /** Of each history: how many continuations have a count of 1, of 2, of more. */
  readonly continuations: readonly [Counts, Counts, Counts];
  /** What is taken off counts of 1, of 2, of more. */
  discounts: readonly number[];
}

export class KneserNey {
  private readonly orders: Order[];

  /**
   * @param tokens of the training text, documents one after the other
   * @param length tokens of a gram, 5 unless given
   */
  constructor(
    tokens: ArrayLike<number>,
    private readonly vocabSize: number,
    private readonly length = 5,
  ) {
    this.orders = Array.from({ length }, () => ({
      table: new GramTable(vocabSize),
      counts: new Counts(),
      totals: new Counts(),
      continuations: [new Counts(), new Counts(), new Counts()],
      discounts: [],
    }));
    const histories = this.count(tokens);
    for (const [n, order] of this.orders.entries()) finish(order, histories[n]);
  }

  /** Counts all grams. @returns of each order, the history of each gram */
  private count(tokens: ArrayLike<number>): Counts[] {
    const histories = this.orders.map(() => new Counts());
    // Grams that end at the token before, by order; the empty one is number 0.
    let before: number[] = [0];
    for (let i = 0; i < tokens.length; i++) {
      const ending: number[] = [0];
      for (let n = 0; n < Math.min(this.length, before.length); n++) {
        const { table, counts } = this.orders[n];
        const known = table.size;
        const gram = table.add(before[n], tokens[i]);
        if (gram === known) {
          histories[n].increment(gram, before[n]);
          // A new gram is one more token seen before the shorter one that it ends with.
          if (n > 0) this.orders[n - 1].counts.increment(ending[n]);
        }
        if (n === this.length - 1) counts.increment(gram);
        ending.push(gram);
      }
      before = ending;
    }
    return histories;
  }

  /** Probability of a token after others. */
  probability(history: ArrayLike<number>, token: number): number {
    const known = Math.min(history.length, this.length - 1);
    let probability = 1 / this.vocabSize;
    for (let n = 0; n <= known; n++) {
      const gram = this.gramOf(history, n);
      if (gram < 0) return probability;
      probability = this.interpolated(n, gram, token, probability);
    }
    return probability;
  }

  /** Number of the last `n` tokens of a history as a gram of that order, or -1. */
  private gramOf(history: ArrayLike<number>, n: number): number {
    let gram = 0;
    for (let i = 0; i < n && gram >= 0; i++) {
      gram = this.orders[i].table.find(gram, history[history.length - n + i]);
    }
    return gram;
  }

  private interpolated(n: number, history: number, token: number, lower: number): number {
    const { table, counts, totals, continuations, discounts } = this.orders[n];
    const total = totals.get(history);
    if (total === 0) return lower;
    const gram = table.find(history, token);
    const count = gram < 0 ? 0 : counts.get(gram);
    const discounted = count === 0 ? 0 : count - discounts[Math.min(count, 3) - 1];
    const taken = discounts.reduce((sum, d, i) => sum + d * continuations[i].get(history), 0);
    return (discounted + taken * lower) / total;
  }

  /** Bits of a text, each token after those before it. */
  bits(tokens: ArrayLike<number>): number {
    let bits = 0;
    const history: number[] = [];
    for (let i = 0; i < tokens.length; i++) {
      bits -= Math.log2(this.probability(history, tokens[i]));
      history.push(tokens[i]);
      if (history.length >= this.length) history.shift();
    }
    return bits;
  }
}

/** Sums of histories and the discounts, from the counts (Chen and Goodman 1999, equation 17). */
function finish(order: Order, histories: Counts): void {
  const withCount = [0, 0, 0, 0];
  for (let gram = 0; gram < order.table.size; gram++) {
    const count = order.counts.get(gram);
    if (count === 0) continue;
    if (count <= 4) withCount[count - 1]++;
    const history = histories.get(gram);
    order.totals.increment(history, count);
    order.continuations[Math.min(count, 3) - 1].increment(history);
  }
  const [n1, n2, n3, n4] = withCount;
  const y = n1 / (n1 + 2 * n2) || 0;
  const estimates = [1 - (2 * y * n2) / n1, 2 - (3 * y * n3) / n2, 3 - (4 * y * n4) / n3];
  // A small text has no such counts: half of a count is taken then.
  order.discounts = estimates.map((d, i) => (d > 0 && d < i + 1 ? d : 0.5));
}
