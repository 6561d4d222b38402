// Greedy decoding of transducers, batched. One program advances the prediction network by the last token
// and looks at the next few frames of every utterance at once; the host then moves each utterance to its
// first frame that is not blank. So there is a call per token and per `window` blanks, not per frame.
import { type Engine, type HostTensors, type Program, tf } from '../../engine/index.js';
import type { RNNTDecoder } from '../decoders/rnnt-decoder.js';
import type { RNNTJoint } from '../decoders/rnnt-joint.js';
import type { Hypothesis } from './hypothesis.js';

export interface GreedyOptions {
  /** Most tokens emitted at one frame; null for no limit. Default 10. */
  readonly maxSymbols?: number | null;
  /** Frames looked at in one call. Default 8. */
  readonly window?: number;
}

/** Encoder output after the joint's encoder projection. */
export interface ProjectedFrames {
  /** [B,T,J] */
  readonly data: Float32Array;
  readonly shape: readonly number[];
  readonly lengths: ArrayLike<number>;
}

interface Cursor {
  frame: number;
  readonly length: number;
  /** Tokens emitted at this frame so far. */
  emitted: number;
  last: number;
  readonly tokens: number[];
  readonly frames: number[];
  score: number;
}

export class GreedyTransducer {
  private readonly program: Program;
  private readonly maxSymbols: number;
  private readonly window: number;

  constructor(
    engine: Engine,
    private readonly decoder: RNNTDecoder,
    joint: RNNTJoint,
    options: GreedyOptions = {},
  ) {
    this.maxSymbols = options.maxSymbols === null ? Number.POSITIVE_INFINITY : (options.maxSymbols ?? 10);
    this.window = options.window ?? 8;
    this.program = engine.compile('greedy-step', ({ last, hidden, cells, frames }) => {
      const h = tf.unstack(hidden, 0);
      const c = tf.unstack(cells, 0);
      const next = decoder.step(
        last,
        h.map((layer, k) => ({ h: layer, c: c[k] })),
      );
      const prediction = joint.projectPrediction(next[next.length - 1].h);
      const [batch, width] = prediction.shape;
      const scores = tf.logSoftmax(joint.logits(frames, tf.reshape(prediction, [batch, 1, width])));
      return {
        best: tf.argMax(scores, 2),
        scores: tf.max(scores, 2),
        hidden: tf.stack(next.map((state) => state.h)),
        cells: tf.stack(next.map((state) => state.c)),
      };
    });
  }

  async decode(input: ProjectedFrames): Promise<Hypothesis[]> {
    const [batch, , width] = input.shape;
    const { layers, width: stateWidth, blank } = this.decoder;
    const cursors = Array.from({ length: batch }, (_, b): Cursor => {
      const length = input.lengths[b];
      return { frame: 0, length, emitted: 0, last: blank, tokens: [], frames: [], score: 0 };
    });
    const hidden = new Float32Array(layers * batch * stateWidth);
    const cells = new Float32Array(layers * batch * stateWidth);
    const frames = new Float32Array(batch * this.window * width);
    const last = new Int32Array(batch);
    const stateShape = [layers, batch, stateWidth];
    while (cursors.some((cursor) => cursor.frame < cursor.length)) {
      cursors.forEach((cursor, b) => {
        last[b] = cursor.last;
        this.copyWindow(input, b, cursor, frames);
      });
      const out = await this.program.run({
        last: { dtype: 'int32', shape: [batch], data: last },
        hidden: { dtype: 'float32', shape: stateShape, data: hidden },
        cells: { dtype: 'float32', shape: stateShape, data: cells },
        frames: { dtype: 'float32', shape: [batch, this.window, width], data: frames },
      });
      cursors.forEach((cursor, b) => {
        if (!this.advance(cursor, b, out)) return;
        // Only an emitted token moves the prediction network on.
        for (let k = 0; k < layers; k++) {
          const at = (k * batch + b) * stateWidth;
          hidden.set((out['hidden'].data as Float32Array).subarray(at, at + stateWidth), at);
          cells.set((out['cells'].data as Float32Array).subarray(at, at + stateWidth), at);
        }
      });
    }
    return cursors.map(({ tokens, frames, score }) => ({ tokens, frames, score }));
  }

  /** The next `window` frames of an utterance; beyond its end whatever was there stays. */
  private copyWindow(input: ProjectedFrames, b: number, cursor: Cursor, frames: Float32Array): void {
    const [, total, width] = input.shape;
    const end = Math.min(cursor.frame + this.window, cursor.length);
    if (cursor.frame >= end) return;
    const from = (b * total + cursor.frame) * width;
    frames.set(input.data.subarray(from, from + (end - cursor.frame) * width), b * this.window * width);
  }

  /** Moves past blanks to the next token, if the window holds one. True when a token was emitted. */
  private advance(cursor: Cursor, b: number, out: HostTensors): boolean {
    const best = out['best'].data;
    const scores = out['scores'].data;
    for (let i = 0; i < this.window && cursor.frame < cursor.length; i++) {
      const token = best[b * this.window + i];
      cursor.score += scores[b * this.window + i];
      if (token === this.decoder.blank) {
        cursor.frame++;
        cursor.emitted = 0;
        continue;
      }
      cursor.tokens.push(token);
      cursor.frames.push(cursor.frame);
      cursor.last = token;
      cursor.emitted++;
      if (cursor.emitted >= this.maxSymbols) {
        cursor.frame++;
        cursor.emitted = 0;
      }
      return true;
    }
    return false;
  }
}
