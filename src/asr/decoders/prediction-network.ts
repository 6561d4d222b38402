// The interface of prediction networks.
import type { Tensor } from '../../engine/index.js';
import { Module, type Pass } from '../../nn/index.js';

/** What losses and decoding need of a prediction network, whatever it remembers of the tokens so far. */
export abstract class PredictionNetwork extends Module {
  /** Width H of the output. */
  abstract readonly width: number;
  /** Tokens without blank; also the id that stands for "no token yet". */
  abstract readonly vocabulary: number;
  /** What another vocabulary makes anew: all of it, unless a network knows better. */
  get vocabularyLayers(): readonly Module[] {
    return [this];
  }

  /** Numbers that hold what one utterance remembers, S. */
  abstract readonly stateSize: number;

  /** The state before the first token, [S]. */
  abstract initialState(): Float32Array;

  /** targets int32 [B,U] → [B,U+1,H]. Position 0 has seen no token. */
  abstract forward(targets: Tensor, pass: Pass): Tensor;

  /**
   * One step of decoding, without dropout. last int32 [B] are the tokens emitted last, `vocabulary` meaning
   * "none yet"; state [B,S] is that before them → output [B,H] and the state after them.
   */
  abstract step(last: Tensor, state: Tensor): { readonly output: Tensor; readonly state: Tensor };
}
