// A transducer lattice whose arcs may skip frames: TDT and multi-blank. Cost and gradient inside a program by
// a loop over diagonals, as in transducer-lattice.ts, which holds the plain RNN-T with its two arcs of length
// one and is faster for it. Here an arc reaches several diagonals ahead, so the loop carries as many of them.
import { scan, type Tensor, tf } from '../../engine/index.js';
import { customGradient } from '../../nn/index.js';
import { range, toDiagonals, undoDiagonals } from './diagonals.js';
import { impossible } from './log-space.js';

/** An arc from (t, u) to (t + frames, u), or to (t + frames, u + 1) if it emits the next label. */
export interface Arc {
  readonly frames: number;
  readonly label: boolean;
  /** Its log-probability is the sum of these picks. */
  readonly picks: readonly number[];
}

/** A batch of lattices. */
export interface ArcLatticeInput {
  /** Log-probabilities to build arcs from, [B,U+1,T,P]. */
  readonly picks: Tensor;
  /** Valid frames and tokens, int32 [B]. */
  readonly frames: Tensor;
  readonly tokens: Tensor;
}

/** Which arcs the lattice has, and how their gradients are weighed. */
export interface ArcLatticeOptions {
  readonly arcs: readonly Arc[];
  /** FastEmit's λ; weighs the gradient of the pick `label`. Default 0. */
  readonly fastEmit?: number | undefined;
  /** Which pick is the next label. */
  readonly label: number;
}

/**
 * Costs -(1+λ)·log P [B], differentiable in `picks`. A path starts at (0, 0) and ends with an arc that emits
 * nothing and reaches exactly (T_b, U_b). An utterance without any path costs about 1e30 and has no gradient.
 */
export function arcLatticeCosts(input: ArcLatticeInput, options: ArcLatticeOptions): Tensor {
  const { arcs, fastEmit = 0, label } = options;
  const { frames, tokens } = input;
  const [batch, rows, width, pickCount] = input.picks.shape as [number, number, number, number];
  const lattice = new ArcDiagonals(arcs, batch, rows, width);
  return customGradient(
    [input.picks],
    () => {
      const leaving = lattice.leaving(input.picks, frames, tokens);
      const end = lattice.end(frames, tokens);
      const after = lattice.forward(leaving);
      const reachedEnds = tf.slice(end, [1, 0, 0], [lattice.count, batch, rows]);
      const isEnd = tf.equal(reachedEnds, tf.scalar(0));
      const logLikelihood = tf.sum(tf.where(isEnd, after, tf.zerosLike(after)), [0, 2]);
      const before = tf.concat(
        [
          tf.reshape(lattice.start(), [1, batch, rows]),
          tf.slice(after, [0, 0, 0], [lattice.count - 1, batch, rows]),
        ],
        0,
      );
      const value = tf.mul(logLikelihood, tf.scalar(-(1 + fastEmit)));
      return { value, saved: [leaving, end, before, logLikelihood] };
    },
    (dy, [leaving, end, before, logLikelihood]) => {
      const through = lattice.backward(leaving, end);
      const possible = tf.greater(logLikelihood, tf.scalar(impossible / 2));
      const scale = tf.where(possible, tf.neg(dy), tf.zerosLike(dy));
      const knownLikelihood = tf.where(possible, logLikelihood, tf.zerosLike(logLikelihood));
      const relative = tf.sub(
        tf.add(tf.reshape(before, [lattice.count, 1, batch, rows]), through),
        tf.reshape(knownLikelihood, [1, 1, batch, 1]),
      );
      const passed = tf.mul(tf.exp(relative), tf.reshape(scale, [1, 1, batch, 1]));
      const byArc = tf.unstack(passed, 1);
      const gradients = Array.from({ length: pickCount }, (_, pick) => {
        const parts = byArc.filter((_, i) => arcs[i].picks.includes(pick));
        if (parts.length === 0) return tf.zeros([batch, rows, width]);
        const total = undoDiagonals(parts.reduce((sum, part) => tf.add(sum, part)), width); // biome-ignore format: one line reads better
        return pick === label && fastEmit !== 0 ? tf.mul(total, tf.scalar(1 + fastEmit)) : total;
      });
      return [tf.stack(gradients, 3)];
    },
  );
}

/** The arcs of a batch along diagonals n = t+u. */
class ArcDiagonals {
  /** Diagonals with points in time, T+U. */
  readonly count: number;
  /** How many diagonals the longest arc advances. */
  private readonly reach: number;

  constructor(
    private readonly arcs: readonly Arc[],
    private readonly batch: number,
    /** U+1 */
    private readonly rows: number,
    /** T */
    private readonly width: number,
  ) {
    this.count = width + rows - 1;
    this.reach = Math.max(...arcs.map(jump));
  }

  /** Log-probabilities of arcs at the point they leave, [D,A,B,U+1]; impossible where an arc leads outside. */
  leaving(picks: Tensor, frames: Tensor, tokens: Tensor): Tensor {
    const { batch, rows, width } = this;
    const parts = tf.unstack(picks, 3);
    const time = range(width, [1, 1, width]);
    const before = tf.less(range(rows, [1, rows, 1]), tf.reshape(tokens, [batch, 1, 1]));
    const length = tf.reshape(frames, [batch, 1, 1]);
    const perArc = this.arcs.map((arc) => {
      const value = arc.picks.map((pick) => parts[pick]).reduce((sum, part) => tf.add(sum, part));
      const arrives = tf.add(time, tf.scalar(arc.frames, 'int32'));
      // After a label there must be a frame left to end in; an arc without label may itself be the end.
      const valid = arc.label
        ? tf.logicalAnd(tf.less(arrives, length), before)
        : tf.lessEqual(arrives, length);
      return toDiagonals(tf.where(valid, value, tf.fill([batch, rows, width], impossible)));
    });
    return tf.stack(perArc, 1);
  }

  /** 0 at the point where each utterance ends, impossible elsewhere, [D+1,B,U+1]. */
  end(frames: Tensor, tokens: Tensor): Tensor {
    const { batch, rows, count } = this;
    const atEnd = tf.logicalAnd(
      tf.equal(range(count + 1, [count + 1, 1, 1]), tf.reshape(tf.add(frames, tokens), [1, batch, 1])),
      tf.equal(range(rows, [1, 1, rows]), tf.reshape(tokens, [1, batch, 1])),
    );
    const shape = [count + 1, batch, rows];
    return tf.where(atEnd, tf.zeros(shape), tf.fill(shape, impossible));
  }

  /** Forward log-probabilities of the first diagonal, [B,U+1]. */
  start(): Tensor {
    return tf.concat([tf.zeros([this.batch, 1]), tf.fill([this.batch, this.rows - 1], impossible)], 1);
  }

  /** Forward log-probabilities of diagonals 1 to D, [D,B,U+1]. */
  forward(leaving: Tensor): Tensor {
    const { ys } = scan(
      ([history], [arcs]) => {
        const alpha = logSumExp(tf.add(this.recall(history), arcs));
        return { carry: [this.remember(history, alpha, 1)], ys: [alpha] };
      },
      [this.remember(undefined, this.start(), 1)],
      [this.arriving(leaving)],
    );
    return ys[0];
  }

  /** For each arc, its log-probability and that of everything after it, [D,A,B,U+1]. */
  backward(leaving: Tensor, end: Tensor): Tensor {
    const { count, batch, rows } = this;
    const at = (n: number, length: number): Tensor => tf.slice(end, [n, 0, 0], [length, batch, rows]);
    const { ys } = scan(
      ([history], [arcs, end]) => {
        const through = tf.add(this.recall(history), arcs);
        const beta = tf.maximum(logSumExp(through), end);
        return { carry: [this.remember(history, beta, -1)], ys: [through] };
      },
      [this.remember(undefined, tf.reshape(at(count, 1), [batch, rows]), -1)],
      [leaving, at(0, count)],
      { reverse: true },
    );
    return ys[0];
  }

  /** The same arcs at the point they arrive at: entry i belongs to diagonal i+1, [D,A,B,U+1]. */
  private arriving(leaving: Tensor): Tensor {
    const { count, batch, rows } = this;
    const shape = [count, batch, rows];
    const perArc = tf.unstack(leaving, 1).map((arc, i) => {
      const delay = jump(this.arcs[i]) - 1;
      if (delay >= count) return tf.fill(shape, impossible);
      const low = this.arcs[i].label ? 1 : 0;
      const padded = tf.pad(arc, [[delay, 0], [0, 0], [low, 0]], impossible); // biome-ignore format: one line reads better
      return tf.slice(padded, [0, 0, 0], shape);
    });
    return tf.stack(perArc, 1);
  }

  /**
   * The last diagonals, newest first, each as it is and moved by one row (`shift`) for arcs with a label:
   * [2·reach, B, U+1].
   */
  private remember(history: Tensor | undefined, newest: Tensor, shift: 1 | -1): Tensor {
    const { batch, rows, reach } = this;
    const edge = tf.fill([batch, 1], impossible);
    const keptRows = tf.slice(newest, [0, shift > 0 ? 0 : 1], [batch, rows - 1]);
    const movedRows = tf.concat(shift > 0 ? [edge, keptRows] : [keptRows, edge], 1);
    const pair = tf.stack([newest, movedRows]);
    if (reach === 1) return pair;
    const older = history
      ? tf.slice(history, [0, 0, 0], [2 * (reach - 1), batch, rows])
      : tf.fill([2 * (reach - 1), batch, rows], impossible);
    return tf.concat([pair, older], 0);
  }

  /** Of each arc's other end what `remember` kept, [A,B,U+1]. */
  private recall(history: Tensor): Tensor {
    const indices = this.arcs.map((arc) => 2 * (jump(arc) - 1) + (arc.label ? 1 : 0));
    return tf.gather(history, tf.tensor1d(indices, 'int32'));
  }
}

/** Diagonals an arc advances. */
function jump(arc: Arc): number {
  return arc.frames + (arc.label ? 1 : 0);
}

/** log Σ exp over the first axis. */
function logSumExp(x: Tensor): Tensor {
  const [, batch, rows] = x.shape;
  const maximum = tf.max(x, 0);
  const sum = tf.sum(tf.exp(tf.sub(x, tf.reshape(maximum, [1, batch, rows]))), 0);
  return tf.add(maximum, tf.log(sum));
}
