// A back-off n-gram language model: scores of words given those before them. Reading one is in arpa.ts.

/** Ids of the words that still matter, newest last. */
export type LmState = readonly number[];

/** An n-gram, at the end of the path of its words. */
export interface NgramNode {
  /** Natural logarithm of the probability of the last word after the others; undefined if only a longer one is known. */
  logProbability: number | undefined;
  /** Natural logarithm of the back-off weight. */
  backOff: number;
  children: Map<number, NgramNode> | undefined;
}

/** log P of a word that a model without `<unk>` does not know: KenLM's. */
const unknownScore = -100 * Math.LN10;

/** A back-off n-gram language model: scores of words given those before them (Katz 1987). */
export class NgramModel {
  constructor(
    readonly order: number,
    private readonly ids: ReadonlyMap<string, number>,
    private readonly root: NgramNode,
  ) {}

  /** Whether the model has a unigram of this word; another one is scored as `<unk>`. */
  has(word: string): boolean {
    return this.ids.has(word);
  }

  /** The state at the start of a sentence. */
  start(): LmState {
    const begin = this.ids.get('<s>');
    return begin === undefined ? [] : this.kept([begin]);
  }

  /** log P(word | state), a natural logarithm, and the state after it. Unknown words score as `<unk>`. */
  score(state: LmState, word: string): { score: number; state: LmState } {
    const id = this.ids.get(word) ?? this.ids.get('<unk>');
    if (id === undefined) return { score: unknownScore, state: [] };
    const next = this.kept([...state, id]);
    let penalty = 0;
    for (let from = 0; from <= state.length; from++) {
      const context = this.find(state, from);
      const entry = context?.children?.get(id);
      if (entry?.logProbability !== undefined) return { score: penalty + entry.logProbability, state: next };
      penalty += context?.backOff ?? 0;
    }
    return { score: penalty + unknownScore, state: next };
  }

  /** log P(end of sentence | state). */
  finish(state: LmState): number {
    return this.score(state, '</s>').score;
  }

  private find(words: LmState, from: number): NgramNode | undefined {
    let node: NgramNode | undefined = this.root;
    for (let i = from; i < words.length && node; i++) node = node.children?.get(words[i]);
    return node;
  }

  private kept(words: readonly number[]): LmState {
    return words.slice(Math.max(0, words.length - (this.order - 1)));
  }
}
