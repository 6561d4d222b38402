// N-gram language models in searches.
import type { LmState, NgramModel } from './ngram-model.js';
import type { TokenModel } from './token-model.js';

/** An n-gram model of words as a model of tokens, each of which is one of its words (token-words.ts). */
export class TokenNgram implements TokenModel<LmState> {
  private readonly unknownScore: number;

  /**
   * @param words of the model, one for each token
   * @param shareUnknown the probability of `<unk>` is shared among the tokens that the model does not know, and what
   *   came before one of them is forgotten: NeMo's NGramGPULanguageModel. Without it each scores as `<unk>`: KenLM.
   */
  constructor(
    private readonly model: NgramModel,
    private readonly words: readonly string[],
    private readonly shareUnknown = false,
  ) {
    const unknownCount = words.filter((word) => !model.has(word)).length;
    this.unknownScore = shareUnknown && unknownCount > 1 ? -Math.log(unknownCount) : 0;
  }

  start(): LmState {
    return this.model.start();
  }

  next(state: LmState, token: number): { readonly score: number; readonly state: LmState } {
    const next = this.model.score(state, this.words[token]);
    if (!this.shareUnknown || this.model.has(this.words[token])) return next;
    return { score: next.score + this.unknownScore, state: [] };
  }

  end(state: LmState): number {
    return this.model.finish(state);
  }
}
