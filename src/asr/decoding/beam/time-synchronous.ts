// Time-synchronous decoding (Saon et al. 2020), NeMo's strategy `tsd`: at every frame up to a fixed number of
// rounds, each of which extends the whole beam by one token.
import type { Prefix } from './prefix.js';
import { type BeamHypothesis, byScore, logAdd, type Search, start, topK } from './search.js';

export function* timeSynchronousSearch(
  root: Prefix,
  frames: number,
  beamSize: number,
  vocabulary: number,
  mostSymbols: number,
): Search {
  const beam = Math.min(beamSize, vocabulary);
  let currentBeam: BeamHypothesis[] = [start(root)];
  for (let frame = 0; frame < frames; frame++) {
    /** Those that are done with this frame. */
    const finished: BeamHypothesis[] = [];
    let openBeam = currentBeam;
    for (let round = 0; round < mostSymbols && openBeam.length > 0; round++) {
      const scores = yield openBeam.map(({ prefix }) => ({ prefix, frame }));
      // Merged with what earlier rounds finished; within a round NeMo keeps duplicates.
      const earlier = new Map(finished.map((hypothesis) => [hypothesis.prefix, hypothesis]));
      const extended: BeamHypothesis[] = [];
      openBeam.forEach((hypothesis, i) => {
        const { tokens } = scores[i];
        const score = hypothesis.score + tokens[vocabulary];
        const samePrefix = earlier.get(hypothesis.prefix);
        if (samePrefix) samePrefix.score = logAdd(samePrefix.score, score);
        else finished.push({ ...hypothesis, score });
        for (const token of topK(tokens, beam, vocabulary)) {
          extended.push({
            score: hypothesis.score + tokens[token],
            prefix: hypothesis.prefix.child(token),
            frames: [...hypothesis.frames, frame],
          });
        }
      });
      openBeam = extended.sort(byScore).slice(0, beam);
    }
    currentBeam = finished.sort(byScore).slice(0, beam);
  }
  return currentBeam;
}
