// The transducer lattice inside a program (Graves 2012): cost of each utterance from the log-probabilities
// of blank and label arcs. Two implementations of one interface: `scan` runs over the lattice's diagonals
// on the engine, `host` cuts the program and runs loops on the CPU. `npx tsx benchmarks/lattice.ts` compares
// them; on two cores of a shared AMD EPYC, 8 utterances of 200 frames and 40 tokens took 12-14 ms of processor
// time with `scan` and 17-22 ms with `host`, forward and backward, so `scan` is the default.
import { type HostTensor, hostCall, scan, type Tensor, tf } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import { customGradient } from '../../nn/index.js';
import { range, toDiagonals, undoDiagonals } from './diagonals.js';
import { impossible, logAddExp, shiftColumns } from './log-space.js';
import { latticeGradient } from './transducer-lattice-host.js';

/** A batch of lattices. */
export interface LatticeInput {
  /** Log-probabilities of [blank, next label], [B,U+1,T,2]. */
  readonly picks: Tensor;
  /** Valid frames and tokens, int32 [B]. */
  readonly frames: Tensor;
  readonly tokens: Tensor;
}

/** How gradients are weighed, and where the lattice is computed. */
export interface LatticeOptions {
  /** FastEmit's λ. Default 0. */
  readonly fastEmit?: number;
  /** Default scan. */
  readonly implementation?: LatticeImplementation;
}

/** Where the lattice is computed: `scan` on the engine, `host` on the CPU between two halves of the program. */
export type LatticeImplementation = 'scan' | 'host';

/** Costs -(1+λ)·log P(target | audio) [B]; differentiable in `picks`. */
export function transducerCosts(input: LatticeInput, options: LatticeOptions = {}): Tensor {
  const fastEmit = options.fastEmit ?? 0;
  return options.implementation === 'host' ? hostCosts(input, fastEmit) : scanCosts(input, fastEmit);
}

function hostCosts({ picks, frames, tokens }: LatticeInput, fastEmit: number): Tensor {
  const [batch] = picks.shape;
  return customGradient(
    [picks],
    () => {
      const [costs, gradient] = hostCall(
        'transducer-lattice',
        ([picks, frames, tokens]) => latticeOnHost(picks, frames, tokens, fastEmit),
        [picks, frames, tokens],
        [
          { dtype: 'float32', shape: [batch] },
          { dtype: 'float32', shape: picks.shape },
        ],
      );
      return { value: costs, saved: [gradient] };
    },
    (dy, [gradient]) => [tf.mul(gradient, tf.reshape(dy, [batch, 1, 1, 1]))],
  );
}

function latticeOnHost(
  picks: HostTensor,
  frames: HostTensor,
  tokens: HostTensor,
  fastEmit: number,
): HostTensor[] {
  const [batch, rows, width] = picks.shape;
  const gradient = new Float32Array(picks.data.length);
  const costs = new Float32Array(batch);
  for (let b = 0; b < batch; b++) {
    const view = {
      picks: picks.data as Float32Array,
      offset: b * rows * width * 2,
      frames: width,
      rows,
      validFrames: frames.data[b],
      tokens: tokens.data[b],
    };
    costs[b] = latticeGradient(view, fastEmit, gradient);
  }
  return [
    { dtype: 'float32', shape: [batch], data: costs },
    { dtype: 'float32', shape: picks.shape, data: gradient },
  ];
}

/** Numbers of a tensor that an index of 32 bits reaches. */
const MAX_ELEMENTS = 2 ** 31 - 1;

/** A transcript of some hundred thousand tokens is no transcript of the recording. */
function tooLarge([batch, rows, width]: readonly number[]): AnemoneError {
  return new AnemoneError({
    code: 'asr.loss-size',
    message: `the loss of ${batch} utterances of ${width} frames with ${rows - 1} tokens is larger than a tensor may be`,
    hint: 'leave such transcripts out with max_text_length or max_tps',
  });
}

/** Arcs leaving each diagonal n = t+u, [D,B,U+1] with D = T+U, and where utterances end. */
interface Diagonals {
  readonly blank: Tensor;
  readonly label: Tensor;
  /** 0 where diagonal n+1 holds the utterance's final state (T_b, U_b), impossible elsewhere. */
  readonly end: Tensor;
}

function scanCosts({ picks, frames, tokens }: LatticeInput, fastEmit: number): Tensor {
  const [batch, rows, width] = picks.shape;
  return customGradient(
    [picks],
    () => {
      const arcs = diagonals(picks, frames, tokens);
      const start = tf.concat([tf.zeros([batch, 1]), tf.fill([batch, rows - 1], impossible)], 1);
      const { ys } = scan(
        ([alpha], [blank, label]) => {
          const byLabel = shiftColumns(tf.add(alpha, label), 1);
          const next = logAddExp(tf.add(alpha, blank), byLabel);
          return { carry: [next], ys: [next] };
        },
        [start],
        [arcs.blank, arcs.label],
      );
      const after = ys[0];
      const isEnd = tf.equal(arcs.end, tf.scalar(0));
      const logLikelihood = tf.sum(tf.where(isEnd, after, tf.zerosLike(after)), [0, 2]);
      const value = tf.mul(logLikelihood, tf.scalar(-(1 + fastEmit)));
      const before = tf.concat(
        [tf.reshape(start, [1, batch, rows]), tf.slice(after, [0, 0, 0], [width + rows - 2, batch, rows])],
        0,
      );
      return { value, saved: [arcs.blank, arcs.label, arcs.end, before, logLikelihood] };
    },
    (dy, [blank, label, end, alpha, logLikelihood]) => {
      const { ys } = scan(
        ([next], [blank, label, end]) => {
          const beta = tf.maximum(next, end);
          const byLabel = tf.add(shiftColumns(beta, -1), label);
          return { carry: [logAddExp(tf.add(beta, blank), byLabel)], ys: [beta, byLabel] };
        },
        [tf.fill([batch, rows], impossible)],
        [blank, label, end],
        { reverse: true },
      );
      const [afterBlank, byLabel] = ys;
      const before = tf.sub(alpha, tf.reshape(logLikelihood, [1, batch, 1]));
      const scale = tf.reshape(dy, [1, batch, 1]);
      const arc = (logProbability: Tensor, weight: number): Tensor =>
        undoDiagonals(tf.mul(tf.exp(logProbability), tf.mul(scale, tf.scalar(-weight))), width);
      const dBlank = arc(tf.add(tf.add(before, blank), afterBlank), 1);
      const dLabel = arc(tf.add(before, byLabel), 1 + fastEmit);
      return [tf.stack([dBlank, dLabel], 3)];
    },
  );
}

function diagonals(picks: Tensor, frames: Tensor, tokens: Tensor): Diagonals {
  const [batch, rows, width] = picks.shape;
  const [blank, label] = tf.unstack(picks, 3);
  const time = range(width, [1, 1, width]);
  const row = range(rows, [1, rows, 1]);
  const inTime = tf.less(time, tf.reshape(frames, [batch, 1, 1]));
  const inTarget = tf.logicalAnd(inTime, tf.less(row, tf.reshape(tokens, [batch, 1, 1])));
  const masked = (values: Tensor, mask: Tensor): Tensor =>
    tf.where(mask, values, tf.fill(values.shape, impossible));
  const count = width + rows - 1;
  if (count * batch * rows > MAX_ELEMENTS) throw tooLarge(picks.shape);
  const endsAt = tf.reshape(tf.add(frames, tokens), [1, batch, 1]);
  const atEnd = tf.logicalAnd(
    tf.equal(tf.add(range(count, [count, 1, 1]), tf.scalar(1, 'int32')), endsAt),
    tf.equal(range(rows, [1, 1, rows]), tf.reshape(tokens, [1, batch, 1])),
  );
  return {
    blank: toDiagonals(masked(blank, inTime)),
    label: toDiagonals(masked(label, inTarget)),
    end: tf.where(atEnd, tf.zeros([count, batch, rows]), tf.fill([count, batch, rows], impossible)),
  };
}
