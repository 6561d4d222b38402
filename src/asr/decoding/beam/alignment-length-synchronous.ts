// Alignment-length synchronous decoding (Saon et al. 2020), NeMo's strategy `alsd`: all hypotheses have the same
// number of tokens plus blanks, and may be at different frames.
import type { TargetLength } from '../config.js';
import type { Prefix } from './prefix.js';
import { type BeamHypothesis, byScore, logAdd, type Search, sortNBest, start, topK } from './search.js';

export function* alignmentLengthSearch(
  root: Prefix,
  frames: number,
  beamSize: number,
  vocabulary: number,
  longest: TargetLength,
  normalise: boolean,
): Search {
  const beam = Math.min(beamSize, vocabulary);
  const mostTokens = 'tokens' in longest ? longest.tokens : Math.floor(longest.perFrame * frames);
  let currentBeam: BeamHypothesis[] = [start(root)];
  const final: BeamHypothesis[] = [];
  for (let step = 0; step < frames + mostTokens; step++) {
    const frameOf = ({ prefix }: BeamHypothesis): number => step - prefix.length;
    const openBeam = currentBeam.filter((hypothesis) => frameOf(hypothesis) < frames);
    if (openBeam.length === 0) break;
    const scores = yield openBeam.map((hypothesis) => ({
      prefix: hypothesis.prefix,
      frame: frameOf(hypothesis),
    }));
    const extended: BeamHypothesis[] = [];
    openBeam.forEach((hypothesis, i) => {
      const { tokens } = scores[i];
      const frame = frameOf(hypothesis);
      const blank = { ...hypothesis, score: hypothesis.score + tokens[vocabulary] };
      extended.push(blank);
      // The same object goes on in the beam: merging it with an equal one there counts for the result, as in NeMo.
      if (frame === frames - 1) final.push(blank);
      for (const token of topK(tokens, beam, vocabulary)) {
        extended.push({
          score: hypothesis.score + tokens[token],
          prefix: hypothesis.prefix.child(token),
          frames: [...hypothesis.frames, frame],
        });
      }
    });
    currentBeam = recombine(extended.sort(byScore).slice(0, beam));
  }
  // Where nothing reached the end in time, NeMo gives the unfinished beam as it is.
  return final.length > 0 ? sortNBest(final, normalise) : currentBeam;
}

/** Equal sequences become one, with the sum of their probabilities. */
function recombine(hypotheses: readonly BeamHypothesis[]): BeamHypothesis[] {
  const mergedBeam = new Map<Prefix, BeamHypothesis>();
  for (const hypothesis of hypotheses) {
    const samePrefix = mergedBeam.get(hypothesis.prefix);
    if (samePrefix) samePrefix.score = logAdd(samePrefix.score, hypothesis.score);
    else mergedBeam.set(hypothesis.prefix, hypothesis);
  }
  return [...mergedBeam.values()];
}
