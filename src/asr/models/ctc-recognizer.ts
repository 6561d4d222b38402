// Runs a CTC branch on batches: everything up to what the search needs of each frame is one program.
import {
  type Engine,
  type HostTensors,
  type Program,
  type Tensor,
  type Tensors,
  tf,
} from '../../engine/index.js';
import { evaluationPass } from '../../nn/index.js';
import type { ConvASRDecoder } from '../decoders/conv-asr-decoder.js';
import type { CtcSearch } from './ctc-search.js';
import type { Recognition, Recognizer } from './speech-model.js';

export interface CtcRecognizerOptions {
  readonly decoder: ConvASRDecoder;
  readonly search: CtcSearch;
  readonly encode: (inputs: Tensors) => { encoded: Tensor; lengths: Tensor };
  /** Loss of a batch, given what `encode` made of it. */
  readonly loss: (encoded: { encoded: Tensor; lengths: Tensor }, inputs: Tensors) => Tensor;
}

export class CtcRecognizer implements Recognizer {
  private readonly transcribe: Program;
  private readonly evaluate: Program;
  private readonly search: CtcSearch;

  constructor(engine: Engine, { decoder, search, encode, loss }: CtcRecognizerOptions) {
    this.search = search;
    const outputs = ({ encoded, lengths }: { encoded: Tensor; lengths: Tensor }) => ({
      ...search.outputs(decoder.forward(encoded, evaluationPass)),
      lengths: tf.clone(lengths),
    });
    this.transcribe = engine.compile('ctc-transcribe', (inputs) => outputs(encode(inputs)));
    this.evaluate = engine.compile('ctc-evaluate', (inputs) => {
      const encoded = encode(inputs);
      return { ...outputs(encoded), loss: loss(encoded, inputs) };
    });
  }

  async recognize(inputs: HostTensors, withLoss: boolean): Promise<Recognition> {
    const { features, featureLengths } = inputs;
    const out = withLoss
      ? await this.evaluate.run(inputs)
      : await this.transcribe.run({ features, featureLengths });
    const hypotheses = this.search.decode(out, out['lengths'].data);
    return withLoss ? { hypotheses, loss: out['loss'].data[0] } : { hypotheses };
  }
}
