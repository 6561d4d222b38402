// What the ranks of a run found in the batches of a step, together: each then decides alike.
import type { Batch, MeasuredTerm } from '../../model/index.js';
import { CounterRandom } from '../../random/index.js';
import type { MicroStep } from '../step.js';
import type { UnitWeights } from './accumulation.js';
import type { Ranks } from './ranks.js';
import { areFinite } from './scaled-step.js';

/** A batch whose loss and gradient were computed. */
export interface MeasuredStep {
  readonly step: MicroStep;
  readonly terms: readonly MeasuredTerm[];
  /** Whether loss and gradient are finite. */
  readonly finite: boolean;
}

/** What is told of a batch. */
type Told = Pick<Batch, 'size' | 'units' | 'names'> &
  Omit<MeasuredStep, 'step'> & { readonly hasFiniteData: boolean };

/** The batches of all ranks, in the order of batches; those of others have no inputs. */
export function measuredByAll(ranks: Ranks, own: readonly MeasuredStep[]): readonly MeasuredStep[] {
  if (!ranks.areSeveral) return own;
  const told = own.map(({ step: { batch }, terms, finite }): Told => {
    const { size, units, names } = batch;
    return { size, units, names, terms, finite, hasFiniteData: finite || areFinite(batch.inputs) };
  });
  return ranks.exchange(told, 'losses of the step').flatMap((list, rank) => {
    if (rank === ranks.rank) return own;
    return list.map(({ size, units, names, hasFiniteData, ...measured }): MeasuredStep => {
      const batch = { inputs: {}, size, units, names };
      return { step: { batch, random: new CounterRandom(0), rank, hasFiniteData }, ...measured };
    });
  });
}

/** The units of the loss, of the first rank that knows them: a rank without a batch does not. */
export function unitsOfAll(ranks: Ranks, units: readonly string[] | undefined): readonly string[] {
  const all = ranks.exchange(units ?? null, 'units of the loss');
  return all.find((list) => list !== null) ?? [];
}

/** The weights of all batches, in the order of batches. */
export function weightsOfAll(ranks: Ranks, own: readonly UnitWeights[]): readonly UnitWeights[] {
  return ranks.exchange(own, 'weights of the losses').flat();
}
