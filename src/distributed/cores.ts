// Processor cores that this rank may use: those of the machine, divided among its ranks.
import { availableParallelism, cpus } from 'node:os';
import { placeOf } from './place.js';

/** At least 1. */
export function coresOfRank(): number {
  const { localSize } = placeOf();
  const available = availableParallelism();
  if (localSize === 1) return available;
  const share = Math.max(1, Math.floor(cpus().length / localSize));
  // A launcher that binds ranks to cores (mpirun) has divided them already.
  return Math.min(available, share);
}
