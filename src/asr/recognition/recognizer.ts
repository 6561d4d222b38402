// What recognises batches: evaluation and transcription ask it, each kind of model has one.
import type { HostTensors } from '../../engine/index.js';
import type { Hypothesis } from '../../generation/index.js';
import type { LossTerms, LossValues } from './evaluation-losses.js';
import type { InnerRecognition } from './inter-ctc-evaluation.js';

/** Result of running a model on one batch for evaluation or transcription. */
export interface Recognition {
  readonly hypotheses: Hypothesis[];
  /** `loss` of the batch as training computes it and the losses it is made of, when asked for. */
  readonly losses?: LossValues;
  /** What these are made of, for a batch of so many examples. Default: means over the examples. */
  readonly lossTerms?: (size: number) => LossTerms;
  /** What the layers with a CTC loss of their own recognise, when asked for. */
  readonly inner?: readonly InnerRecognition[];
}

/** Compiled programs that recognise batches on one engine. */
export interface Recognizer {
  /** `inputs` as in `Batch.inputs`; the loss needs `targets` and `targetLengths`. Inner layers default to none. */
  recognize(inputs: HostTensors, withLoss: boolean, withInner?: boolean): Promise<Recognition>;
}

export interface LabelOptions {
  /** Language of the text; only tokenizers of several languages need it. */
  readonly lang?: string | undefined;
  /** The tokens of the text, where they are known. */
  readonly tokens?: readonly number[] | undefined;
}
