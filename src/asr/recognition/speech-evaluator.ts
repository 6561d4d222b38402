// Validation and test metrics of speech models: loss, word and character error rates.
import {
  type Batch,
  BatchMeans,
  type EvaluatedSample,
  type EvaluationSummary,
  type Evaluator,
  type MeasuredTerm,
} from '../../model/index.js';
import { ErrorRate, type Tokenizer } from '../../text/index.js';
import { plainTerms } from './evaluation-losses.js';
import { InnerMetrics, type InnerRecognition } from './inter-ctc-evaluation.js';
import type { Recognizer } from './recognizer.js';

/** Pairs of reference and hypothesis kept for the eye. */
const samplesKept = 20;

/** What is recognised in a batch. */
export interface SpeechFinding {
  readonly terms: readonly MeasuredTerm[];
  readonly inner: readonly InnerRecognition[];
  readonly samples: readonly EvaluatedSample[];
}

export class SpeechEvaluator implements Evaluator {
  private readonly words = new ErrorRate('word');
  private readonly characters = new ErrorRate('character');
  private readonly samples: EvaluatedSample[] = [];
  private readonly inner: InnerMetrics;
  private readonly losses = new BatchMeans();

  constructor(
    private readonly recognizer: Recognizer,
    private readonly tokenizer: Tokenizer,
    /** How the ids of a hypothesis become text. */
    private readonly textOf: (ids: readonly number[]) => string,
    private readonly withLoss: boolean,
    private readonly onBatch: (batch: Batch) => void = () => {},
  ) {
    this.inner = new InnerMetrics(textOf);
  }

  async add(batch: Batch): Promise<void> {
    this.take(await this.find(batch));
  }

  async find(batch: Batch): Promise<SpeechFinding> {
    this.onBatch(batch);
    const recognition = await this.recognizer.recognize(batch.inputs, this.withLoss, true);
    const { hypotheses, losses = {}, inner = [] } = recognition;
    return {
      terms: recognition.lossTerms?.(batch.size) ?? plainTerms(losses, batch.size),
      inner: inner.map(({ place, hypotheses }) => ({ place, hypotheses })),
      samples: Array.from({ length: batch.size }, (_, i) => ({
        name: batch.names[i],
        reference: this.reference(batch, i),
        hypothesis: this.textOf(hypotheses[i].tokens),
      })),
    };
  }

  take({ terms, inner, samples }: SpeechFinding): void {
    this.losses.add(terms);
    this.inner.add(
      inner,
      samples.map(({ reference }) => reference),
    );
    for (const sample of samples) {
      this.words.add(sample.reference, sample.hypothesis);
      this.characters.add(sample.reference, sample.hypothesis);
      if (this.samples.length < samplesKept) this.samples.push(sample);
    }
  }

  /**
   * The transcript through the tokenizer and back, as NeMo compares it: what normalisation changes, and what the
   * vocabulary cannot say, is the same on both sides.
   */
  private reference({ inputs }: Batch, row: number): string {
    const { targets, targetLengths, promptLengths } = inputs;
    const start = row * targets.shape[1];
    // Prompted transcripts have a token for their end, too.
    const [from, end] = promptLengths ? [promptLengths.data[row], 1] : [0, 0];
    const ids = targets.data.subarray(start + from, start + targetLengths.data[row] - end);
    return this.tokenizer.idsToText(Array.from(ids));
  }

  /**
   * `wer` and `cer` as shares (1 is 100%); `loss` is that of one large batch of all examples, as training computes it;
   * batches without weight are counted in `empty_batches`, where there are any. InterCTC adds `inter_wer_lN` and `inter_ctc_loss_lN` for each of its layers, and `final_loss`, the loss without
   * them; hybrid models add `rnnt_loss`, `ctc_loss` and `wer_ctc`.
   */
  summary(): EvaluationSummary {
    const rates = { wer: this.words.rate, cer: this.characters.rate };
    // No batch at all has no loss, which is told apart from a loss that nobody asked for.
    const losses = { ...(this.withLoss && { loss: Number.NaN }), ...this.losses.summary() };
    const { emptyBatches } = this.losses;
    const empty: Record<string, number> = emptyBatches > 0 ? { empty_batches: emptyBatches } : {};
    return { metrics: { ...rates, ...losses, ...empty, ...this.inner.summary() }, samples: this.samples };
  }
}
