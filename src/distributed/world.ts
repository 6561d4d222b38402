// The job that this process is a rank of: joined once, whoever asks first.
import type { Communicator } from './communicator.js';
import { LocalCommunicator } from './local/local-communicator.js';
import { MpiCommunicator } from './mpi/mpi-communicator.js';
import { startMpi } from './mpi/start.js';
import { type Place, placeOf, VARIABLES } from './place.js';
import { SelfCommunicator } from './self.js';
import { isEndTold } from './told.js';

export interface World extends Place {
  /** Of all ranks. */
  readonly communicator: Communicator;
  /** Until the returned function is called, the end of this process is a failure that ends the others. */
  begin(): () => void;
  /** Whether such work is under way. */
  isWorking(): boolean;
}

export interface JoinOptions {
  /** How long ranks wait for each other. Default 600. */
  readonly timeoutSeconds?: number;
}

let joined: World | undefined;

/**
 * Joins the ranks that were started together with this process; a process that was started alone is rank 0 of 1.
 * @throws AnemoneError `distributed.*`
 */
export function joinWorld({ timeoutSeconds = 600 }: JoinOptions = {}): World {
  if (joined) return joined;
  const place = placeOf();
  joined = {
    ...place,
    communicator: communicatorOf(place, timeoutSeconds),
    begin,
    isWorking: () => working > 0,
  };
  if (place.launcher !== 'none') process.on('exit', endWithProcess);
  return joined;
}

/** Pieces of work that the other ranks wait for. */
let working = 0;

function begin(): () => void {
  working++;
  let ended = false;
  return () => {
    if (!ended) working--;
    ended = true;
  };
}

function endWithProcess(code: number): void {
  const communicator = joined?.communicator;
  const isStopped = STOPPED.includes(code);
  if (
    communicator instanceof MpiCommunicator &&
    (isEndTold() || (working === 0 && (code === 0 || isStopped)))
  ) {
    communicator.finish();
    return;
  }
  if (isEndTold() || (working === 0 && !(communicator instanceof MpiCommunicator))) return;
  if (code === 0) {
    process.stderr.write(
      'error: the process ended in the middle of its work (process.exit, or nothing left to wait for)\n',
    );
    process.exitCode = LEFT;
  }
  joined?.communicator.abort(code || LEFT);
}

/** Exit code of a rank that has left the others alone. */
const LEFT = 76;

/** 128 + SIGHUP, SIGINT or SIGTERM: a signal has stopped this process. All ranks stop at the same step: none has to be ended. */
const STOPPED: readonly number[] = [129, 130, 143];

/** The ranks of this process's job, where it has joined them. */
export function joinedWorld(): World | undefined {
  return joined;
}

/** For tests: elements of one call of MPI. */
const MOST_VARIABLE = 'ANEMONE_MPI_MOST_ELEMENTS';

function communicatorOf(place: Place, timeoutSeconds: number): Communicator {
  const { launcher, rank, size } = place;
  if (launcher === 'none') return new SelfCommunicator();
  if (launcher === 'local') {
    const segment = process.env[VARIABLES.segment] as string;
    return new LocalCommunicator({ rank, size, segment, timeoutSeconds });
  }
  const most = Number(process.env[MOST_VARIABLE]);
  return startMpi(place, { timeoutSeconds, ...(most > 0 && { mostElements: most }) });
}
