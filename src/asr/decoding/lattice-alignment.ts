// Where in time a transducer places the tokens of a known text: posteriors of the lattice points and the
// single most probable path (Viterbi). On the host, for one utterance, for reports and inspection.
import { type LatticeView, latticePosteriors } from '../losses/transducer-lattice-host.js';

export interface LatticePoint {
  readonly frame: number;
  /** Tokens emitted before this point. */
  readonly row: number;
}

export interface LatticeAlignment {
  readonly frames: number;
  /** Number of tokens + 1. */
  readonly rows: number;
  /** Probability that the path passes through (row, frame), row-major [rows, frames]. */
  readonly posteriors: Float32Array;
  /** The points of the best path, from (0, 0) to (frames-1, tokens). */
  readonly path: readonly LatticePoint[];
  /** Frame at which the best path emits each token. */
  readonly tokenFrames: readonly number[];
  /** log P(text | audio), over all paths. */
  readonly logLikelihood: number;
}

export function alignLattice(view: LatticeView): LatticeAlignment {
  const { validFrames: frames, tokens } = view;
  const { alpha, beta, logLikelihood } = latticePosteriors(view);
  const posteriors = Float32Array.from(alpha, (value, i) => Math.exp(value + beta[i] - logLikelihood));
  const path = bestPath(view);
  const tokenFrames: number[] = [];
  path.forEach((point, i) => {
    if (i > 0 && point.row > path[i - 1].row) tokenFrames.push(path[i - 1].frame);
  });
  return { frames, rows: tokens + 1, posteriors, path, tokenFrames, logLikelihood };
}

/** Highest-scoring path; at equal scores the token comes as late as possible. */
function bestPath(view: LatticeView): LatticePoint[] {
  const { validFrames: frames, tokens, picks, offset } = view;
  if (frames === 0) return [];
  const arc = (row: number, frame: number, which: 0 | 1): number =>
    picks[offset + 2 * (row * view.frames + frame) + which];
  const score = new Float64Array((tokens + 1) * frames).fill(Number.NEGATIVE_INFINITY);
  const byToken = new Uint8Array(score.length);
  score[0] = 0;
  for (let row = 0; row <= tokens; row++) {
    for (let frame = 0; frame < frames; frame++) {
      const at = row * frames + frame;
      const blank = frame > 0 ? score[at - 1] + arc(row, frame - 1, 0) : Number.NEGATIVE_INFINITY;
      const token = row > 0 ? score[at - frames] + arc(row - 1, frame, 1) : Number.NEGATIVE_INFINITY;
      if (at === 0) continue;
      byToken[at] = token >= blank ? 1 : 0;
      score[at] = Math.max(blank, token);
    }
  }
  const path: LatticePoint[] = [];
  let [row, frame] = [tokens, frames - 1];
  for (;;) {
    path.push({ frame, row });
    if (row === 0 && frame === 0) break;
    if (byToken[row * frames + frame]) row--;
    else frame--;
  }
  return path.reverse();
}
