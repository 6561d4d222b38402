// LSTM layers with PyTorch's parameters: stacked, in one direction or both, with projected outputs or without. The
// recurrence itself is in lstm-recurrence.ts; everything that is not recurrent is one large matrix product.
import { type Tensor, tf } from '../../engine/index.js';
import { type Initializer, uniform } from '../initializers.js';
import { Module } from '../module.js';
import type { Parameter } from '../parameter.js';
import type { Pass } from '../pass.js';
import { dropout } from './dropout.js';
import { linear } from './linear.js';
import { lstmCell, lstmRecurrence } from './lstm-recurrence.js';

/** State of one layer: its output [B,P] and its cells [B,H]. */
export interface LstmState {
  readonly h: Tensor;
  readonly c: Tensor;
}

/** Initial values of the two biases [4H]. */
export interface LstmBiasInit {
  readonly input: Initializer;
  readonly hidden: Initializer;
}

/** PyTorch's options of an LSTM, and how its parameters start. */
export interface LstmOptions {
  readonly inputSize: number;
  /** Cells H. */
  readonly hiddenSize: number;
  /** Width P of the projected output of a direction. Default: no projection, P = H. */
  readonly projectionSize?: number;
  /** Default 1. */
  readonly layers?: number;
  /** A second recurrence from the end; its outputs stand behind those of the first. Default false. */
  readonly bidirectional?: boolean;
  /** Between stacked layers, in training. Default 0. */
  readonly dropout?: number;
  /** Default U(±1/√H), as PyTorch. */
  readonly weightInit?: Initializer;
  readonly biasInit?: LstmBiasInit;
}

/** The parameters of one direction of one layer. */
interface Weights {
  readonly ih: Parameter;
  readonly hh: Parameter;
  readonly biasIh: Parameter;
  readonly biasHh: Parameter;
  readonly hr: Parameter | undefined;
}

/**
 * `weight_ih_lK` [4H,in], `weight_hh_lK` [4H,P], `bias_ih_lK`, `bias_hh_lK` [4H], `weight_hr_lK` [P,H] where outputs are
 * projected; the same with `_reverse` for the second direction.
 */
export class Lstm extends Module {
  readonly layers: number;
  readonly hiddenSize: number;
  /** Width P of a direction's output. */
  readonly outputSize: number;
  /** By layer, then by direction. */
  private readonly weights: readonly (readonly Weights[])[];

  constructor(private readonly options: LstmOptions) {
    super();
    this.layers = options.layers ?? 1;
    this.hiddenSize = options.hiddenSize;
    this.outputSize = options.projectionSize ?? options.hiddenSize;
    const directions = options.bidirectional ? ['', '_reverse'] : [''];
    const deeper = directions.length * this.outputSize;
    this.weights = Array.from({ length: this.layers }, (_, k) =>
      directions.map((suffix) => this.direction(`l${k}${suffix}`, k === 0 ? options.inputSize : deeper)),
    );
  }

  private direction(suffix: string, inputSize: number): Weights {
    const { hiddenSize, projectionSize, weightInit, biasInit } = this.options;
    const gates = 4 * hiddenSize;
    const initial = weightInit ?? uniform(1 / Math.sqrt(hiddenSize));
    return {
      ih: this.parameter(`weight_ih_${suffix}`, [gates, inputSize], initial),
      hh: this.parameter(`weight_hh_${suffix}`, [gates, this.outputSize], initial),
      biasIh: this.parameter(`bias_ih_${suffix}`, [gates], biasInit?.input ?? initial),
      biasHh: this.parameter(`bias_hh_${suffix}`, [gates], biasInit?.hidden ?? initial),
      hr: projectionSize
        ? this.parameter(`weight_hr_${suffix}`, [projectionSize, hiddenSize], initial)
        : undefined,
    };
  }

  /**
   * Whole sequences from states of zeros. x [S,B,in] → outputs of the top layer [S,B,P], or [S,B,2P] of both directions.
   * valid [S,B,1] is 0 at padding, which must stand at the end: the second direction begins before it. Without it,
   * padding is read like anything else. Steps before padding never depend on it in one direction.
   */
  forward(x: Tensor, pass: Pass, valid?: Tensor): Tensor {
    return this.weights.reduce((sequence, _, k) => this.layer(k, sequence, pass, valid), x);
  }

  /** What layer k makes of what the one below has made, [S,B,in] → [S,B,P] or [S,B,2P]. */
  layer(k: number, below: Tensor, pass: Pass, valid?: Tensor): Tensor {
    const sequence = k > 0 ? dropout(below, this.options.dropout ?? 0, pass) : below;
    const outputs = this.weights[k].map((weights, i) => this.run(sequence, weights, i === 1, valid));
    return outputs.length === 1 ? outputs[0] : tf.concat(outputs, 2);
  }

  /** x [S,B,in] → [S,B,P] */
  private run(x: Tensor, weights: Weights, reverse: boolean, valid: Tensor | undefined): Tensor {
    const [, batch] = x.shape;
    const { ih, hh, biasIh, biasHh, hr } = weights;
    const input = linear(x, ih.tensor(), tf.add(biasIh.tensor(), biasHh.tensor()));
    const h0 = tf.zeros([batch, this.outputSize]);
    const c0 = tf.zeros([batch, this.hiddenSize]);
    return lstmRecurrence(input, hh.tensor(), h0, c0, {
      reverse,
      ...(hr && { projection: hr.tensor() }),
      ...(reverse && valid && { valid }),
    });
  }

  /**
   * One step of all layers of one direction, for decoding (no dropout). x [B,in] → states after it; the output is the
   * last `h`.
   */
  step(x: Tensor, states: readonly LstmState[]): LstmState[] {
    let input = x;
    return states.map(({ h, c }, k) => {
      const [{ ih, hh, biasIh, biasHh, hr }] = this.weights[k];
      const bias = tf.add(biasIh.tensor(), biasHh.tensor());
      const preactivation = tf.add(linear(input, ih.tensor(), bias), tf.matMul(h, hh.tensor(), false, true));
      const next = lstmCell(preactivation, c);
      input = hr ? linear(next.h, hr.tensor()) : next.h;
      return { h: input, c: next.c };
    });
  }
}
