// The text of a diagnosis, as printed when training stops and by `anemone replay`.
import { formatNumber } from '../progress/progress-view.js';
import type { Diagnosis } from './diagnose.js';
import type { Measurement } from './probe.js';

export interface Explanation {
  readonly step: number;
  readonly epoch: number;
  readonly loss: number;
  readonly gradNorm: number;
  readonly learningRate: number;
  readonly names: readonly string[];
  /** Gradient norms of the steps before, oldest first. */
  readonly gradNorms: readonly number[];
  readonly causes: readonly string[];
}

const WHERE: Readonly<Record<Measurement['stage'], string>> = {
  input: 'the input',
  weight: 'the weight (before the step)',
  output: 'the output of',
  loss: 'the loss, computed by the criterion:',
  'output gradient': 'the gradient that reaches',
  'weight gradient': 'the gradient of',
};

/** `the output of encoder.layers.3: 120 of 4000 values are not finite, the others reach 3.2e38`. */
export function describeFirst({ first }: Diagnosis): string {
  if (!first) return 'every layer is finite when the step is repeated with the probe';
  const { stage, name, nonfinite, count, maxAbs } = first;
  return `${WHERE[stage]} ${name}: ${nonfinite} of ${count} values are not finite, the others reach ${formatNumber(maxAbs)}`;
}

export function explain(facts: Explanation, diagnosis: Diagnosis): string {
  const before = lastFinite(diagnosis);
  return [
    `loss ${facts.loss} and gradient norm ${facts.gradNorm} at step ${facts.step} (epoch ${facts.epoch + 1}, learning rate ${facts.learningRate.toExponential(2)})`,
    `  first not finite: ${describeFirst(diagnosis)}`,
    ...(before
      ? [
          `  last finite before it: ${WHERE[before.stage]} ${before.name}, reaching ${formatNumber(before.maxAbs)}`,
        ]
      : []),
    `  utterances: ${facts.names.join(', ')}`,
    `  gradient norms before: ${facts.gradNorms.length === 0 ? 'none, it is the first step' : facts.gradNorms.map(formatNumber).join(' ')}`,
    ...facts.causes.map((cause) => `  likely cause: ${cause}`),
  ].join('\n');
}

function lastFinite({ measurements, first }: Diagnosis): Measurement | undefined {
  if (!first) return undefined;
  const flow = measurements.slice(0, measurements.indexOf(first)).filter(({ stage }) => stage !== 'weight');
  return flow[flow.length - 1];
}
