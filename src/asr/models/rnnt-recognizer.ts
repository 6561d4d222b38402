// Runs a transducer on batches: one program for the encoder (and the loss), then a search.
import { type Engine, type HostTensors, type Program, type Tensor, tf } from '../../engine/index.js';
import { evaluationPass } from '../../nn/index.js';
import type { ProjectedFrames } from '../decoding/greedy-transducer.js';
import type { Hypothesis } from '../decoding/hypothesis.js';
import type { EncDecRNNTBPEModel } from './rnnt-model.js';
import type { Recognition, Recognizer } from './speech-model.js';

/** Finds hypotheses in projected encoder frames. */
export interface TransducerSearch {
  decode(input: ProjectedFrames): Promise<Hypothesis[]>;
}

export class RnntRecognizer implements Recognizer {
  private readonly encode: Program;
  private readonly evaluate: Program;

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
    this.evaluate = engine.compile('evaluate', (inputs) => {
      const forward = model.forward(inputs, evaluationPass);
      const loss = model.loss(forward, inputs, evaluationPass);
      return { ...outputs(forward.projected, forward.lengths), loss };
    });
  }

  async recognize(inputs: HostTensors, withLoss: boolean): Promise<Recognition> {
    const out = withLoss
      ? await this.evaluate.run(inputs)
      : await this.encode.run({
          features: inputs['features'],
          featureLengths: inputs['featureLengths'],
        });
    const { projected, lengths } = out;
    const hypotheses = await this.search.decode({
      data: projected.data as Float32Array,
      shape: projected.shape,
      lengths: lengths.data,
    });
    return withLoss ? { hypotheses, loss: out['loss'].data[0] } : { hypotheses };
  }
}
