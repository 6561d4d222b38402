// The prefix sums of Graves 2012, within a beam: a hypothesis can also be reached at this frame from a shorter
// one that is a prefix of it.
import { type Fusion, fusionScore } from './language-model.js';
import { type BeamHypothesis, logAdd, type Query, type Scores } from './search.js';

/**
 * Adds that probability to the scores and returns the hypotheses, longest first.
 * @param stay TDT: index of duration 0, whose probability each token then needs
 */
export function* prefixSearch<H extends BeamHypothesis>(
  keptBeam: readonly H[],
  frame: number,
  { prefixAlpha, fusion }: { readonly prefixAlpha: number; readonly fusion?: Fusion | undefined },
  stay?: number,
): Generator<readonly Query[], H[], readonly Scores[]> {
  const hypotheses = [...keptBeam].sort((a, b) => b.prefix.length - a.prefix.length);
  for (const [j, { prefix: longer }] of hypotheses.entries()) {
    for (const longerHypothesis of hypotheses.slice(j + 1)) {
      const from = longerHypothesis.prefix.length;
      const count = longer.length - from;
      if (count === 0 || count > prefixAlpha || longer.first(from) !== longerHypothesis.prefix) continue;
      const path = Array.from({ length: count }, (_, k) => longer.first(from + k));
      const scores = yield path.map((prefix) => ({ prefix, frame }));
      let score = longerHypothesis.score;
      path.forEach((prefix, k) => {
        const { token } = longer.first(from + k + 1);
        score += scores[k].tokens[token] + fusionScore(fusion, prefix, token);
        if (stay !== undefined) score += scores[k].durations?.[stay] ?? 0;
      });
      hypotheses[j].score = logAdd(hypotheses[j].score, score);
    }
  }
  return hypotheses;
}
