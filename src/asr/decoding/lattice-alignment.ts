// Where in time a transducer places the tokens of a known text: posteriors of the lattice points and the
// single most probable path (Viterbi). On the host, for one utterance, for reports and inspection; any lattice whose
// arcs go forward, so RNN-T, multi-blank and TDT alike.
import type { Arc } from '../losses/arc-lattice.js';
import { impossible, logAddExpNumber } from '../losses/log-space.js';

/** Log-probabilities of one utterance's lattice and the arcs they belong to. */
export interface AlignmentInput {
  /** [rows, frames, P], row by row: of tokens emitted so far and encoder frames. */
  readonly picks: Float32Array;
  /** Allocated rows U+1 and frames T, and P. */
  readonly shape: readonly [rows: number, frames: number, picks: number];
  /** Valid frames T_b ≤ T and tokens U_b ≤ U. */
  readonly validFrames: number;
  readonly tokens: number;
  readonly arcs: readonly Arc[];
}

/** A point of the lattice: time by tokens. */
export interface LatticePoint {
  readonly frame: number;
  /** Tokens emitted before this point. */
  readonly row: number;
}

/** How a transducer aligns a text with a recording. */
export interface LatticeAlignment {
  readonly frames: number;
  /** Number of tokens + 1. */
  readonly rows: number;
  /** Probability that the path passes through (row, frame), row-major [rows, frames]. */
  readonly posteriors: Float32Array;
  /** The points of the best path, from (0, 0) to the one that the last arc leaves. */
  readonly path: readonly LatticePoint[];
  /** Frame at which the best path emits each token. */
  readonly tokenFrames: readonly number[];
  /** log P(text | audio), over all paths. */
  readonly logLikelihood: number;
}

/** Paths start at (0, 0) and end with an arc that emits nothing and reaches exactly the frame after the last. */
export function alignLattice(input: AlignmentInput): LatticeAlignment {
  const lattice = new Lattice(input);
  const { alpha, logLikelihood, before } = lattice.forward();
  const beta = lattice.backward();
  const posteriors = Float32Array.from(alpha, (value, i) => Math.exp(value + beta[i] - logLikelihood));
  const path = lattice.path(before);
  const tokenFrames: number[] = [];
  path.forEach((point, i) => {
    if (i > 0 && point.row > path[i - 1].row) tokenFrames.push(path[i - 1].frame);
  });
  return { frames: lattice.frames, rows: lattice.rows, posteriors, path, tokenFrames, logLikelihood };
}

/** Points are numbered row by row; the number after the last is the end. */
class Lattice {
  readonly frames: number;
  readonly rows: number;
  private readonly end: number;

  constructor(private readonly input: AlignmentInput) {
    this.frames = input.validFrames;
    this.rows = input.tokens + 1;
    this.end = this.frames * this.rows;
  }

  /** Points in an order in which arcs only lead onwards. */
  private *points(): Generator<LatticePoint & { readonly at: number }> {
    for (let frame = 0; frame < this.frames; frame++) {
      for (let row = 0; row < this.rows; row++) yield { frame, row, at: row * this.frames + frame };
    }
  }

  /** Calls `visit` for every arc that leaves a point and leads to another or to the end. */
  private leave(
    { frame, row }: LatticePoint,
    visit: (to: number, score: number, label: boolean) => void,
  ): void {
    const { picks, shape, arcs } = this.input;
    const offset = (row * shape[1] + frame) * shape[2];
    for (const arc of arcs) {
      const to = { frame: frame + arc.frames, row: row + (arc.label ? 1 : 0) };
      const ends = !arc.label && to.frame === this.frames && to.row === this.rows - 1;
      if (!ends && (to.frame >= this.frames || to.row >= this.rows)) continue;
      const score = arc.picks.reduce((sum, pick) => sum + picks[offset + pick], 0);
      visit(ends ? this.end : to.row * this.frames + to.frame, score, arc.label);
    }
  }

  /** Forward log-probabilities, and for each point the one before it on the best path to it. */
  forward(): { alpha: Float64Array; logLikelihood: number; before: Int32Array } {
    const alpha = new Float64Array(this.end + 1).fill(impossible);
    const best = new Float64Array(this.end + 1).fill(Number.NEGATIVE_INFINITY);
    const before = new Int32Array(this.end + 1).fill(-1);
    [alpha[0], best[0]] = [0, 0];
    for (const point of this.points()) {
      this.leave(point, (to, score, label) => {
        alpha[to] = logAddExpNumber(alpha[to], alpha[point.at] + score);
        const reachedScore = best[point.at] + score;
        // At equal scores the token comes as late as possible.
        if (reachedScore < best[to] || (reachedScore === best[to] && !label)) return;
        best[to] = reachedScore;
        before[to] = point.at;
      });
    }
    return { alpha: alpha.subarray(0, this.end), logLikelihood: alpha[this.end], before };
  }

  backward(): Float64Array {
    const beta = new Float64Array(this.end + 1).fill(impossible);
    beta[this.end] = 0;
    for (const point of [...this.points()].reverse()) {
      this.leave(point, (to, score) => {
        beta[point.at] = logAddExpNumber(beta[point.at], beta[to] + score);
      });
    }
    return beta.subarray(0, this.end);
  }

  /** The points that lead to the end; none if nothing does. */
  path(before: Int32Array): LatticePoint[] {
    const path: LatticePoint[] = [];
    for (let at = before[this.end]; at >= 0; at = before[at]) {
      path.push({ frame: at % this.frames, row: Math.floor(at / this.frames) });
    }
    return path.reverse();
  }
}
