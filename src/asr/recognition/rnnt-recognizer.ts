// Runs a transducer on batches: one program for the encoder (and the loss), then a search.
import {
  type Engine,
  type HostTensors,
  type Program,
  type Tensor,
  type Tensors,
  tf,
} from '../../engine/index.js';
import type { StepOutput } from '../../model/index.js';
import type { TransducerSearch } from '../decoding/transducer-search.js';
import { lossOutputs, lossResults } from './evaluation-losses.js';
import type { InterCtcEvaluation } from './inter-ctc-evaluation.js';
import type { Recognition, Recognizer } from './recognizer.js';
import { heardInputs } from './speech-inputs.js';

/** What the encoder makes of a batch. */
export interface RnntForward {
  /** The joint's projection of `encoded`, [B,T',J] */
  readonly projected: Tensor;
  /** [B,T',d] */
  readonly encoded: Tensor;
  /** [B] */
  readonly lengths: Tensor;
}

export interface RnntRecognizerOptions {
  readonly search: TransducerSearch;
  readonly forward: (inputs: Tensors) => RnntForward;
  /** Loss of a batch, given what `forward` made of it; its logs are the losses it is made of. */
  readonly loss: (forward: RnntForward, inputs: Tensors) => StepOutput;
  /** Of models that have losses at inner layers of the encoder. */
  readonly inner?: InterCtcEvaluation | undefined;
}

export class RnntRecognizer implements Recognizer {
  private readonly encode: Program;
  private readonly encodeInner: Program;
  private readonly evaluate: Program;

  constructor(
    engine: Engine,
    private readonly options: RnntRecognizerOptions,
  ) {
    const { forward, loss, inner } = options;
    const outputs = (projected: Tensor, lengths: Tensor) => ({ projected, lengths: tf.clone(lengths) });
    this.encode = engine.compile('encode', (inputs) => {
      const { projected, lengths } = forward(inputs);
      return outputs(projected, lengths);
    });
    this.encodeInner = engine.compile('encode-inner', (inputs) => {
      const { projected, lengths, encoded } = forward(inputs);
      return { ...outputs(projected, lengths), ...inner?.outputs(encoded, lengths) };
    });
    this.evaluate = engine.compile('evaluate', (inputs) => {
      const encoding = forward(inputs);
      return {
        ...outputs(encoding.projected, encoding.lengths),
        ...inner?.outputs(encoding.encoded, encoding.lengths),
        ...lossOutputs(loss(encoding, inputs)),
      };
    });
  }

  async recognize(inputs: HostTensors, withLoss: boolean, withInner = false): Promise<Recognition> {
    const { search, inner } = this.options;
    const program = withInner ? this.encodeInner : this.encode;
    const out = withLoss ? await this.evaluate.run(inputs) : await program.run(heardInputs(inputs));
    const { projected, lengths } = out;
    const hypotheses = await search.decode({
      data: projected.data as Float32Array,
      shape: projected.shape,
      lengths: lengths.data,
    });
    return {
      hypotheses,
      ...(withLoss && lossResults(out)),
      ...(withInner && inner && { inner: inner.decode(out) }),
    };
  }
}
