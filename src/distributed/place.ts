// Which rank of how many this process is, as whoever started it says in the environment. Nothing is opened or joined here.
import { AnemoneError } from '../errors/index.js';

/** Who started the ranks: nobody, `trainer.devices` on this machine, or `mpirun`, `mpiexec` or `srun`. */
export type Launcher = 'none' | 'local' | 'mpi';

export interface Place {
  readonly launcher: Launcher;
  readonly rank: number;
  readonly size: number;
  /** Among those of this machine, and how many they are; what they share (cores) is divided by them. */
  readonly localRank: number;
  readonly localSize: number;
}

/** Set by the launcher of local ranks. */
export const VARIABLES = {
  rank: 'ANEMONE_RANK',
  size: 'ANEMONE_RANKS',
  segment: 'ANEMONE_SEGMENT',
} as const;

type Environment = Readonly<Record<string, string | undefined>>;

/** Names that launchers of MPI give, each as rank, size, rank and number on the machine. */
const MPI_VARIABLES: readonly (readonly [string, string, string, string])[] = [
  [
    'OMPI_COMM_WORLD_RANK',
    'OMPI_COMM_WORLD_SIZE',
    'OMPI_COMM_WORLD_LOCAL_RANK',
    'OMPI_COMM_WORLD_LOCAL_SIZE',
  ],
  ['PMI_RANK', 'PMI_SIZE', 'MPI_LOCALRANKID', 'MPI_LOCALNRANKS'],
];

/**
 * The place of this process.
 * @throws AnemoneError `distributed.environment` for variables that say nothing sensible
 */
export function placeOf(environment: Environment = process.env): Place {
  if (environment[VARIABLES.segment] !== undefined) {
    const rank = numberOf(environment, VARIABLES.rank);
    const size = numberOf(environment, VARIABLES.size);
    return checked({ launcher: 'local', rank, size, localRank: rank, localSize: size });
  }
  for (const [rankName, sizeName, localRankName, localSizeName] of MPI_VARIABLES) {
    if (environment[rankName] === undefined || environment[sizeName] === undefined) continue;
    const rank = numberOf(environment, rankName);
    const size = numberOf(environment, sizeName);
    const localRank = numberOf(environment, localRankName, rank);
    const localSize = numberOf(environment, localSizeName, size);
    return checked({ launcher: 'mpi', rank, size, localRank, localSize });
  }
  return slurmPlace(environment) ?? { launcher: 'none', rank: 0, size: 1, localRank: 0, localSize: 1 };
}

/** A step of `srun` with PMIx, which gives its own rank alone; a batch script outside of any step is no rank. */
function slurmPlace(environment: Environment): Place | undefined {
  if (environment['PMIX_RANK'] === undefined || environment['SLURM_STEP_NUM_TASKS'] === undefined)
    return undefined;
  const rank = numberOf(environment, 'PMIX_RANK');
  const size = numberOf(environment, 'SLURM_STEP_NUM_TASKS');
  const localRank = numberOf(environment, 'SLURM_LOCALID', rank);
  // `4(x2),3`: the tasks of each node.
  const perNode = /^\d+/.exec(environment['SLURM_STEP_TASKS_PER_NODE'] ?? '');
  return checked({ launcher: 'mpi', rank, size, localRank, localSize: Number(perNode?.[0] ?? size) });
}

function numberOf(environment: Environment, name: string, otherwise?: number): number {
  const text = environment[name];
  if (text === undefined && otherwise !== undefined) return otherwise;
  if (text !== undefined && /^\d+$/.test(text)) return Number(text);
  throw new AnemoneError({
    code: 'distributed.environment',
    path: name,
    message: `expected a whole number in this variable of the environment, got ${JSON.stringify(text)}`,
    hint: 'who started this process as a rank sets it',
  });
}

function checked(place: Place): Place {
  if (place.size >= 1 && place.rank < place.size) return place;
  throw new AnemoneError({
    code: 'distributed.environment',
    message: `the environment says that this process is rank ${place.rank} of ${place.size}`,
  });
}
