// The beam search of Graves 2012 without its prefix sums, NeMo's strategy `beam`: at each frame the best
// hypothesis is extended until `beam` finished ones are better than all that could still be extended. Equal
// sequences are not merged. With beam 1 it is a greedy search of at most five tokens a frame.
import type { Prefix } from './prefix.js';
import { type BeamHypothesis, bestIndex, byScore, type Search, start, topK } from './search.js';

export function* defaultSearch(root: Prefix, frames: number, beamSize: number, vocabulary: number): Search {
  if (beamSize === 1) return yield* greedySearch(root, frames, vocabulary);
  const beam = Math.min(beamSize, vocabulary);
  const expansions = Math.min(beam, vocabulary - 1);
  let keptBeam: BeamHypothesis[] = [start(root)];
  for (let frame = 0; frame < frames; frame++) {
    const openBeam = keptBeam;
    keptBeam = [];
    while (openBeam.length > 0) {
      const [best] = openBeam.splice(bestIndex(openBeam), 1);
      const [{ tokens }] = yield [{ prefix: best.prefix, frame }];
      for (const token of topK(tokens, expansions, vocabulary)) {
        openBeam.push({
          score: best.score + tokens[token],
          prefix: best.prefix.child(token),
          frames: [...best.frames, frame],
        });
      }
      keptBeam.push({ ...best, score: best.score + tokens[vocabulary] });
      const bound = openBeam.length > 0 ? openBeam[bestIndex(openBeam)].score : Number.NEGATIVE_INFINITY;
      const certain = keptBeam.filter((hypothesis) => hypothesis.score > bound);
      if (certain.length >= beam) {
        keptBeam = certain.sort(byScore).reverse();
        break;
      }
    }
  }
  return keptBeam;
}

/** NeMo's bound on tokens at one frame. */
const mostSymbols = 5;

/** Its score counts tokens only, not blanks. */
function* greedySearch(root: Prefix, frames: number, vocabulary: number): Search {
  let currentHypothesis = start(root);
  for (let frame = 0; frame < frames; frame++) {
    for (let symbols = 0; symbols < mostSymbols; symbols++) {
      const [{ tokens }] = yield [{ prefix: currentHypothesis.prefix, frame }];
      const [token] = topK(tokens, 1);
      if (token === vocabulary) break;
      currentHypothesis = {
        score: currentHypothesis.score + tokens[token],
        prefix: currentHypothesis.prefix.child(token),
        frames: [...currentHypothesis.frames, frame],
      };
    }
  }
  return [currentHypothesis];
}
