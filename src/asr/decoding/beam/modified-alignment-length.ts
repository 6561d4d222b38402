// NeMo's strategy `malsd_batch`: alignment-length synchronous decoding (Saon et al. 2020) with a limit on the tokens
// at one frame in place of one on the length. A step extends every hypothesis by one token or blank; those that have
// reached the end stay in the beam. For RNN-T, HAT and TDT.
import { type BatchedFusion, bestCandidates, fusedScore } from './batched-fusion.js';
import type { Prefix } from './prefix.js';
import { byScore, type Scores, type Search, topK } from './search.js';
import { mergeDuplicates, type TdtHypothesis, tdtStart, withBlank, withToken } from './tdt-hypotheses.js';

export interface ModifiedAlignmentLengthOptions {
  readonly beamSize: number;
  /** Number of tokens; blank comes after them. */
  readonly vocabulary: number;
  /** Most tokens at one frame, null for no limit. */
  readonly maxSymbols: number | null;
  /** TDT: frames that tokens and blanks last. Without them a token lasts none and a blank one. */
  readonly durations?: readonly number[] | undefined;
  readonly fusion?: BatchedFusion | undefined;
}

interface Hypothesis extends TdtHypothesis {
  /** Tokens at the frame it is at. */
  readonly here: number;
}

interface Extension {
  readonly token: number;
  readonly duration: number;
  readonly score: number;
}

/** NeMo's margin of `lm_weighted_full` here; see fusedScore. */
const margin = 1e-2;

export function* modifiedAlignmentLengthSearch(
  root: Prefix,
  frames: number,
  options: ModifiedAlignmentLengthOptions,
): Search {
  const { beamSize, vocabulary, maxSymbols, durations } = options;
  let beam: Hypothesis[] = [{ ...tdtStart(root), here: 0 }];
  for (;;) {
    const openBeam = beam.filter(({ at }) => at < frames);
    if (openBeam.length === 0) break;
    const scores = yield openBeam.map(({ prefix, at }) => ({ prefix, frame: at }));
    const extended = beam.filter(({ at }) => at >= frames);
    openBeam.forEach((hypothesis, i) => {
      const isFull = maxSymbols !== null && hypothesis.here >= maxSymbols;
      const foundTokens = isFull
        ? [onlyBlank(scores[i], hypothesis.prefix, options)]
        : extensions(scores[i], hypothesis.prefix, options);
      for (const { token, duration, score } of foundTokens) {
        const next =
          token === vocabulary
            ? withBlank(hypothesis, score, duration)
            : withToken(hypothesis, token, score, duration);
        const stays = duration === 0;
        extended.push({ ...next, here: stays ? hypothesis.here + 1 : 0 });
      }
    });
    beam = mergeDuplicates(extended.sort(byScore).slice(0, beamSize));
  }
  return durations ? beam : beam.map(({ score, prefix, frames }) => ({ score, prefix, frames }));
}

function extensions(
  { tokens, durations: lengths }: Scores,
  prefix: Prefix,
  { beamSize, vocabulary, durations, fusion }: ModifiedAlignmentLengthOptions,
): Extension[] {
  const best = bestCandidates(tokens, prefix, beamSize, fusion, margin);
  if (!durations || !lengths) {
    return best.map(({ token, score }) => ({ token, score, duration: token === vocabulary ? 1 : 0 }));
  }
  const pairs = best.flatMap(({ token, score }) =>
    durations.map((duration, k) => ({
      token,
      duration: token === vocabulary && duration === 0 ? 1 : duration,
      score: score + lengths[k],
    })),
  );
  return pairs.sort(byScore).slice(0, beamSize);
}

/** What follows the last token that a frame may have. As in NeMo, early pruning takes the network's score alone. */
function onlyBlank(
  { tokens, durations: lengths }: Scores,
  prefix: Prefix,
  { vocabulary, durations, fusion }: ModifiedAlignmentLengthOptions,
): Extension {
  const lateFusion = fusion?.pruning === 'late' ? fusion : undefined;
  const blank = fusedScore(tokens, prefix, vocabulary, lateFusion, margin);
  if (!durations || !lengths) return { token: vocabulary, duration: 1, score: blank };
  const [likeliest] = topK(lengths, 1);
  return { token: vocabulary, duration: durations[likeliest] || 1, score: blank + lengths[likeliest] };
}
