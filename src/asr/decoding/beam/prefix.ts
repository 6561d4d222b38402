// Token sequences as a tree of prefixes. Two hypotheses with the same tokens have the same node, so that "same
// sequence" is a comparison of references and the prediction network runs once for each sequence.
import type { FusionState } from '../fusion/token-fusion.js';

export class Prefix {
  /** Tokens in the sequence. */
  readonly length: number;
  private readonly children = new Map<number, Prefix>();

  /** Filled in by the scorer: the joint's projection of the prediction, and the network's state. */
  prediction: Float32Array | undefined;
  state: Float32Array | undefined;
  /** Log-probabilities of the joint's own language model, where asked for (HAT). */
  internalLm: Float32Array | undefined;
  /** State after these tokens of the models that the search is fused with. */
  fusion: FusionState | undefined;

  private constructor(
    /** Last token; the start has none. */
    readonly token: number,
    readonly parent: Prefix | undefined,
  ) {
    this.length = parent ? parent.length + 1 : 0;
  }

  /** The empty sequence. `start` stands for "no token yet" towards the prediction network. */
  static root(start: number): Prefix {
    return new Prefix(start, undefined);
  }

  child(token: number): Prefix {
    let child = this.children.get(token);
    if (!child) {
      child = new Prefix(token, this);
      this.children.set(token, child);
    }
    return child;
  }

  tokens(): number[] {
    const tokens: number[] = [];
    for (let at: Prefix = this; at.parent; at = at.parent) tokens.push(at.token);
    return tokens.reverse();
  }

  /** The first `length` tokens. */
  first(length: number): Prefix {
    let at: Prefix = this;
    while (at.length > length && at.parent) at = at.parent;
    return at;
  }
}
