// Validation and test metrics of speech models: loss, word and character error rates.
import type { Batch, EvaluatedSample, EvaluationSummary, Evaluator } from '../../nn/index.js';
import { ErrorRate, type Tokenizer } from '../../text/index.js';
import type { Recognizer } from './speech-model.js';

/** Pairs of reference and hypothesis kept for the eye. */
const samplesKept = 20;

export class SpeechEvaluator implements Evaluator {
  private readonly words = new ErrorRate('word');
  private readonly characters = new ErrorRate('character');
  private readonly samples: EvaluatedSample[] = [];
  private lossSum = 0;
  private utterances = 0;

  constructor(
    private readonly recognizer: Recognizer,
    private readonly tokenizer: Tokenizer,
    private readonly withLoss: boolean,
    private readonly onBatch: (batch: Batch) => void = () => {},
  ) {}

  async add(batch: Batch): Promise<void> {
    this.onBatch(batch);
    const { hypotheses, loss } = await this.recognizer.recognize(batch.inputs, this.withLoss);
    if (loss !== undefined) this.lossSum += loss * batch.size;
    this.utterances += batch.size;
    for (let i = 0; i < batch.size; i++) {
      const reference = batch.texts?.[i] ?? '';
      const hypothesis = this.tokenizer.idsToText(hypotheses[i].tokens);
      this.words.add(reference, hypothesis);
      this.characters.add(reference, hypothesis);
      if (this.samples.length < samplesKept) {
        this.samples.push({ name: batch.names[i], reference, hypothesis });
      }
    }
  }

  /** `wer` and `cer` as shares (1 is 100%); `loss` is the mean of the batches' losses weighted by their size. */
  summary(): EvaluationSummary {
    const metrics: Record<string, number> = { wer: this.words.rate, cer: this.characters.rate };
    if (this.withLoss) metrics['loss'] = this.utterances === 0 ? Number.NaN : this.lossSum / this.utterances;
    return { metrics, samples: this.samples };
  }
}
