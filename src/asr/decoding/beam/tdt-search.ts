// Beam search of TDT models, NeMo's strategy `beam`: like default-search.ts, but a token comes with a duration,
// so that hypotheses wait at the frame they have jumped to.
import type { Prefix } from './prefix.js';
import { bestIndex, byScore, type Search, topK } from './search.js';
import { durationTable, mergeDuplicates, type TdtHypothesis, tdtStart, withBlank, withToken } from './tdt-hypotheses.js'; // biome-ignore format: one line reads better

export function* tdtSearch(
  root: Prefix,
  frames: number,
  beamSize: number,
  vocabulary: number,
  durationList: readonly number[],
): Search {
  const beam = Math.min(beamSize, vocabulary);
  const expansions = Math.min(beam, vocabulary - 1);
  const { durations, zero, shortest } = durationTable(durationList);
  const durationBeam = Math.min(beam, durations.length);
  let keptBeam: TdtHypothesis[] = [tdtStart(root)];
  for (let frame = 0; frame < frames; frame++) {
    const openBeam = keptBeam.filter((hypothesis) => hypothesis.at === frame);
    keptBeam = keptBeam.filter((hypothesis) => hypothesis.at > frame);
    while (openBeam.length > 0) {
      const [best] = openBeam.splice(bestIndex(openBeam), 1);
      const [scores] = yield [{ prefix: best.prefix, frame }];
      const { tokens } = scores;
      const lengths = scores.durations as Float32Array;
      const topDurations = topK(lengths, durationBeam);
      for (const { token, duration, score } of pairs(tokens, lengths, topDurations, expansions, vocabulary)) {
        const next = withToken(best, token, score, durations[duration]);
        (durations[duration] === 0 ? openBeam : keptBeam).push(next);
      }
      for (const top of topDurations) {
        // A blank moves on; where only "stay" is in the beam, by the shortest step.
        if (top === zero && topDurations.length > 1) continue;
        const duration = top === zero ? shortest : top;
        keptBeam.push(withBlank(best, tokens[vocabulary] + lengths[duration], durations[duration]));
      }
      keptBeam = mergeDuplicates(keptBeam);
      if (openBeam.length === 0) {
        keptBeam = keptBeam.sort(byScore).slice(0, beam);
        break;
      }
      const bound = openBeam[bestIndex(openBeam)].score;
      const certain = keptBeam.filter((hypothesis) => hypothesis.score > bound);
      if (certain.length >= beam) {
        keptBeam = certain.sort(byScore).reverse();
        break;
      }
    }
  }
  return keptBeam;
}

/** The best pairs of one of the best tokens and one of the best durations. */
function pairs(
  tokens: Float32Array,
  lengths: Float32Array,
  topDurations: readonly number[],
  count: number,
  vocabulary: number,
): { token: number; duration: number; score: number }[] {
  const topTokens = topK(tokens, count, vocabulary);
  const all = topDurations.flatMap((duration) =>
    topTokens.map((token) => ({ token, duration, score: tokens[token] + lengths[duration] })),
  );
  return all.sort((a, b) => b.score - a.score).slice(0, count);
}
