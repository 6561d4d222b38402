// How `train`, `validate` and `test` print what an evaluation found.
import type { EvaluatedSample } from '../model/index.js';

export interface EvaluationFindings {
  readonly metrics: Readonly<Record<string, number>>;
  readonly samples: readonly EvaluatedSample[];
}

/** Metrics a line, error rates as percentages, then up to `count` aligned pairs. */
export async function describeEvaluation(findings: EvaluationFindings, count: number): Promise<string> {
  const { printable } = await import('../errors/index.js');
  const { formatAlignment } = await import('../text/index.js');
  const lines = Object.entries(findings.metrics).map(
    ([name, value]) => `${name}: ${metricText(name, value)}`,
  );
  for (const { name, reference, hypothesis } of findings.samples.slice(0, count)) {
    lines.push('', printable(name), formatAlignment(printable(reference), printable(hypothesis)));
  }
  return `${lines.join('\n')}\n`;
}

function metricText(name: string, value: number): string {
  return /[_/](wer|cer)(_|\/|$)/.test(name) ? errorRateText(value) : value.toPrecision(5);
}

/** A rate as text. It is infinite where there are no words to divide by, as in NeMo. */
export function errorRateText(rate: number): string {
  return rate === Number.POSITIVE_INFINITY ? 'inf (the references are empty)' : `${(100 * rate).toFixed(2)}%`;
}
