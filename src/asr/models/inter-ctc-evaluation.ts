// What the inner layers of InterCTC recognise, and at what loss: metrics that tell how good a shorter encoder would be.
import type { HostTensors, Tensor, Tensors } from '../../engine/index.js';
import { evaluationPass } from '../../nn/index.js';
import { ErrorRate, type Tokenizer } from '../../text/index.js';
import type { ConvASRDecoder } from '../decoders/conv-asr-decoder.js';
import type { Hypothesis } from '../decoding/hypothesis.js';
import type { CtcSearch } from './ctc-search.js';
import type { InterCtc } from './inter-ctc.js';

/** A batch at one inner layer. */
export interface InnerRecognition {
  /** From 0. */
  readonly layer: number;
  readonly hypotheses: readonly Hypothesis[];
  /** CTC loss of the batch, when the loss was asked for. */
  readonly loss?: number;
}

export class InterCtcEvaluation {
  constructor(
    private readonly interCtc: InterCtc,
    private readonly decoder: ConvASRDecoder,
    private readonly search: CtcSearch,
  ) {}

  /** Outputs of a program, for what `InterCtc.encode` gave; losses come from `InterCtc` under their own names. */
  outputs(encoded: Tensor): Tensors {
    const all: Record<string, Tensor> = {};
    for (const [layer, output] of this.interCtc.innerOf(encoded)) {
      const found = this.search.outputs(this.decoder.forward(output.encoded, evaluationPass));
      for (const [name, tensor] of Object.entries(found)) all[`inter${layer}.${name}`] = tensor;
      all[`inter${layer}.lengths`] = output.lengths;
    }
    return all;
  }

  /** What such outputs say. */
  decode(outputs: HostTensors): InnerRecognition[] {
    return this.interCtc.layers.map((layer) => {
      const prefix = `inter${layer}.`;
      const own = Object.entries(outputs)
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, tensor]) => [name.slice(prefix.length), tensor] as const);
      const tensors: HostTensors = Object.fromEntries(own);
      const hypotheses = this.search.decode(tensors, tensors['lengths'].data);
      const loss = outputs[`inter_ctc_loss_l${layer}`]?.data[0];
      return { layer, hypotheses, ...(loss !== undefined && { loss }) };
    });
  }
}

/** The metrics of inner layers over many batches, under NeMo's names. */
export class InnerMetrics {
  private readonly layers = new Map<number, { readonly words: ErrorRate; loss: number; weight: number }>();

  constructor(private readonly tokenizer: Tokenizer) {}

  add(inner: readonly InnerRecognition[], references: readonly string[]): void {
    for (const { layer, hypotheses, loss } of inner) {
      const entry = this.layers.get(layer) ?? { words: new ErrorRate('word'), loss: 0, weight: 0 };
      this.layers.set(layer, entry);
      for (const [i, { tokens }] of hypotheses.entries()) {
        entry.words.add(references[i] ?? '', this.tokenizer.idsToText(tokens));
      }
      if (loss === undefined) continue;
      entry.loss += loss * references.length;
      entry.weight += references.length;
    }
  }

  /** `inter_wer_lN`, a share, and `inter_ctc_loss_lN`, the mean of the batches' losses weighted by their size. */
  summary(): Record<string, number> {
    const metrics: Record<string, number> = {};
    for (const [layer, { words, loss, weight }] of this.layers) {
      metrics[`inter_wer_l${layer}`] = words.rate;
      if (weight > 0) metrics[`inter_ctc_loss_l${layer}`] = loss / weight;
    }
    return metrics;
  }
}
