// The recurrence of an LSTM (Hochreiter & Schmidhuber 1997) over time, and its gradient, each one scan. Gates come in
// PyTorch's order (input, forget, cell, output). What is not recurrent, the module computes outside (lstm.ts).
import { scan, type Tensor, tf } from '../../engine/index.js';
import { customGradient } from './custom-gradient.js';

export interface CellResult {
  /** Output before any projection [B,H]. */
  readonly h: Tensor;
  /** [B,H] */
  readonly c: Tensor;
  /** Activated gates [B,4H]. */
  readonly gates: Tensor;
}

/** One step. preactivation [B,4H]: input part, recurrent part and biases added up; valid [B,1] as in `lstmRecurrence`. */
export function lstmCell(preactivation: Tensor, c: Tensor, valid?: Tensor): CellResult {
  const [iRaw, fRaw, gRaw, oRaw] = tf.split(preactivation, 4, 1);
  const [open, f, g, o] = [tf.sigmoid(iRaw), tf.sigmoid(fRaw), tf.tanh(gRaw), tf.sigmoid(oRaw)];
  const i = valid ? tf.mul(open, valid) : open;
  const next = tf.add(tf.mul(f, c), tf.mul(i, g));
  return { h: tf.mul(o, tf.tanh(next)), c: next, gates: tf.concat([i, f, g, o], 1) };
}

/** How the recurrence differs from that of a plain LSTM over time. */
export interface RecurrenceOptions {
  /** W_hr [P,H] (Sak et al. 2014): what a step gives and the next one sees is h·W_hrᵀ. Default: h itself, P = H. */
  readonly projection?: Tensor;
  /** From the last step to the first. Default false. */
  readonly reverse?: boolean;
  /**
   * [S,B,1], 0 at steps that are not to be: their input gate stays closed, so that a state of zeros stays zero through
   * them. They must come before the steps that are, in the order of the recurrence.
   */
  readonly valid?: Tensor;
}

/**
 * input [S,B,4H] is x·W_ihᵀ plus both biases, recurrent [4H,P] is W_hh, h0 [B,P], c0 [B,H] → outputs [S,B,P].
 */
export function lstmRecurrence(
  input: Tensor,
  recurrent: Tensor,
  h0: Tensor,
  c0: Tensor,
  { projection, reverse = false, valid }: RecurrenceOptions = {},
): Tensor {
  const [steps, batch] = input.shape;
  const [, width] = recurrent.shape;
  const size = c0.shape[1]!;
  return customGradient(
    [input, recurrent, h0, c0, ...(projection ? [projection] : [])],
    () => {
      const weight = tf.transpose(recurrent);
      const project = projection && tf.transpose(projection);
      const { ys } = scan(
        ([h, c], [x, present]) => {
          const next = lstmCell(tf.add(x, tf.matMul(h, weight)), c, present);
          const out = project ? tf.matMul(next.h, project) : next.h;
          return { carry: [out, next.c], ys: [out, next.c, next.gates] };
        },
        [h0, c0],
        [input, ...(valid ? [valid] : [])],
        { reverse },
      );
      const [outputs, cells, gates] = ys;
      const savedTensors = [outputs, cells, gates, recurrent, h0, c0, ...(projection ? [projection] : [])];
      return { value: outputs, saved: savedTensors };
    },
    (dy, [outputs, cells, gates, recurrent, h0, c0, projection]) => {
      const { carry, ys } = scan(
        ([dLater, dc], [dyStep, step, c, previous]) => {
          const dOut = tf.add(dyStep, dLater);
          const dh = projection ? tf.matMul(dOut, projection) : dOut;
          const back = cellGradient(dh, dc, step, c, previous);
          const dEarlier = tf.matMul(back.dInput, recurrent);
          return { carry: [dEarlier, back.dc], ys: projection ? [back.dInput, dOut] : [back.dInput] };
        },
        [tf.zeros([batch, width]), tf.zeros([batch, size])],
        [dy, gates, cells, delayed(cells, c0, reverse)],
        { reverse: !reverse },
      );
      const [dInput, dOut] = ys;
      const rows = (x: Tensor): Tensor => tf.reshape(x, [steps * batch, x.shape[2]!]);
      const product = (a: Tensor, b: Tensor): Tensor => tf.matMul(rows(a), rows(b), true, false);
      const dRecurrent = product(dInput, delayed(outputs, h0, reverse));
      const gradients = [dInput, dRecurrent, carry[0], carry[1]];
      if (!projection) return gradients;
      const outputGate = tf.slice(gates, [0, 0, 3 * size], [steps, batch, size]);
      return [...gradients, product(dOut, tf.mul(outputGate, tf.tanh(cells)))];
    },
  );
}

/** Backward of `lstmCell`: gradients of the preactivation and of the previous cell state. */
function cellGradient(
  dh: Tensor,
  dcNext: Tensor,
  gates: Tensor,
  c: Tensor,
  previousCell: Tensor,
): { dInput: Tensor; dc: Tensor } {
  const one = tf.scalar(1);
  const [i, f, g, o] = tf.split(gates, 4, 1);
  const squashed = tf.tanh(c);
  const dc = tf.add(dcNext, tf.mul(tf.mul(dh, o), tf.sub(one, tf.square(squashed))));
  const sigmoidSlope = (dy: Tensor, y: Tensor): Tensor => tf.mul(tf.mul(dy, y), tf.sub(one, y));
  const dInput = tf.concat(
    [
      sigmoidSlope(tf.mul(dc, g), i),
      sigmoidSlope(tf.mul(dc, previousCell), f),
      tf.mul(tf.mul(dc, i), tf.sub(one, tf.square(g))),
      sigmoidSlope(tf.mul(dh, squashed), o),
    ],
    1,
  );
  return { dInput, dc: tf.mul(dc, f) };
}

/** What each step of [S,B,H] got from the step before it, the first one in the order of the recurrence `first` [B,H]. */
function delayed(sequence: Tensor, first: Tensor, reverse: boolean): Tensor {
  const [steps, batch, width] = sequence.shape;
  const end = tf.reshape(first, [1, batch, width]);
  if (steps === 1) return end;
  const rest = tf.slice(sequence, [reverse ? 1 : 0, 0, 0], [steps - 1, batch, width]);
  return tf.concat(reverse ? [rest, end] : [end, rest], 0);
}
