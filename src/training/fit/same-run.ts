// Whether all ranks are about to do the same: another config, data set or library on one machine would train nonsense, or hang.
import { createHash } from 'node:crypto';
import { AnemoneError, packageVersion } from '../../errors/index.js';
import type { BatchSource } from '../../model/index.js';
import type { RunProgress } from '../run-progress.js';
import type { Ranks } from './ranks.js';

/** What must be equal, by the name that messages give it. */
type Identity = Readonly<Record<string, string | number>>;

export interface RunStart {
  /** As YAML. */
  readonly config: string;
  readonly seed: number;
  readonly train: BatchSource;
  readonly validation: readonly BatchSource[];
  readonly progress: RunProgress;
}

/** @throws AnemoneError `distributed.other-run`, from rank 0 alone; on the others `distributed.ended` */
export function requireSameRun(ranks: Ranks, start: RunStart): void {
  if (!ranks.areSeveral) return;
  const all = ranks.exchange(identityOf(start), 'identity of the run');
  const differences = all.flatMap((identity, rank) => differencesOf(all[0], identity, rank));
  if (differences.length === 0) return;
  throw ranks.sayAlike(
    new AnemoneError({
      code: 'distributed.other-run',
      message: `the ranks are not about to train the same: ${differences[0]}`,
      lines: differences.slice(1).map((difference) => `  ${difference}`),
      hint: 'start all ranks with the same config, data and version of the library',
    }),
  );
}

function identityOf({ config, seed, train, validation, progress }: RunStart): Identity {
  const sets = [train, ...validation];
  return {
    'version of the library': packageVersion(),
    config: short(config),
    seed,
    ...Object.fromEntries(sets.map((set) => [`data set ${set.name}`, dataOf(set)])),
    'step to go on from': progress.step,
    'batch to go on from': progress.batches,
  };
}

function dataOf(source: BatchSource): string {
  const digest = source.digest?.();
  return `${source.batchesInEpoch(0)} batches${digest === undefined ? '' : `, digest ${short(digest)}`}`;
}

function short(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}

function differencesOf(first: Identity, other: Identity, rank: number): string[] {
  const keys = [...new Set([...Object.keys(first), ...Object.keys(other)])];
  return keys
    .filter((key) => first[key] !== other[key])
    .map((key) => `${key}: ${first[key] ?? 'none'} on rank 0, ${other[key] ?? 'none'} on rank ${rank}`);
}
