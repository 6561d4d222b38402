// Modified adaptive expansion search (Kim et al. 2020), NeMo's strategy `maes`: a few rounds a frame, each of
// which extends hypotheses only by tokens close to the best one. A hypothesis first takes over the probability
// of reaching it from its own prefixes in the beam. Fuses an n-gram language model.
import { type Fusion, fusionScore } from './language-model.js';
import type { Prefix } from './prefix.js';
import { prefixSearch } from './prefix-search.js';
import { type BeamHypothesis, byScore, type Search, start, topK } from './search.js';

export interface AdaptiveExpansionOptions {
  readonly beamSize: number;
  readonly vocabulary: number;
  /** Rounds at one frame. */
  readonly steps: number;
  readonly prefixAlpha: number;
  readonly gamma: number;
  readonly beta: number;
  readonly fusion?: Fusion | undefined;
}

export function* adaptiveExpansionSearch(
  root: Prefix,
  frames: number,
  options: AdaptiveExpansionOptions,
): Search {
  const { vocabulary, steps, gamma, fusion } = options;
  const beam = Math.min(options.beamSize, vocabulary);
  const candidates = Math.min(options.beamSize + options.beta, vocabulary + 1);
  let keptBeam: BeamHypothesis[] = [start(root)];
  for (let frame = 0; frame < frames; frame++) {
    let openBeam = yield* prefixSearch(keptBeam, frame, options);
    const knownPrefixes = new Set(openBeam.map(({ prefix }) => prefix));
    const blanks: BeamHypothesis[] = [];
    for (let step = 0; step < steps; step++) {
      const scores = yield openBeam.map(({ prefix }) => ({ prefix, frame }));
      const extended: BeamHypothesis[] = [];
      openBeam.forEach((hypothesis, i) => {
        const { tokens } = scores[i];
        const top = topK(tokens, candidates);
        const nearTokens = top.filter((token) => tokens[top[0]] - gamma <= tokens[token]).reverse();
        for (const token of nearTokens) {
          const score = hypothesis.score + tokens[token];
          if (token === vocabulary) blanks.push({ ...hypothesis, score });
          else if (!knownPrefixes.has(hypothesis.prefix.child(token))) {
            extended.push({
              score: score + fusionScore(fusion, hypothesis.prefix, token),
              prefix: hypothesis.prefix.child(token),
              frames: [...hypothesis.frames, frame],
            });
          }
        }
      });
      if (extended.length === 0) {
        keptBeam = blanks.sort(byScore).slice(0, beam);
        break;
      }
      if (step < steps - 1) {
        openBeam = extended;
        continue;
      }
      const last = yield extended.map(({ prefix }) => ({ prefix, frame }));
      extended.forEach((hypothesis, i) => {
        hypothesis.score += last[i].tokens[vocabulary];
      });
      keptBeam = [...blanks, ...extended].sort(byScore).slice(0, beam);
    }
  }
  return keptBeam;
}
