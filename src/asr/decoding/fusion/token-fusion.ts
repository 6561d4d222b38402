// Shallow fusion of token models.
import type { WeightedModel } from '../lm/token-model.js';

/**
 * Shallow fusion: the weighted sum of what models of tokens say, as a tree of states that searches walk. What was
 * asked once is remembered, so that hypotheses with a common beginning share the work.
 */
export class TokenFusion {
  /** `vocabulary` is the number of tokens, blank not counted. */
  constructor(
    private readonly models: readonly WeightedModel[],
    private readonly vocabulary: number,
  ) {}

  /** The state before the first token of an utterance. */
  start(): FusionState {
    const states = this.models.map(({ model }) => model.start());
    return new FusionState(this.models, this.vocabulary, states, 0);
  }
}

/** What the models of a fusion remember after the tokens of a hypothesis. */
export class FusionState {
  private readonly following = new Map<number, FusionState>();
  private dense: Float32Array | undefined;

  /** @internal */
  constructor(
    private readonly models: readonly WeightedModel[],
    private readonly vocabulary: number,
    private readonly states: readonly unknown[],
    /** What the last token added; 0 at the start. */
    readonly score: number,
  ) {}

  /** The state after one more token; the same object each time it is asked for. */
  after(token: number): FusionState {
    let next = this.following.get(token);
    if (!next) {
      let score = 0;
      const states = this.models.map(({ model, weight }, i) => {
        const step = model.next(this.states[i], token);
        score += weight * step.score;
        return step.state;
      });
      next = new FusionState(this.models, this.vocabulary, states, score);
      this.following.set(token, next);
    }
    return next;
  }

  /** What each token would add, [V]. */
  get scores(): Float32Array {
    if (!this.dense) {
      this.dense = new Float32Array(this.vocabulary);
      this.models.forEach(({ model, weight }, i) => {
        const [row, state] = [this.dense as Float32Array, this.states[i]];
        for (let token = 0; token < row.length; token++)
          row[token] += weight * model.next(state, token).score;
      });
    }
    return this.dense;
  }

  /** What ending here adds. */
  get end(): number {
    return this.models.reduce((sum, { model, weight }, i) => sum + weight * model.end(this.states[i]), 0);
  }
}
