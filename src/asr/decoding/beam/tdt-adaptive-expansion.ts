// Modified adaptive expansion search of TDT models, NeMo's strategy `maes` for them: as in adaptive-expansion.ts
// with pairs of token and duration, blanks included, as candidates.
import type { AdaptiveExpansionOptions } from './adaptive-expansion.js';
import { fusionScore } from './language-model.js';
import type { Prefix } from './prefix.js';
import { prefixSearch } from './prefix-search.js';
import { byScore, type Scores, type Search, topK } from './search.js';
import { durationTable, mergeDuplicates, type TdtHypothesis, tdtStart, withBlank, withToken } from './tdt-hypotheses.js'; // biome-ignore format: one line reads better

export function* tdtAdaptiveExpansionSearch(
  root: Prefix,
  frames: number,
  durationList: readonly number[],
  options: AdaptiveExpansionOptions,
): Search {
  const { vocabulary, steps, gamma, fusion } = options;
  const beam = Math.min(options.beamSize, vocabulary);
  const candidates = Math.min(options.beamSize + options.beta, vocabulary + 1);
  const { durations, zero, shortest } = durationTable(durationList);
  let keptBeam: TdtHypothesis[] = [tdtStart(root)];
  for (let frame = 0; frame < frames; frame++) {
    let openBeam = keptBeam.filter((hypothesis) => hypothesis.at === frame);
    keptBeam = keptBeam.filter((hypothesis) => hypothesis.at > frame);
    if (openBeam.length === 0) continue;
    if (zero >= 0) openBeam = yield* prefixSearch(openBeam, frame, options, zero);
    const movedBeam: TdtHypothesis[] = [];
    for (let step = 0; step < steps; step++) {
      const scores = yield openBeam.map(({ prefix }) => ({ prefix, frame }));
      const staying: TdtHypothesis[] = [];
      openBeam.forEach((hypothesis, i) => {
        for (const { token, duration, score } of candidatesOf(scores[i], candidates, gamma)) {
          if (token === vocabulary) {
            const frames = durations[duration] === 0 ? durations[shortest] : durations[duration];
            movedBeam.push(withBlank(hypothesis, score, frames));
            continue;
          }
          const next = withToken(hypothesis, token, score, durations[duration]);
          next.score += fusionScore(fusion, hypothesis.prefix, token);
          (durations[duration] === 0 ? staying : movedBeam).push(next);
        }
      });
      if (staying.length === 0) break;
      if (step < steps - 1) {
        openBeam = mergeDuplicates(staying);
        continue;
      }
      // No more tokens at this frame: a blank with its most probable step.
      const last = yield staying.map(({ prefix }) => ({ prefix, frame }));
      staying.forEach((hypothesis, i) => {
        const lengths = last[i].durations as Float32Array;
        const [top] = topK(lengths, 1);
        const duration = top === zero ? shortest : top;
        movedBeam.push(
          withBlank(hypothesis, last[i].tokens[vocabulary] + lengths[duration], durations[duration]),
        );
      });
    }
    keptBeam = mergeDuplicates([...keptBeam, ...movedBeam])
      .sort(byScore)
      .slice(0, beam);
  }
  return keptBeam;
}

/** Pairs of token or blank and duration, those near the best. */
function candidatesOf(
  { tokens, durations }: Scores,
  count: number,
  gamma: number,
): { token: number; duration: number; score: number }[] {
  const lengths = durations as Float32Array;
  const top = topK(tokens, count);
  const all = Array.from(lengths).flatMap((length, duration) =>
    top.map((token) => ({ token, duration, score: tokens[token] + length })),
  );
  const best = all.sort((a, b) => b.score - a.score).slice(0, count);
  return best.filter(({ score }) => score >= best[0].score - gamma);
}
