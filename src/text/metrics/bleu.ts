// Corpus BLEU.
import { tokenize13a } from './tokenize-13a.js';

const ORDERS = 4;

/** sacrebleu's options. `lowercase` is false by default. */
export interface BleuOptions {
  readonly lowercase?: boolean | undefined;
  /** Default `13a`; `none` splits at white space; `char` takes every character. */
  readonly tokenize?: '13a' | 'none' | 'char' | undefined;
  /** What to do with an order without matches: `exp` (default), `floor` (0.1 matches), `none`. */
  readonly smoothing?: 'exp' | 'floor' | 'none' | undefined;
}

/** A BLEU score with what it was computed from. Lengths are in tokens. */
export interface BleuScore {
  /** 0 to 100. */
  readonly score: number;
  /** For 1- to 4-grams, in percent, smoothed. */
  readonly precisions: readonly number[];
  readonly brevityPenalty: number;
  readonly hypothesisLength: number;
  readonly referenceLength: number;
}

/** Sums that add up across batches and ranks. */
export interface BleuSums {
  readonly correct: readonly number[];
  readonly total: readonly number[];
  readonly hypothesisLength: number;
  readonly referenceLength: number;
}

/**
 * Corpus BLEU as sacrebleu computes it by default: 4-grams, 13a tokenisation, closest reference length, exponential
 * smoothing of empty n-gram orders. Source: Papineni et al. 2002; Post 2018.
 */
export class Bleu {
  private correct = new Array<number>(ORDERS).fill(0);
  private total = new Array<number>(ORDERS).fill(0);
  private hypothesisLength = 0;
  private referenceLength = 0;

  constructor(private readonly options: BleuOptions = {}) {}

  /** Adds a segment; it may have several references. */
  add(references: string | readonly string[], hypothesis: string): void {
    const list = typeof references === 'string' ? [references] : references;
    const hypothesisTokens = this.tokens(hypothesis);
    const length = hypothesisTokens.length;
    let closest = -1;
    const allowedCounts = new Map<string, number>();
    for (const reference of list) {
      const tokens = this.tokens(reference);
      const distance = Math.abs(tokens.length - length);
      const best = Math.abs(closest - length);
      if (closest < 0 || distance < best || (distance === best && tokens.length < closest)) {
        closest = tokens.length;
      }
      for (const [ngram, { count }] of ngrams(tokens)) {
        allowedCounts.set(ngram, Math.max(allowedCounts.get(ngram) ?? 0, count));
      }
    }
    for (const [ngram, { count, order }] of ngrams(hypothesisTokens)) {
      this.total[order] += count;
      this.correct[order] += Math.min(count, allowedCounts.get(ngram) ?? 0);
    }
    this.hypothesisLength += length;
    this.referenceLength += Math.max(closest, 0);
  }

  /** Adds what another instance has seen, such as that of another part of the corpus. */
  merge(sums: BleuSums): void {
    this.correct = this.correct.map((value, i) => value + sums.correct[i]);
    this.total = this.total.map((value, i) => value + sums.total[i]);
    this.hypothesisLength += sums.hypothesisLength;
    this.referenceLength += sums.referenceLength;
  }

  /** The sums so far, for `merge`. */
  state(): BleuSums {
    const { hypothesisLength, referenceLength } = this;
    return { correct: [...this.correct], total: [...this.total], hypothesisLength, referenceLength };
  }

  /** Forgets all segments. */
  reset(): void {
    this.correct.fill(0);
    this.total.fill(0);
    this.hypothesisLength = 0;
    this.referenceLength = 0;
  }

  /** The score of all segments so far; 0 before the first. */
  compute(): BleuScore {
    const { hypothesisLength, referenceLength } = this;
    const brevityPenalty =
      hypothesisLength >= referenceLength
        ? 1
        : hypothesisLength > 0
          ? Math.exp(1 - referenceLength / hypothesisLength)
          : 0;
    const precisions = this.precisions();
    const score = precisions.includes(0)
      ? 0
      : brevityPenalty * Math.exp(precisions.reduce((sum, p) => sum + Math.log(p), 0) / ORDERS);
    return { score, precisions, brevityPenalty, hypothesisLength, referenceLength };
  }

  private precisions(): number[] {
    const { smoothing = 'exp' } = this.options;
    const precisions = new Array<number>(ORDERS).fill(0);
    if (this.correct.every((value) => value === 0)) return precisions;
    let smooth = 1;
    for (let n = 0; n < ORDERS; n++) {
      if (this.total[n] === 0) break;
      if (this.correct[n] > 0) precisions[n] = (100 * this.correct[n]) / this.total[n];
      else if (smoothing === 'exp') {
        smooth *= 2;
        precisions[n] = 100 / (smooth * this.total[n]);
      } else if (smoothing === 'floor') precisions[n] = (100 * 0.1) / this.total[n];
    }
    return precisions;
  }

  private tokens(text: string): string[] {
    const { lowercase = false, tokenize = '13a' } = this.options;
    const cased = lowercase ? text.toLowerCase() : text;
    if (tokenize === 'char') return Array.from(cased.replace(/\s+/gu, ''));
    const spaced = tokenize === '13a' ? tokenize13a(cased.trimEnd()) : cased;
    return spaced.split(/\s+/u).filter((token) => token !== '');
  }
}

/** Counts of all n-grams of orders 1 to 4; `order` is from 0. */
function ngrams(tokens: readonly string[]): Map<string, { count: number; order: number }> {
  const counts = new Map<string, { count: number; order: number }>();
  for (let i = 0; i < tokens.length; i++) {
    let ngram = '';
    for (let order = 0; order < ORDERS && i + order < tokens.length; order++) {
      ngram += `${order > 0 ? ' ' : ''}${tokens[i + order]}`;
      const countSoFar = counts.get(ngram);
      if (countSoFar) countSoFar.count++;
      else counts.set(ngram, { count: 1, order });
    }
  }
  return counts;
}

/** BLEU of a corpus; a reference may be a list of alternatives. Throws a RangeError when lengths differ. */
export function corpusBleu(
  references: readonly (string | readonly string[])[],
  hypotheses: readonly string[],
  options: BleuOptions = {},
): BleuScore {
  if (references.length !== hypotheses.length) {
    throw new RangeError(`${references.length} references but ${hypotheses.length} hypotheses`);
  }
  const bleu = new Bleu(options);
  hypotheses.forEach((hypothesis, i) => {
    bleu.add(references[i], hypothesis);
  });
  return bleu.compute();
}
