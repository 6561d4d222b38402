// Runs a CTC branch on batches: everything up to what the search needs of each frame is one program.
import { type Engine, type HostTensors, type Program, type Tensors, tf } from '../../engine/index.js';
import type { StepOutput } from '../../model/index.js';
import { evaluationPass } from '../../nn/index.js';
import type { ConvASRDecoder } from '../decoders/conv-asr-decoder.js';
import type { CtcSearch } from '../decoding/ctc-search.js';
import type { Encoded } from '../encoders/encoder.js';
import { lossOutputs, lossResults } from './evaluation-losses.js';
import type { InterCtcEvaluation } from './inter-ctc-evaluation.js';
import type { Recognition, Recognizer } from './recognizer.js';
import { heardInputs } from './speech-inputs.js';

export interface CtcRecognizerOptions {
  readonly decoder: ConvASRDecoder;
  readonly search: CtcSearch;
  readonly encode: (inputs: Tensors) => Encoded;
  /** Loss of a batch, given what `encode` made of it; its logs are the losses it is made of. */
  readonly loss: (encoded: Encoded, inputs: Tensors) => StepOutput;
  readonly inner: InterCtcEvaluation;
}

export class CtcRecognizer implements Recognizer {
  private readonly transcribe: Program;
  private readonly transcribeInner: Program;
  private readonly evaluate: Program;

  constructor(
    engine: Engine,
    private readonly options: CtcRecognizerOptions,
  ) {
    const { decoder, search, encode, loss, inner } = options;
    const outputs = ({ encoded, lengths }: Encoded) => ({
      ...search.outputs(decoder.forward(encoded, evaluationPass)),
      lengths: tf.clone(lengths),
    });
    this.transcribe = engine.compile('ctc-transcribe', (inputs) => outputs(encode(inputs)));
    this.transcribeInner = engine.compile('ctc-inner', (inputs) => {
      const encoded = encode(inputs);
      return { ...outputs(encoded), ...inner.outputs(encoded.encoded, encoded.lengths) };
    });
    this.evaluate = engine.compile('ctc-evaluate', (inputs) => {
      const encoded = encode(inputs);
      return {
        ...outputs(encoded),
        ...inner.outputs(encoded.encoded, encoded.lengths),
        ...lossOutputs(loss(encoded, inputs)),
      };
    });
  }

  async recognize(inputs: HostTensors, withLoss: boolean, withInner = false): Promise<Recognition> {
    const { search, inner } = this.options;
    const program = withInner ? this.transcribeInner : this.transcribe;
    const out = withLoss ? await this.evaluate.run(inputs) : await program.run(heardInputs(inputs));
    return {
      hypotheses: search.decode(out, out['lengths'].data),
      ...(withLoss && lossResults(out)),
      ...(withInner && { inner: inner.decode(out) }),
    };
  }
}
