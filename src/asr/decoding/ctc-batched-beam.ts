// NeMo's strategy `beam_batch` of CTC: the `beamSize` best paths of frame labels, of which those that spell the same
// become one with the score of the better. Unlike ctc-beam.ts it does not sum paths. On the host, for one utterance.
import type { Hypothesis } from '../../generation/index.js';
import type { CtcBeamOptions, CtcFrames } from './ctc-beam.js';
import type { FusionState } from './fusion/token-fusion.js';

/** What paths spell; the same spelling is the same node. */
interface Spelling {
  readonly token: number;
  readonly before: Spelling | undefined;
  readonly following: Map<number, Spelling>;
  readonly fusion: FusionState | undefined;
}

interface Emission {
  readonly frame: number;
  readonly before: Emission | undefined;
}

interface Path {
  readonly score: number;
  /** Label of the last frame, blank included; -1 at the start. */
  readonly last: number;
  readonly spelling: Spelling;
  readonly emitted: Emission | undefined;
}

/** The last step of a path that may come to be. */
interface Step {
  readonly score: number;
  readonly from: Path;
  readonly label: number;
}

/** All paths in the beam at the end, best first. `threshold`: paths so far below the best are dropped. */
export function ctcBatchedBeamSearch(frames: CtcFrames, options: CtcBeamOptions): Hypothesis[] {
  const root: Spelling = {
    token: -1,
    before: undefined,
    following: new Map(),
    fusion: options.fusion?.start(),
  };
  let beam: Path[] = [{ score: 0, last: -1, spelling: root, emitted: undefined }];
  for (let frame = 0; frame < frames.length; frame++) {
    const steps = bestSteps(beam, frames, frame, options);
    const leastScore = steps[0].score - options.threshold;
    beam = distinct(
      steps.filter(({ score }) => score > leastScore).map((step) => taken(step, frame, frames.classes - 1)),
    );
  }
  return beam
    .map((path) => hypothesis(path, path.score + (path.spelling.fusion?.end ?? 0)))
    .sort((a, b) => b.score - a.score);
}

/** Best first. */
function bestSteps(
  beam: readonly Path[],
  { logProbabilities, offset, classes }: CtcFrames,
  frame: number,
  { beamSize, beta }: CtcBeamOptions,
): Step[] {
  const blank = classes - 1;
  const at = offset + frame * classes;
  const best: Step[] = [];
  for (const from of beam) {
    const fusionScores = from.spelling.fusion?.scores;
    for (let label = 0; label < classes; label++) {
      let score = from.score + logProbabilities[at + label];
      if (label !== blank && label !== from.last) score += beta + (fusionScores?.[label] ?? 0);
      if (best.length === beamSize && score <= best[beamSize - 1].score) continue;
      let place = Math.min(best.length, beamSize - 1);
      while (place > 0 && score > best[place - 1].score) {
        best[place] = best[place - 1];
        place--;
      }
      best[place] = { score, from, label };
    }
  }
  return best;
}

function taken({ score, from, label }: Step, frame: number, blank: number): Path {
  if (label === blank || label === from.last) return { ...from, score, last: label };
  const { following, fusion } = from.spelling;
  let spelling = following.get(label);
  if (!spelling) {
    spelling = { token: label, before: from.spelling, following: new Map(), fusion: fusion?.after(label) };
    following.set(label, spelling);
  }
  return { score, last: label, spelling, emitted: { frame, before: from.emitted } };
}

/** Of paths with the same spelling and last label the first, which is the best. */
function distinct(paths: readonly Path[]): Path[] {
  const seenTokens = new Map<Spelling, Set<number>>();
  return paths.filter(({ spelling, last }) => {
    const labels = seenTokens.get(spelling) ?? new Set();
    seenTokens.set(spelling, labels);
    if (labels.has(last)) return false;
    labels.add(last);
    return true;
  });
}

function hypothesis({ spelling, emitted }: Path, score: number): Hypothesis {
  const tokens: number[] = [];
  const frames: number[] = [];
  for (let at = spelling; at.before; at = at.before) tokens.push(at.token);
  for (let at = emitted; at; at = at.before) frames.push(at.frame);
  return { tokens: tokens.reverse(), frames: frames.reverse(), score };
}
