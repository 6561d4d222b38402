// Runs a transducer on batches: one program for the encoder (and the loss), then a search.
import { type Engine, type HostTensors, type Program, type Tensor, tf } from '../../engine/index.js';
import type { Hypothesis } from '../../generation/index.js';
import { evaluationPass } from '../../nn/index.js';
import type { ProjectedFrames } from '../decoding/greedy-transducer.js';
import { lossesOf, lossOutputs } from './evaluation-losses.js';
import type { InterCtcEvaluation } from './inter-ctc-evaluation.js';
import type { EncDecRNNTBPEModel } from './rnnt-model.js';
import { heardInputs } from './speech-inputs.js';
import type { Recognition, Recognizer } from './speech-model.js';

/** Finds hypotheses in projected encoder frames. */
export interface TransducerSearch {
  decode(input: ProjectedFrames): Promise<Hypothesis[]>;
}

export class RnntRecognizer implements Recognizer {
  private readonly encode: Program;
  private readonly encodeInner: Program;
  private readonly evaluate: Program;
  private readonly inner: InterCtcEvaluation | undefined;

  constructor(
    engine: Engine,
    model: EncDecRNNTBPEModel,
    private readonly search: TransducerSearch,
  ) {
    const outputs = (projected: Tensor, lengths: Tensor) => ({ projected, lengths: tf.clone(lengths) });
    this.encode = engine.compile('encode', (inputs) => {
      const { projected, lengths } = model.forward(inputs, evaluationPass);
      return outputs(projected, lengths);
    });
    const inner = model.innerEvaluation();
    this.inner = inner;
    this.encodeInner = engine.compile('encode-inner', (inputs) => {
      const { projected, lengths, encoded } = model.forward(inputs, evaluationPass);
      return { ...outputs(projected, lengths), ...inner?.outputs(encoded, lengths) };
    });
    this.evaluate = engine.compile('evaluate', (inputs) => {
      const forward = model.forward(inputs, evaluationPass);
      return {
        ...outputs(forward.projected, forward.lengths),
        ...inner?.outputs(forward.encoded, forward.lengths),
        ...lossOutputs(model.evaluationLoss(forward, inputs)),
      };
    });
  }

  async recognize(inputs: HostTensors, withLoss: boolean, withInner = false): Promise<Recognition> {
    const program = withInner ? this.encodeInner : this.encode;
    const out = withLoss ? await this.evaluate.run(inputs) : await program.run(heardInputs(inputs));
    const { projected, lengths } = out;
    const hypotheses = await this.search.decode({
      data: projected.data as Float32Array,
      shape: projected.shape,
      lengths: lengths.data,
    });
    return {
      hypotheses,
      ...(withLoss && { losses: lossesOf(out) }),
      ...(withInner && this.inner && { inner: this.inner.decode(out) }),
    };
  }
}
