// Scalars of training steps and what they are over many batches: as outputs of a program, as numbers on the host, and as
// means that equal those of one large batch.
import { type HostTensors, type Tensor, type Tensors, tf } from '../engine/index.js';
import { type LossTerm, type LossWeight, type WeightedLoss, weightedLoss } from '../nn/index.js';
import type { StepOutput } from './trainable-model.js';

const SCALAR = 'scalar:';
const WEIGHT = 'weight:';
const TERM = 'term:';
const EXAMPLES = 'examples';
const UNDIVIDED = 'undivided';

/** The part of a scalar that is divided by one weight. */
export interface LossPart {
  readonly unit: string;
  /** Scalar, of this batch alone. */
  readonly value: Tensor;
  readonly weight: LossWeight;
}

/** A part as a number. */
export interface MeasuredTerm {
  /** `loss` or the name of a log. */
  readonly name: string;
  readonly unit: string;
  readonly value: number;
  readonly weight: number;
}

/** A step's output made of losses that know their weights. */
export function weightedOutput(
  loss: WeightedLoss,
  logs: Readonly<Record<string, WeightedLoss>> = {},
): StepOutput {
  const entries = Object.entries(logs);
  return {
    loss: loss.value,
    logs: Object.fromEntries(entries.map(([name, { value }]) => [name, value])),
    terms: { loss: loss.terms, ...Object.fromEntries(entries.map(([name, { terms }]) => [name, terms])) },
  };
}

/** The loss of a step, or one of its logs, with its terms. */
export function lossOf(step: StepOutput, name = 'loss'): WeightedLoss {
  const value = scalarsOf(step)[name];
  const terms = step.terms?.[name];
  return terms ? { value, terms } : weightedLoss(value, ownWeight(step, name));
}

/** The parts of the loss, or of a log, one for each weight. They add up to the scalar. */
export function lossParts(step: StepOutput, name = 'loss'): LossPart[] {
  const { value: wholeLoss, terms } = lossOf(step, name);
  const units = new Map<string, LossTerm[]>();
  for (const term of terms) {
    const unit = unitOf(term.weight);
    units.set(unit, [...(units.get(unit) ?? []), term]);
  }
  return [...units].map(([unit, [first, ...others]]) => {
    // Where all has one weight the scalar itself is the part: rounded as it is.
    const value = units.size === 1 ? wholeLoss : others.reduce((sum, term) => tf.add(sum, partOf(term)), partOf(first)); // biome-ignore format: one line reads better
    return { unit, value, weight: first.weight };
  });
}

/** Outputs of a program: the loss and the logs of its batch. */
export function scalarOutputs(step: StepOutput): Tensors {
  return prefixed(SCALAR, scalarsOf(step));
}

/** Outputs of a program: what the loss is divided by. Those that the host knows are there by name alone. */
export function weightOutputs(step: StepOutput): Tensors {
  return Object.fromEntries(lossParts(step).map(({ unit, weight }) => [WEIGHT + unit, countOf(weight)]));
}

/** Outputs of a program: the parts of loss and logs, and what they are divided by. */
export function termOutputs(step: StepOutput): Tensors {
  const outputs: Tensors = {};
  for (const name of Object.keys(scalarsOf(step))) {
    for (const { unit, value, weight } of lossParts(step, name)) {
      outputs[`${TERM}${unit}:${name}`] = tf.clone(value);
      outputs[WEIGHT + unit] ??= countOf(weight);
    }
  }
  return outputs;
}

/** What `scalarOutputs` gave, by name. */
export function scalarValues(outputs: HostTensors): Record<string, number> {
  return numbers(outputs, SCALAR);
}

/** What `weightOutputs` gave for a batch of `size` examples, by unit. */
export function measuredWeights(outputs: HostTensors, size: number): Record<string, number> {
  const weights = numbers(outputs, WEIGHT);
  return EXAMPLES in weights ? { ...weights, [EXAMPLES]: size } : weights;
}

/** What `termOutputs` gave for a batch of `size` examples. */
export function measuredTerms(outputs: HostTensors, size: number): MeasuredTerm[] {
  const weights = measuredWeights(outputs, size);
  return Object.entries(numbers(outputs, TERM)).map(([key, value]) => {
    const colon = key.indexOf(':');
    const unit = key.slice(0, colon);
    return { name: key.slice(colon + 1), unit, value, weight: weights[unit] };
  });
}

/** Whether nothing in a batch counts, such as no token to predict. @param weights of its loss, by unit */
export function isEmpty(weights: Readonly<Record<string, number>>): boolean {
  const all = Object.values(weights);
  return all.length > 0 && all.every((weight) => weight === 0);
}

/** Those that the loss is divided by, among all that was measured of a batch. */
export function lossWeights(terms: readonly MeasuredTerm[]): Record<string, number> {
  const loss = terms.filter(({ name }) => name === 'loss');
  return Object.fromEntries(loss.map(({ unit, weight }) => [unit, weight]));
}

/** The sum over batches of one unit's weights: what the sum of their parts is divided by. */
export function totalWeight(unit: string, weights: readonly number[]): number {
  return unit === UNDIVIDED ? 1 : weights.reduce((sum, weight) => sum + weight, 0);
}

/** Loss and logs over many batches: sums and weights are added and divided once. */
export class BatchMeans {
  private readonly names = new Map<string, Map<string, { sum: number; weights: number[] }>>();
  private empty = 0;

  /** Adds the terms of one batch. A batch that is empty counts for nothing, and so does a part of weight 0. */
  add(terms: readonly MeasuredTerm[]): void {
    if (isEmpty(lossWeights(terms))) {
      this.empty++;
      return;
    }
    for (const { name, unit, value, weight } of terms) {
      const units = this.names.get(name) ?? new Map<string, { sum: number; weights: number[] }>();
      this.names.set(name, units);
      const part = units.get(unit) ?? { sum: 0, weights: [] };
      units.set(unit, part);
      if (weight === 0) continue;
      part.sum += value * weight;
      part.weights.push(weight);
    }
  }

  /** Batches whose loss weighs nothing. */
  get emptyBatches(): number {
    return this.empty;
  }

  /** By name; NaN for what nothing was counted of. */
  summary(): Record<string, number> {
    const means = [...this.names].map(([name, units]) => {
      const parts = [...units].filter(([, { weights }]) => weights.length > 0);
      if (parts.length === 0) return [name, Number.NaN] as const;
      const quotients = parts.map(([unit, { sum, weights }]) => sum / totalWeight(unit, weights));
      return [name, quotients.reduce((total, quotient) => total + quotient)] as const;
    });
    return Object.fromEntries(means);
  }
}

function scalarsOf({ loss, logs }: StepOutput): Tensors {
  return { loss, ...logs };
}

function ownWeight({ weight = EXAMPLES }: StepOutput, name: string): LossWeight {
  if (typeof weight !== 'string') return { unit: 'own', count: weight };
  return name === 'loss' ? weight : EXAMPLES;
}

function unitOf(weight: LossWeight): string {
  return typeof weight === 'string' ? weight : weight.unit;
}

function countOf(weight: LossWeight): Tensor {
  return typeof weight === 'string' ? tf.scalar(1) : tf.clone(weight.count);
}

function partOf({ value, share }: LossTerm): Tensor {
  return share === 1 ? value : tf.mul(value, tf.scalar(share));
}

function prefixed(prefix: string, tensors: Tensors): Tensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [prefix + name, tensor]));
}

function numbers(outputs: HostTensors, prefix: string): Record<string, number> {
  const entries = Object.entries(outputs).filter(([key]) => key.startsWith(prefix));
  return Object.fromEntries(entries.map(([key, { data }]) => [key.slice(prefix.length), data[0]]));
}
