// What CTC heads beside the one that decodes recognise, and at what loss: at the inner layers of InterCTC (metrics that
// tell how good a shorter encoder would be) and, in hybrid models, at the last.
import { type HostTensors, type Tensor, type Tensors, tf } from '../../engine/index.js';
import { evaluationPass } from '../../nn/index.js';
import { ErrorRate, type Tokenizer } from '../../text/index.js';
import type { ConvASRDecoder } from '../decoders/conv-asr-decoder.js';
import type { Hypothesis } from '../decoding/hypothesis.js';
import type { CtcSearch } from './ctc-search.js';
import type { InterCtc } from './inter-ctc.js';

/** Where a CTC head listens: an inner layer, counted from 0, or the encoder's output. */
export type InnerPlace = number | 'last';

/** A batch at one place. */
export interface InnerRecognition {
  readonly place: InnerPlace;
  readonly hypotheses: readonly Hypothesis[];
  /** CTC loss of the batch, when the loss was asked for. */
  readonly loss?: number;
}

/** NeMo's names of what is known of a place. */
const metricNames = (place: InnerPlace): { readonly wer: string; readonly loss: string } =>
  place === 'last'
    ? { wer: 'wer_ctc', loss: 'ctc_loss' }
    : { wer: `inter_wer_l${place}`, loss: `inter_ctc_loss_l${place}` };

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

  /** Outputs of a program, for what `InterCtc.encode` gave; losses come under their own names. */
  outputs(encoded: Tensor, lengths: Tensor): Tensors {
    const all: Record<string, Tensor> = {};
    const inner: (readonly [InnerPlace, { readonly encoded: Tensor; readonly lengths: Tensor }])[] =
      this.interCtc.innerOf(encoded);
    for (const [place, output] of this.last ? [...inner, ['last', { encoded, lengths }] as const] : inner) {
      const found = this.search.outputs(this.decoder.forward(output.encoded, evaluationPass));
      for (const [name, tensor] of Object.entries(found)) all[`inter${place}.${name}`] = tensor;
      all[`inter${place}.lengths`] = tf.clone(output.lengths);
    }
    return all;
  }

  /** What such outputs say. */
  decode(outputs: HostTensors): InnerRecognition[] {
    return this.places.map((place) => {
      const prefix = `inter${place}.`;
      const own = Object.entries(outputs)
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, tensor]) => [name.slice(prefix.length), tensor] as const);
      const tensors: HostTensors = Object.fromEntries(own);
      const hypotheses = this.search.decode(tensors, tensors['lengths'].data);
      const loss = outputs[metricNames(place).loss]?.data[0];
      return { place, hypotheses, ...(loss !== undefined && { loss }) };
    });
  }
}

/** The metrics of such heads over many batches, under NeMo's names. */
export class InnerMetrics {
  private readonly places = new Map<
    InnerPlace,
    { readonly words: ErrorRate; loss: number; weight: number }
  >();

  constructor(private readonly tokenizer: Tokenizer) {}

  add(inner: readonly InnerRecognition[], references: readonly string[]): void {
    for (const { place, hypotheses, loss } of inner) {
      const entry = this.places.get(place) ?? { words: new ErrorRate('word'), loss: 0, weight: 0 };
      this.places.set(place, entry);
      for (const [i, { tokens }] of hypotheses.entries()) {
        entry.words.add(references[i] ?? '', this.tokenizer.idsToText(tokens));
      }
      if (loss === undefined) continue;
      entry.loss += loss * references.length;
      entry.weight += references.length;
    }
  }

  /** `inter_wer_lN` or `wer_ctc`, a share; `inter_ctc_loss_lN` or `ctc_loss`, weighted by the batches' sizes. */
  summary(): Record<string, number> {
    const metrics: Record<string, number> = {};
    for (const [place, { words, loss, weight }] of this.places) {
      const names = metricNames(place);
      metrics[names.wer] = words.rate;
      if (weight > 0) metrics[names.loss] = loss / weight;
    }
    return metrics;
  }
}
