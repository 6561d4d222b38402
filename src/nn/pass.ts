// The object that every forward pass carries along.
import type { Tensor } from '../engine/index.js';

/** The frames of x [B,T,...] that are the batch's own, its utterances' common padding included: the first of the T. */
export interface Extent {
  /** How many, int32 [1]. */
  readonly frames: Tensor;
  /** 1 for them and 0 for those after, [1,T,1]. */
  readonly mask: Tensor;
  /** Weights of a mean over them, [1,T,1]. */
  readonly share: Tensor;
  /** Weights of a mean over them in all items, [B·T,1]. */
  readonly rowShare: Tensor;
}

/** What a forward pass knows besides its tensors. Modules get it as the last argument of `forward`. */
export interface Pass {
  /** Dropout, batch statistics and the like are on. */
  readonly training: boolean;
  /**
   * Called by modules with their outputs, under the module's dotted path. Returns the tensor to go on
   * with: unchanged in ordinary passes; diagnosis and `inspect` record it.
   * @param again it was tapped before: a checkpointed part is computed once more, for the gradients
   */
  tap(path: string, x: Tensor, again?: boolean): Tensor;
  /** Layers keep only the inputs of their blocks, and compute the rest again for the gradient; see `block`. Default no. */
  readonly recomputesBlocks?: boolean;
  /** Takes scalars that modules add to the loss of a training step, such as a penalty: means over its examples. */
  cost?(value: Tensor): void;
  /**
   * Frames of features that the batch has, int32 [1]: its longest utterance, padded by the front end. Those beyond were
   * added to fit a compiled shape. Absent: all are the batch's.
   */
  readonly batchFrames?: Tensor;
  /**
   * The sum of a small tensor over the ranks that each train on a part of the batch: there, where batch statistics are to be
   * those of all parts. It has no gradient. @param label for messages
   */
  readonly sumOverRanks?: (x: Tensor, label: string) => Tensor;
  /** The same of what a module sees: encoders keep it up to date (`within`) wherever they change the frame rate. */
  readonly extent?: Extent | undefined;
}

/** A pass of inference: no dropout, running statistics, nothing recorded. */
export const evaluationPass: Pass = { training: false, tap: (_path, x) => x };
/** A pass of training: dropout and batch statistics, nothing recorded. */
export const trainingPass: Pass = { training: true, tap: (_path, x) => x };
