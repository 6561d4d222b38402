// Connectionist temporal classification (Graves et al. 2006), inside a program; blank is any class, NeMo
// uses the last.
import { type HostTensor, hostCall, inFullPrecision, scan, type Tensor, tf } from '../../engine/index.js';
import { customGradient } from '../../nn/index.js';
import { ctcGradient } from './ctc-lattice-host.js';
import { impossible, logAddExp, shiftColumns } from './log-space.js';
import type { LatticeImplementation } from './transducer-lattice.js';

/** A batch of utterances with their targets. */
export interface CtcInput {
  /** Normalised log-probabilities [B,T,K]. */
  readonly logProbabilities: Tensor;
  /** int32 [B,U]; entries beyond `tokens` do not matter. */
  readonly targets: Tensor;
  /** Valid frames and tokens, int32 [B]. */
  readonly frames: Tensor;
  readonly tokens: Tensor;
  readonly blank: number;
}

/** PyTorch's option `zero_infinity`, and where the lattice is computed. */
export interface CtcOptions {
  /** Utterances whose tokens do not fit their frames cost 0 instead of infinity. Default true. */
  readonly zeroInfinity?: boolean;
  /** Default scan. */
  readonly implementation?: LatticeImplementation | undefined;
}

/** Costs -log P(targets | audio) [B]; differentiable in `logProbabilities`. */
export function ctcCosts(input: CtcInput, options: CtcOptions = {}): Tensor {
  const { logProbabilities, targets, frames, tokens, blank } = input;
  const [batch, , classes] = logProbabilities.shape;
  const states = stateLabels(targets, blank);
  const count = states.shape[1]!;
  const oneHot = tf.cast(tf.oneHot(tf.reshape(states, [batch * count]) as tf.Tensor1D, classes), 'float32');
  const selectors = tf.reshape(oneHot, [batch, count, classes]);
  const picks = inFullPrecision(() => tf.matMul(logProbabilities, selectors, false, true));
  const zeroInfinity = options.zeroInfinity ?? true;
  return options.implementation === 'host'
    ? hostCosts(picks, targets, frames, tokens, zeroInfinity)
    : scanCosts(picks, targets, frames, tokens, zeroInfinity);
}

/** Classes of the states: blank, token 1, blank, …, blank. [B,U] → int32 [B,2U+1]. */
function stateLabels(targets: Tensor, blank: number): Tensor {
  const [batch, length] = targets.shape;
  const pairs = tf.stack([targets, tf.fill([batch, length], blank, 'int32')], 2);
  return tf.concat([tf.fill([batch, 1], blank, 'int32'), tf.reshape(pairs, [batch, 2 * length])], 1);
}

function scanCosts(
  picks: Tensor,
  targets: Tensor,
  frames: Tensor,
  tokens: Tensor,
  zeroInfinity: boolean,
): Tensor {
  const [batch, width, states] = picks.shape;
  return customGradient(
    [picks],
    () => {
      const byTime = tf.transpose(picks, [1, 0, 2]);
      const skip = skipPenalty(targets);
      const time = tf.tensor(
        Int32Array.from({ length: width }, (_, t) => t),
        [width, 1],
        'int32',
      );
      const valid = tf.reshape(tf.cast(tf.less(time, tf.reshape(frames, [1, batch])), 'float32'), [
        width,
        batch,
        1,
      ]);
      const end = endStates(tokens, states);
      const start = tf.concat([tf.zeros([batch, 1]), tf.fill([batch, states - 1], impossible)], 1);
      const { carry, ys } = scan(
        ([alpha], [lp, valid]) => {
          const reachedEnds = logAddExp(
            logAddExp(alpha, shiftColumns(alpha, 1)),
            tf.add(shiftColumns(alpha, 2), skip),
          );
          // Frames past the end leave the state as it is.
          const next = either(valid, tf.add(reachedEnds, lp), alpha);
          return { carry: [next], ys: [next] };
        },
        [start],
        [byTime, valid],
      );
      const logLikelihood = logSumExp(tf.add(carry[0], end));
      const possible = tf.greater(logLikelihood, tf.scalar(impossible / 2));
      const value = tf.where(
        possible,
        tf.neg(logLikelihood),
        tf.fill([batch], zeroInfinity ? 0 : Number.POSITIVE_INFINITY),
      );
      return { value, saved: [byTime, skip, valid, end, ys[0], logLikelihood] };
    },
    (dy, [byTime, skip, valid, end, alphas, logLikelihood]) => {
      const { ys } = scan(
        ([beta], [lp, valid]) => {
          const onward = tf.add(beta, lp);
          const before = logAddExp(
            logAddExp(onward, shiftColumns(onward, -1)),
            shiftColumns(tf.add(onward, skip), -2),
          );
          return { carry: [either(valid, before, end)], ys: [beta] };
        },
        [end],
        [byTime, valid],
        { reverse: true },
      );
      const possible = tf.cast(tf.greater(logLikelihood, tf.scalar(impossible / 2)), 'float32');
      const log = tf.sub(tf.add(alphas, ys[0]), tf.reshape(logLikelihood, [1, batch, 1]));
      // An impossible utterance would give exp(0) everywhere: its factor is zero.
      const occupancy = tf.exp(tf.minimum(log, tf.scalar(0)));
      const factor = tf.mul(valid, tf.reshape(tf.mul(tf.neg(dy), possible), [1, batch, 1]));
      return [tf.transpose(tf.mul(occupancy, factor), [1, 0, 2])];
    },
  );
}

/** 0 where a state may be reached past the blank before it (another token than two states ago), [B,S]. */
function skipPenalty(targets: Tensor): Tensor {
  const [batch, length] = targets.shape;
  const first = tf.fill([batch, 1], impossible);
  const repeats =
    length === 1
      ? first
      : tf.concat(
          [
            first,
            tf.mul(
              tf.cast(
                tf.equal(
                  tf.slice(targets, [0, 1], [batch, length - 1]),
                  tf.slice(targets, [0, 0], [batch, length - 1]),
                ),
                'float32',
              ),
              tf.scalar(impossible),
            ),
          ],
          1,
        );
  const pairs = tf.stack([repeats, tf.fill([batch, length], impossible)], 2);
  return tf.concat([first, tf.reshape(pairs, [batch, 2 * length])], 1);
}

/** 0 at the last token and the blank after it, impossible elsewhere, [B,S]. */
function endStates(tokens: Tensor, states: number): Tensor {
  const state = tf.tensor(
    Int32Array.from({ length: states }, (_, s) => s),
    [1, states],
    'int32',
  );
  const final = tf.mul(tf.reshape(tokens, [-1, 1]), tf.scalar(2, 'int32'));
  const isEnd = tf.logicalAnd(
    tf.lessEqual(state, final),
    tf.greaterEqual(state, tf.sub(final, tf.scalar(1, 'int32'))),
  );
  return tf.mul(tf.cast(tf.logicalNot(isEnd), 'float32'), tf.scalar(impossible));
}

/** `a` where the 0/1 mask is 1, else `b`. Sums of products, for differences would drown in log 0. */
function either(mask: Tensor, a: Tensor, b: Tensor): Tensor {
  return tf.add(tf.mul(a, mask), tf.mul(b, tf.sub(tf.scalar(1), mask)));
}

/** Over the last axis of [B,S], safe for rows of impossible values. */
function logSumExp(x: Tensor): Tensor {
  const highest = tf.max(x, 1, true);
  return tf.add(tf.reshape(highest, [-1]), tf.log(tf.sum(tf.exp(tf.sub(x, highest)), 1)));
}

function hostCosts(
  picks: Tensor,
  targets: Tensor,
  frames: Tensor,
  tokens: Tensor,
  zeroInfinity: boolean,
): Tensor {
  const [batch] = picks.shape;
  return customGradient(
    [picks],
    () => {
      const [costs, gradient] = hostCall(
        'ctc-lattice',
        ([picks, targets, frames, tokens]) => ctcOnHost(picks, targets, frames, tokens, zeroInfinity),
        [picks, targets, frames, tokens],
        [
          { dtype: 'float32', shape: [batch] },
          { dtype: 'float32', shape: picks.shape },
        ],
      );
      return { value: costs, saved: [gradient] };
    },
    (dy, [gradient]) => [tf.mul(gradient, tf.reshape(dy, [batch, 1, 1]))],
  );
}

function ctcOnHost(
  picks: HostTensor,
  targets: HostTensor,
  frames: HostTensor,
  tokens: HostTensor,
  zeroInfinity: boolean,
): HostTensor[] {
  const [batch, width, states] = picks.shape;
  const length = targets.shape[1];
  const gradient = new Float32Array(picks.data.length);
  const costs = new Float32Array(batch);
  for (let b = 0; b < batch; b++) {
    const view = {
      picks: picks.data as Float32Array,
      offset: b * width * states,
      states,
      validFrames: frames.data[b],
      tokens: (targets.data as Int32Array).slice(b * length, b * length + tokens.data[b]),
    };
    const cost = ctcGradient(view, gradient);
    costs[b] = cost === Number.POSITIVE_INFINITY && zeroInfinity ? 0 : cost;
  }
  return [
    { dtype: 'float32', shape: [batch], data: costs },
    { dtype: 'float32', shape: picks.shape, data: gradient },
  ];
}
