// Word and character error rate over a corpus: edits and reference lengths are summed, then divided, as in
// NeMo's word_error_rate (words are what white space separates; characters are code points, spaces among
// them). No text is normalised here.
import { align, countEdits, type EditCounts } from './alignment.js';

/** What an error rate counts: words for WER, code points for CER. */
export type ErrorUnit = 'word' | 'character';

/** Sums that add up across batches and ranks. */
export interface ErrorRateSums extends EditCounts {
  /** Words or characters of all references. */
  readonly referenceLength: number;
  readonly utterances: number;
  /** Utterances with any error. */
  readonly wrongUtterances: number;
}

/** Splits a text into what is counted. */
export function unitsOf(text: string, unit: ErrorUnit): string[] {
  return unit === 'word' ? text.split(/\s+/u).filter((word) => word !== '') : Array.from(text);
}

/** An accumulator; use `wordErrorRate` or `characterErrorRate` for a single shot. */
export class ErrorRate {
  private readonly sums = {
    substitutions: 0,
    deletions: 0,
    insertions: 0,
    matches: 0,
    referenceLength: 0,
    utterances: 0,
    wrongUtterances: 0,
  };

  constructor(readonly unit: ErrorUnit) {}

  /** Adds one utterance and returns its own counts. */
  add(reference: string, hypothesis: string): EditCounts {
    const units = unitsOf(reference, this.unit);
    const counts = countEdits(align(units, unitsOf(hypothesis, this.unit)));
    const isWrong = counts.substitutions + counts.deletions + counts.insertions > 0;
    this.merge({ ...counts, referenceLength: units.length, utterances: 1, wrongUtterances: isWrong ? 1 : 0 });
    return counts;
  }

  /** Adds the sums of another accumulator (another batch or rank). */
  merge(sums: ErrorRateSums): void {
    for (const key of Object.keys(this.sums) as (keyof ErrorRateSums)[]) this.sums[key] += sums[key];
  }

  /** A copy of the sums. */
  state(): ErrorRateSums {
    return { ...this.sums };
  }

  /** Forgets all utterances. */
  reset(): void {
    for (const key of Object.keys(this.sums) as (keyof ErrorRateSums)[]) this.sums[key] = 0;
  }

  /** Numerator of the rate. */
  get errors(): number {
    return this.sums.substitutions + this.sums.deletions + this.sums.insertions;
  }

  /** Denominator of the rate. */
  get referenceLength(): number {
    return this.sums.referenceLength;
  }

  /** Errors over reference length (1 is 100%, more is possible); Infinity when the references are empty. */
  get rate(): number {
    return this.sums.referenceLength === 0
      ? Number.POSITIVE_INFINITY
      : this.errors / this.sums.referenceLength;
  }
}

/** Corpus word error rate. The two lists go in pairs; throws a RangeError when their lengths differ. */
export function wordErrorRate(references: readonly string[], hypotheses: readonly string[]): number {
  return corpusRate('word', references, hypotheses);
}

/** Corpus character error rate. */
export function characterErrorRate(references: readonly string[], hypotheses: readonly string[]): number {
  return corpusRate('character', references, hypotheses);
}

function corpusRate(unit: ErrorUnit, references: readonly string[], hypotheses: readonly string[]): number {
  if (references.length !== hypotheses.length) {
    throw new RangeError(`${references.length} references but ${hypotheses.length} hypotheses`);
  }
  const rate = new ErrorRate(unit);
  references.forEach((reference, i) => {
    rate.add(reference, hypotheses[i]);
  });
  return rate.rate;
}
