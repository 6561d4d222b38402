// What CTC heads beside the one that decodes recognise: at the inner layers of InterCTC (metrics that tell how good a
// shorter encoder would be) and, in hybrid models, at the last. Their losses are parts of the model's.
import { type HostTensors, type Tensor, type Tensors, tf } from '../../engine/index.js';
import type { Hypothesis } from '../../generation/index.js';
import { evaluationPass } from '../../nn/index.js';
import { ErrorRate } from '../../text/index.js';
import type { ConvASRDecoder } from '../decoders/conv-asr-decoder.js';
import type { CtcSearch } from '../decoding/ctc-search.js';
import type { InterCtc } from './inter-ctc.js';

/** Where a CTC head listens: an inner layer, counted from 0, or the encoder's output. */
export type InnerPlace = number | 'last';

/** A batch at one place. */
export interface InnerRecognition {
  readonly place: InnerPlace;
  readonly hypotheses: readonly Hypothesis[];
}

/** NeMo's name of the word error rate at a place. */
const metricName = (place: InnerPlace): string => (place === 'last' ? 'wer_ctc' : `inter_wer_l${place}`);

export class InterCtcEvaluation {
  private readonly places: readonly InnerPlace[];

  /** @param last the encoder's output too, for models that decode with another head */
  constructor(
    private readonly interCtc: InterCtc,
    private readonly decoder: ConvASRDecoder,
    private readonly search: CtcSearch,
    private readonly last = false,
  ) {
    this.places = [...interCtc.layers, ...(last ? (['last'] as const) : [])];
  }

  /** Outputs of a program, for what `InterCtc.encode` gave. */
  outputs(encoded: Tensor, lengths: Tensor): Tensors {
    const all: Record<string, Tensor> = {};
    const innerOutputs: (readonly [InnerPlace, { readonly encoded: Tensor; readonly lengths: Tensor }])[] =
      this.interCtc.innerOf(encoded);
    for (const [place, output] of this.last
      ? [...innerOutputs, ['last', { encoded, lengths }] as const]
      : innerOutputs) {
      const foundTokens = this.search.outputs(this.decoder.forward(output.encoded, evaluationPass));
      for (const [name, tensor] of Object.entries(foundTokens)) all[`inter${place}.${name}`] = tensor;
      all[`inter${place}.lengths`] = tf.clone(output.lengths);
    }
    return all;
  }

  /** What such outputs say. */
  decode(outputs: HostTensors): InnerRecognition[] {
    return this.places.map((place) => {
      const prefix = `inter${place}.`;
      const ownOutputs = Object.entries(outputs)
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, tensor]) => [name.slice(prefix.length), tensor] as const);
      const tensors: HostTensors = Object.fromEntries(ownOutputs);
      return { place, hypotheses: this.search.decode(tensors, tensors['lengths'].data) };
    });
  }
}

/** The error rates of such heads over many batches, under NeMo's names. */
export class InnerMetrics {
  private readonly places = new Map<InnerPlace, ErrorRate>();

  /** @param textOf how the ids of a hypothesis become text */
  constructor(private readonly textOf: (ids: readonly number[]) => string) {}

  add(recognitions: readonly InnerRecognition[], references: readonly string[]): void {
    for (const { place, hypotheses } of recognitions) {
      const words = this.places.get(place) ?? new ErrorRate('word');
      this.places.set(place, words);
      for (const [i, { tokens }] of hypotheses.entries()) {
        words.add(references[i] ?? '', this.textOf(tokens));
      }
    }
  }

  /** `inter_wer_lN` or `wer_ctc`, shares. */
  summary(): Record<string, number> {
    return Object.fromEntries([...this.places].map(([place, { rate }]) => [metricName(place), rate]));
  }
}
