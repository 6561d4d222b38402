// What a rank prints when its program ends with an error: of ranks that fail alike, the first speaks.
import { AnemoneError, type ErrorReport, reportOf } from '../errors/index.js';
import { exchangeFailure } from './exchange.js';
import { placeOf } from './place.js';
import { isTold } from './told.js';
import { joinedWorld, joinWorld } from './world.js';

/**
 * As `reportOf`, among ranks that a launcher of MPI has started: the others may not have come as far as to know of each other.
 * The launcher of local ranks hears what all of them print.
 */
export function reportAmongRanks(error: unknown): ErrorReport {
  const place = placeOf();
  const isWorking = joinedWorld()?.isWorking() ?? false;
  if (place.launcher !== 'mpi' || isTold(error) || isWorking) return reportOf(error);
  if (error instanceof AnemoneError && error.code.startsWith('distributed.')) return reportOf(error);
  try {
    const { communicator } = joinWorld();
    return reportOf(exchangeFailure(communicator, error, 'end of the program'));
  } catch {
    // There is nobody to tell.
    return place.rank === 0 ? reportOf(error) : { ...reportOf(error), text: '' };
  }
}
