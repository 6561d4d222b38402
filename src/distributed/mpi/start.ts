// Begins and ends MPI in this process. A process that ends without saying so would leave the others waiting, or, with MPICH, be
// taken for done.
import { AnemoneError } from '../../errors/index.js';
import { EndedElsewhere } from '../ended-elsewhere.js';
import type { Place } from '../place.js';
import { type Mpi, openMpi } from './library.js';
import { MpiCommunicator, type MpiOptions } from './mpi-communicator.js';

/** Calls come from the main thread alone. */
const FUNNELED = 1;

/**
 * The communicator of all processes that were started together.
 * @throws AnemoneError `distributed.mpi-missing`, `distributed.mpi-launcher`, `distributed.mpi`
 */
export function startMpi(place: Place, options: MpiOptions): MpiCommunicator {
  const mpi = orSilently(place, () => openMpi());
  const level = new Int32Array(1);
  mpi.call('Init_thread', 0n, 0n, FUNNELED, level);
  mpi.call('Comm_set_errhandler', mpi.world, mpi.errorsReturn);
  const world = new MpiCommunicator(mpi, mpi.world, options);
  if (world.size !== place.size) {
    endMpi(mpi);
    orSilently(place, () => {
      throw new AnemoneError({
        code: 'distributed.mpi-launcher',
        message: `the launcher has started ${place.size} processes, and each is alone in ${mpi.version()}: it is of another MPI than the library`,
        hint: 'start with the mpirun of that library, or name the library of the launcher in ANEMONE_MPI_LIBRARY',
      });
    });
  }
  return world;
}

export function endMpi(mpi: Mpi): void {
  mpi.call('Finalize');
}

/** What all ranks find alike, rank 0 says. */
function orSilently<T>({ rank }: Place, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (rank > 0 && error instanceof AnemoneError) throw new EndedElsewhere(error.exitCode);
    throw error;
  }
}
