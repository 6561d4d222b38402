// What a forward pass knows besides its tensors.
import type { Tensor } from '../engine/index.js';

export interface Pass {
  /** Dropout, batch statistics and the like are on. */
  readonly training: boolean;
  /**
   * Called by modules with their outputs, under the module's dotted path. Returns the tensor to go on
   * with: unchanged in ordinary passes; diagnosis and `inspect` record it.
   */
  tap(path: string, x: Tensor): Tensor;
  /** Takes scalars that modules add to the loss of a training step, such as a penalty on their output. */
  cost?(value: Tensor): void;
}

export const evaluationPass: Pass = { training: false, tap: (_path, x) => x };
export const trainingPass: Pass = { training: true, tap: (_path, x) => x };
