// The loss of an evaluated batch with the losses it is made of: as outputs of a program, and as numbers.
import type { HostTensors, Tensors } from '../../engine/index.js';
import {
  type MeasuredTerm,
  measuredTerms,
  type StepOutput,
  scalarOutputs,
  scalarValues,
  termOutputs,
} from '../../model/index.js';

/** Losses by name; `loss` is the one that training minimises. */
export type LossValues = Readonly<Record<string, number>>;

/** The same, each in parts with what they are divided by: what `BatchMeans` adds up. */
export type LossTerms = readonly MeasuredTerm[];

export interface LossResults {
  readonly losses: LossValues;
  readonly lossTerms: (size: number) => LossTerms;
}

/** Outputs of a program that `lossResults` understands. */
export function lossOutputs(step: StepOutput): Tensors {
  return { ...scalarOutputs(step), ...termOutputs(step) };
}

export function lossResults(outputs: HostTensors): LossResults {
  const terms = (size: number) => measuredTerms(outputs, size);
  return { losses: scalarValues(outputs), lossTerms: terms };
}

/** Losses of a batch that are means over its examples. */
export function plainTerms(losses: LossValues, size: number): LossTerms {
  return Object.entries(losses).map(([name, value]) => ({ name, unit: 'examples', value, weight: size }));
}
