// LSTM (Hochreiter & Schmidhuber 1997) with PyTorch's parameters and gate order (input, forget, cell,
// output). The recurrence is a scan; everything that is not recurrent is one large matrix product.
import { scan, type Tensor, tf } from '../../engine/index.js';
import { type Initializer, uniform } from '../initializers.js';
import { Module } from '../module.js';
import type { Parameter } from '../parameter.js';
import type { Pass } from '../pass.js';
import { customGradient } from './custom-gradient.js';
import { dropout } from './dropout.js';
import { linear } from './linear.js';

/** Hidden and cell state of one layer, each [B,H]. */
export interface LstmState {
  readonly h: Tensor;
  readonly c: Tensor;
}

interface CellResult extends LstmState {
  /** Activated gates [B,4H]. */
  readonly gates: Tensor;
}

/** One step. preactivation [B,4H]: input part, recurrent part and biases added up. */
function cell(preactivation: Tensor, c: Tensor): CellResult {
  const [iRaw, fRaw, gRaw, oRaw] = tf.split(preactivation, 4, 1);
  const [i, f, g, o] = [tf.sigmoid(iRaw), tf.sigmoid(fRaw), tf.tanh(gRaw), tf.sigmoid(oRaw)];
  const next = tf.add(tf.mul(f, c), tf.mul(i, g));
  return { h: tf.mul(o, tf.tanh(next)), c: next, gates: tf.concat([i, f, g, o], 1) };
}

/**
 * The recurrence over time. input [S,B,4H] is x·W_ihᵀ plus both biases, recurrent [4H,H] is W_hh,
 * initial states [B,H] → hidden states [S,B,H].
 */
export function lstmRecurrence(input: Tensor, recurrent: Tensor, h0: Tensor, c0: Tensor): Tensor {
  const [steps, batch] = input.shape;
  const [, width] = recurrent.shape;
  return customGradient(
    [input, recurrent, h0, c0],
    () => {
      const weight = tf.transpose(recurrent);
      const { ys } = scan(
        ([h, c], [x]) => {
          const next = cell(tf.add(x, tf.matMul(h, weight)), c);
          return { carry: [next.h, next.c], ys: [next.h, next.c, next.gates] };
        },
        [h0, c0],
        [input],
      );
      const [hidden, cells, gates] = ys;
      return { value: hidden, saved: [hidden, cells, gates, recurrent, h0, c0] };
    },
    (dy, [hidden, cells, gates, recurrent, h0, c0]) => {
      const { carry, ys } = scan(
        ([dh, dc], [dyStep, step, c, previous]) => {
          const back = cellGradient(tf.add(dyStep, dh), dc, step, c, previous);
          return { carry: [tf.matMul(back.dInput, recurrent), back.dc], ys: [back.dInput] };
        },
        [tf.zeros([batch, width]), tf.zeros([batch, width])],
        [dy, gates, cells, delayed(cells, c0)],
        { reverse: true },
      );
      const dInput = ys[0];
      const dRecurrent = tf.matMul(
        tf.reshape(dInput, [steps * batch, 4 * width]),
        tf.reshape(delayed(hidden, h0), [steps * batch, width]),
        true,
        false,
      );
      return [dInput, dRecurrent, carry[0], carry[1]];
    },
  );
}

/** Backward of `cell`: gradients of the preactivation and of the previous cell state. */
function cellGradient(
  dh: Tensor,
  dcNext: Tensor,
  gates: Tensor,
  c: Tensor,
  previous: Tensor,
): { dInput: Tensor; dc: Tensor } {
  const one = tf.scalar(1);
  const [i, f, g, o] = tf.split(gates, 4, 1);
  const squashed = tf.tanh(c);
  const dc = tf.add(dcNext, tf.mul(tf.mul(dh, o), tf.sub(one, tf.square(squashed))));
  const sigmoidSlope = (dy: Tensor, y: Tensor): Tensor => tf.mul(tf.mul(dy, y), tf.sub(one, y));
  const dInput = tf.concat(
    [
      sigmoidSlope(tf.mul(dc, g), i),
      sigmoidSlope(tf.mul(dc, previous), f),
      tf.mul(tf.mul(dc, i), tf.sub(one, tf.square(g))),
      sigmoidSlope(tf.mul(dh, squashed), o),
    ],
    1,
  );
  return { dInput, dc: tf.mul(dc, f) };
}

/** [S,B,H] moved one step later, `first` [B,H] in front. */
function delayed(sequence: Tensor, first: Tensor): Tensor {
  const [steps, batch, width] = sequence.shape;
  const head = tf.reshape(first, [1, batch, width]);
  if (steps === 1) return head;
  return tf.concat([head, tf.slice(sequence, [0, 0, 0], [steps - 1, batch, width])], 0);
}

/** Initial values of the two biases [4H]. */
export interface LstmBiasInit {
  readonly input: Initializer;
  readonly hidden: Initializer;
}

export interface LstmOptions {
  readonly inputSize: number;
  readonly hiddenSize: number;
  /** Default 1. */
  readonly layers?: number;
  /** Between stacked layers, in training. Default 0. */
  readonly dropout?: number;
  /** Default U(±1/√H), as PyTorch. */
  readonly weightInit?: Initializer;
  readonly biasInit?: LstmBiasInit;
}

/** Stacked LSTM: `weight_ih_lK` [4H,in], `weight_hh_lK` [4H,H], `bias_ih_lK`, `bias_hh_lK` [4H]. */
export class Lstm extends Module {
  readonly layers: number;
  readonly hiddenSize: number;
  private readonly weights: readonly Record<'ih' | 'hh' | 'biasIh' | 'biasHh', Parameter>[];

  constructor(private readonly options: LstmOptions) {
    super();
    this.layers = options.layers ?? 1;
    this.hiddenSize = options.hiddenSize;
    const gates = 4 * options.hiddenSize;
    const initial = options.weightInit ?? uniform(1 / Math.sqrt(options.hiddenSize));
    this.weights = Array.from({ length: this.layers }, (_, k) => ({
      ih: this.parameter(
        `weight_ih_l${k}`,
        [gates, k === 0 ? options.inputSize : options.hiddenSize],
        initial,
      ),
      hh: this.parameter(`weight_hh_l${k}`, [gates, options.hiddenSize], initial),
      biasIh: this.parameter(`bias_ih_l${k}`, [gates], options.biasInit?.input ?? initial),
      biasHh: this.parameter(`bias_hh_l${k}`, [gates], options.biasInit?.hidden ?? initial),
    }));
  }

  /** Whole sequences. x [S,B,in] → hidden states of the top layer [S,B,H]. Default start: zeros. */
  forward(x: Tensor, pass: Pass, initial?: readonly LstmState[]): Tensor {
    const [, batch] = x.shape;
    let sequence = x;
    for (let k = 0; k < this.layers; k++) {
      if (k > 0) sequence = dropout(sequence, this.options.dropout ?? 0, pass);
      const { ih, hh, biasIh, biasHh } = this.weights[k];
      const bias = tf.add(biasIh.tensor(), biasHh.tensor());
      const h0 = initial?.[k].h ?? tf.zeros([batch, this.hiddenSize]);
      const c0 = initial?.[k].c ?? tf.zeros([batch, this.hiddenSize]);
      sequence = lstmRecurrence(linear(sequence, ih.tensor(), bias), hh.tensor(), h0, c0);
    }
    return sequence;
  }

  /** One step of all layers, for decoding (no dropout). x [B,in] → states after it; the output is the last `h`. */
  step(x: Tensor, states: readonly LstmState[]): LstmState[] {
    let input = x;
    return states.map(({ h, c }, k) => {
      const { ih, hh, biasIh, biasHh } = this.weights[k];
      const bias = tf.add(biasIh.tensor(), biasHh.tensor());
      const preactivation = tf.add(linear(input, ih.tensor(), bias), tf.matMul(h, hh.tensor(), false, true));
      const next = cell(preactivation, c);
      input = next.h;
      return { h: next.h, c: next.c };
    });
  }
}
