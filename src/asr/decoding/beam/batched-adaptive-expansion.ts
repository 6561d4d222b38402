// NeMo's strategy `maes_batch`: modified adaptive expansion search (Kim et al. 2020) that keeps only `beamSize`
// hypotheses after each round, and takes over only the probability of the longest prefix. The search of `maes` is in
// adaptive-expansion.ts. For RNN-T and HAT.
import { type BatchedFusion, bestCandidates, fusedScore } from './batched-fusion.js';
import type { Prefix } from './prefix.js';
import { type BeamHypothesis, byScore, logAdd, type Scores, type Search, start } from './search.js';

export interface BatchedAdaptiveExpansionOptions {
  readonly beamSize: number;
  /** Number of tokens; blank comes after them. */
  readonly vocabulary: number;
  /** Rounds at one frame. */
  readonly steps: number;
  /** Candidates this far below the best in log-probability are dropped. */
  readonly gamma: number;
  /** Candidates of a hypothesis beyond beamSize. */
  readonly beta: number;
  readonly fusion?: BatchedFusion | undefined;
}

/** NeMo's margin of `lm_weighted_full` here; see fusedScore. */
const margin = 1e-6;

export function* batchedAdaptiveExpansionSearch(
  root: Prefix,
  frames: number,
  options: BatchedAdaptiveExpansionOptions,
): Search {
  const { beamSize, vocabulary, steps, gamma, beta, fusion } = options;
  let beam: BeamHypothesis[] = [start(root)];
  for (let frame = 0; frame < frames; frame++) {
    let scores = yield beam.map(({ prefix }) => ({ prefix, frame }));
    beam = withPrefixes(beam, scores, fusion);
    /** Those that are not done with this frame. `scores` are theirs. */
    let openBeam = beam;
    for (let step = 0; step < steps && openBeam.length > 0; step++) {
      const knownPrefixes = new Set(beam.map(({ prefix }) => prefix));
      const staying = new Set(openBeam);
      const extended = beam.filter((hypothesis) => !staying.has(hypothesis));
      const openedBeam = new Set<BeamHypothesis>();
      openBeam.forEach((hypothesis, i) => {
        const { tokens } = scores[i];
        const top = bestCandidates(tokens, hypothesis.prefix, beamSize + beta, fusion, margin);
        for (const { token, score, rank } of top) {
          if (rank <= top[0].rank - gamma) continue;
          const sum = hypothesis.score + score;
          if (token === vocabulary) {
            extended.push({ ...hypothesis, score: sum });
            continue;
          }
          const prefix = hypothesis.prefix.child(token);
          if (knownPrefixes.has(prefix)) continue;
          const longer = { score: sum, prefix, frames: [...hypothesis.frames, frame] };
          openedBeam.add(longer);
          extended.push(longer);
        }
      });
      beam = extended.sort(byScore).slice(0, beamSize);
      openBeam = beam.filter((hypothesis) => openedBeam.has(hypothesis));
      if (openBeam.length > 0) scores = yield openBeam.map(({ prefix }) => ({ prefix, frame }));
    }
    // No more tokens at this frame: a blank, whose score is the network's alone, as in NeMo.
    openBeam.forEach((hypothesis, i) => {
      hypothesis.score += scores[i].tokens[vocabulary];
    });
  }
  return beam;
}

/** Adds to each score the probability of reaching the hypothesis at this frame from the one shorter by a token. */
function withPrefixes(
  beam: readonly BeamHypothesis[],
  scores: readonly Scores[],
  fusion: BatchedFusion | undefined,
): BeamHypothesis[] {
  const places = new Map(beam.map(({ prefix }, i) => [prefix, i]));
  return beam.map((hypothesis) => {
    const { parent, token } = hypothesis.prefix;
    const place = parent && places.get(parent);
    if (!parent || place === undefined) return { ...hypothesis };
    const { tokens } = scores[place];
    const way = beam[place].score + fusedScore(tokens, parent, token, fusion, margin);
    return { ...hypothesis, score: logAdd(hypothesis.score, way) };
  });
}
