// The beam search of Graves 2012 without its prefix sums, NeMo's strategy `beam`: at each frame the best
// hypothesis is extended until `beam` finished ones are better than all that could still be extended. Equal
// sequences are not merged. With beam 1 it is a greedy search of at most five tokens a frame.
import type { Prefix } from './prefix.js';
import { type BeamHypothesis, bestIndex, byScore, type Search, start, topK } from './search.js';

export function* defaultSearch(root: Prefix, frames: number, beamSize: number, vocabulary: number): Search {
  if (beamSize === 1) return yield* greedySearch(root, frames, vocabulary);
  const beam = Math.min(beamSize, vocabulary);
  const expansions = Math.min(beam, vocabulary - 1);
  let kept: BeamHypothesis[] = [start(root)];
  for (let frame = 0; frame < frames; frame++) {
    const open = kept;
    kept = [];
    while (open.length > 0) {
      const [best] = open.splice(bestIndex(open), 1);
      const [{ tokens }] = yield [{ prefix: best.prefix, frame }];
      for (const token of topK(tokens, expansions, vocabulary)) {
        open.push({
          score: best.score + tokens[token],
          prefix: best.prefix.child(token),
          frames: [...best.frames, frame],
        });
      }
      kept.push({ ...best, score: best.score + tokens[vocabulary] });
      const bound = open.length > 0 ? open[bestIndex(open)].score : Number.NEGATIVE_INFINITY;
      const certain = kept.filter((hypothesis) => hypothesis.score > bound);
      if (certain.length >= beam) {
        kept = certain.sort(byScore).reverse();
        break;
      }
    }
  }
  return kept;
}

/** NeMo's bound on tokens at one frame. */
const mostSymbols = 5;

/** Its score counts tokens only, not blanks. */
function* greedySearch(root: Prefix, frames: number, vocabulary: number): Search {
  let current = start(root);
  for (let frame = 0; frame < frames; frame++) {
    for (let symbols = 0; symbols < mostSymbols; symbols++) {
      const [{ tokens }] = yield [{ prefix: current.prefix, frame }];
      const [token] = topK(tokens, 1);
      if (token === vocabulary) break;
      current = {
        score: current.score + tokens[token],
        prefix: current.prefix.child(token),
        frames: [...current.frames, frame],
      };
    }
  }
  return [current];
}
