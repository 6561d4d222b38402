// The job that this process is a rank of: joined once, whoever asks first.
import { AnemoneError } from '../errors/index.js';
import type { Communicator } from './communicator.js';
import { LocalCommunicator } from './local/local-communicator.js';
import { type Place, placeOf, VARIABLES } from './place.js';
import { SelfCommunicator } from './self.js';

export interface World extends Place {
  /** Of all ranks. */
  readonly communicator: Communicator;
  /** Until the returned function is called, the end of this process is a failure that ends the others. */
  begin(): () => void;
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
  joined = { ...place, communicator: communicatorOf(place, timeoutSeconds), begin };
  if (place.size > 1) process.on('exit', endWithProcess);
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
  if (working === 0) return;
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

/** The ranks of this process's job, where it has joined them. */
export function joinedWorld(): World | undefined {
  return joined;
}

function communicatorOf({ launcher, rank, size }: Place, timeoutSeconds: number): Communicator {
  if (launcher === 'none') return new SelfCommunicator();
  if (launcher === 'local') {
    const segment = process.env[VARIABLES.segment] as string;
    return new LocalCommunicator({ rank, size, segment, timeoutSeconds });
  }
  throw new AnemoneError({ code: 'distributed.mpi', message: 'MPI is not supported yet' });
}
