// Guesses at why a step was not finite, from what was measured. Each is a sentence a person can act on.
import type { HostTensors, LowType } from '../../engine/index.js';
import { type Precision, productTypeOf } from '../precision.js';
import type { Diagnosis } from './diagnose.js';
import type { Measurement } from './probe.js';

export interface Evidence {
  readonly diagnosis: Diagnosis;
  readonly inputs: HostTensors;
  readonly texts: readonly string[] | undefined;
  readonly names: readonly string[];
  /** Gradient norms of the steps before, oldest first. */
  readonly gradNorms: readonly number[];
  readonly learningRate: number;
  readonly scheduler: string;
  readonly clipped: boolean;
  /** Reported for the step itself. */
  readonly gradNorm: number;
  readonly precision?: Precision | undefined;
}

/** Below this, exp() of a value still fits float32. */
const EXP_LIMIT = 88;

export function likelyCauses(evidence: Evidence): string[] {
  const causes = [
    ...badInputs(evidence),
    ...badLengths(evidence),
    ...badWeights(evidence),
    ...explosion(evidence),
    ...learningRate(evidence),
    ...range(evidence.diagnosis, productTypeOf(evidence.precision ?? '32-true')),
  ];
  if (causes.length > 0) return causes;
  return evidence.diagnosis.first
    ? [
        'an operation without a finite value there: a logarithm or root of 0, or a division by 0 in the named layer',
      ]
    : ['not reproduced with the probe in place: the values are at the edge of the float32 range'];
}

function badInputs({ diagnosis }: Evidence): string[] {
  return diagnosis.measurements
    .filter(({ stage, nonfinite }) => stage === 'input' && nonfinite > 0)
    .map(
      ({ name, nonfinite }) =>
        `the input "${name}" itself has ${nonfinite} values that are not finite: check the audio files named above`,
    );
}

function badLengths({ inputs, texts, names }: Evidence): string[] {
  const causes: string[] = [];
  for (const [key, tensor] of Object.entries(inputs)) {
    if (!/length/i.test(key) || tensor.dtype !== 'int32') continue;
    const zero = Array.from(tensor.data).flatMap((length, i) =>
      length <= 0 ? [names[i] ?? `example ${i}`] : [],
    );
    if (zero.length > 0) causes.push(`${key} is 0 for ${zero.join(', ')}: remove them or set min_duration`);
  }
  const empty = (texts ?? []).flatMap((text, i) => (text.trim() === '' ? [names[i]] : []));
  if (empty.length > 0) causes.push(`the text is empty for ${empty.join(', ')}`);
  return causes;
}

function badWeights({ diagnosis }: Evidence): string[] {
  const broken = diagnosis.measurements.filter(({ stage, nonfinite }) => stage === 'weight' && nonfinite > 0);
  if (broken.length === 0) return [];
  return [
    `${broken.length} parameters were not finite before this step (${broken[0].name}): the checkpoint it started from is broken`,
  ];
}

function explosion({ gradNorms, gradNorm, clipped }: Evidence): string[] {
  const finiteNorms = gradNorms.filter(Number.isFinite);
  if (finiteNorms.length < 4) return [];
  const typical = [...finiteNorms].sort((a, b) => a - b)[Math.floor(finiteNorms.length / 2)];
  const last = Number.isFinite(gradNorm) ? gradNorm : finiteNorms[finiteNorms.length - 1];
  if (!(last > 10 * typical)) return [];
  const remedy = clipped
    ? 'lower gradient_clip_val or the learning rate'
    : 'set trainer.gradient_clip_val, for example 1.0';
  return [`the gradient norm grew from about ${typical.toPrecision(3)} to ${last.toPrecision(3)}: ${remedy}`];
}

function learningRate({ learningRate: rate, scheduler }: Evidence): string[] {
  if (rate < 0.01) return [];
  const noam = scheduler.startsWith('Noam')
    ? ' (with NoamAnnealing optim.lr is a factor, divided by √d_model·√warmup_steps, not a rate)'
    : scheduler === 'constant'
      ? ' and there is no warm-up: optim.sched is missing'
      : '';
  return [`the learning rate is ${rate.toPrecision(3)}, high for this kind of model${noam}`];
}

function range({ measurements, first }: Diagnosis, type: LowType | undefined): string[] {
  if (type === 'float16' && first && first.stage !== 'input' && first.stage !== 'weight') {
    return [
      'products are computed in float16, which ends at 65504: use precision bf16-mixed or 32, or keep that layer small',
    ];
  }
  const upTo = first === undefined ? measurements : measurements.slice(0, measurements.indexOf(first));
  const largest = upTo
    .filter(({ stage }) => stage === 'output' || stage === 'output gradient')
    .reduce<Measurement | undefined>((a, b) => (a === undefined || b.maxAbs > a.maxAbs ? b : a), undefined);
  if (largest === undefined || largest.maxAbs < EXP_LIMIT) return [];
  const what = `${largest.stage} of ${largest.name} reaches ${largest.maxAbs.toPrecision(3)}`;
  return largest.maxAbs > 1e30
    ? [`${what}, near the end of the float32 range (3.4e38)`]
    : [`${what}: exp() of more than ${EXP_LIMIT} overflows float32`];
}
