// Runs a CTC branch on batches: everything up to the best class of each frame is one program.
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
import { greedyCtc } from '../decoding/greedy-ctc.js';
import { bestPath } from './ctc-head.js';
import type { Recognition, Recognizer } from './speech-model.js';

export interface CtcRecognizerOptions {
  readonly decoder: ConvASRDecoder;
  readonly encode: (inputs: Tensors) => { encoded: Tensor; lengths: Tensor };
  /** Loss of a batch, given what `encode` made of it. */
  readonly loss: (encoded: { encoded: Tensor; lengths: Tensor }, inputs: Tensors) => Tensor;
}

export class CtcRecognizer implements Recognizer {
  private readonly transcribe: Program;
  private readonly evaluate: Program;
  private readonly blank: number;

  constructor(engine: Engine, { decoder, encode, loss }: CtcRecognizerOptions) {
    this.blank = decoder.blank;
    const outputs = ({ encoded, lengths }: { encoded: Tensor; lengths: Tensor }) => ({
      ...bestPath(decoder, encoded, evaluationPass),
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
    const hypotheses = greedyCtc({
      best: out['best'].data,
      scores: out['scores'].data,
      frames: out['best'].shape[1],
      lengths: out['lengths'].data,
      blank: this.blank,
    });
    return withLoss ? { hypotheses, loss: out['loss'].data[0] } : { hypotheses };
  }
}
