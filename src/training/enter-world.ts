// How a trainer comes to its ranks: those that were started with this process, or those that `trainer.devices` asks for and
// that are started here.
import { EndedElsewhere, joinWorld, launchLocalRanks, type Place, placeOf } from '../distributed/index.js';
import { AnemoneError } from '../errors/index.js';
import { Ranks } from './fit/ranks.js';
import type { TrainerOptions } from './trainer-options.js';

/**
 * The ranks that train. Where several are asked for on this machine and none were started, they are started here: processes
 * that run this program again. This process then watches them, and ends when they have.
 * @throws AnemoneError `trainer.devices`, `distributed.*`
 */
export async function enterWorld(options: TrainerOptions): Promise<Ranks> {
  const place = placeOf();
  if (place.launcher === 'none') refuseStrangers(process.env);
  checkPlace(place, options);
  const { devices } = options;
  requireDivisible(options, place.launcher === 'none' && devices !== 'auto' ? devices : place.size);
  if (place.launcher === 'none' && devices !== 'auto' && devices > 1) {
    const exitCode = await launchLocalRanks({ ranks: devices });
    process.exit(exitCode);
  }
  return new Ranks(joinWorld({ timeoutSeconds: options.rank_timeout }).communicator);
}

/** A step that ranks cannot divide would leave some of them idle in each. */
function requireDivisible(options: TrainerOptions, ranks: number): void {
  const { accumulate_over, accumulate_grad_batches: batches } = options;
  if (accumulate_over === 'each_rank') return;
  const counts = typeof batches === 'number' ? [batches] : Object.values(batches);
  const odd = counts.find((count) => count % ranks !== 0);
  if (odd === undefined) return;
  const divisors = Array.from({ length: odd }, (_, i) => i + 1).filter((count) => odd % count === 0);
  throw new AnemoneError({
    code: 'trainer.indivisible',
    path: 'trainer.accumulate_grad_batches',
    message: `${ranks} ranks cannot divide the ${odd} batches of a step among them`,
    hint: `use ${divisors.join(', ')} ranks, or a multiple of ${ranks} batches`,
  });
}

/**
 * `srun` without a plug-in for MPI starts processes that do not know of each other: each would train alone, in the same folder.
 * The first of them says so.
 */
function refuseStrangers({ SLURM_STEP_NUM_TASKS: tasks, SLURM_PROCID: task }: NodeJS.ProcessEnv): void {
  if (!(Number(tasks) > 1)) return;
  if (Number(task) > 0) throw new EndedElsewhere(2);
  throw new AnemoneError({
    code: 'distributed.environment',
    path: 'SLURM_STEP_NUM_TASKS',
    message: `srun has started ${tasks} processes, and none of them knows of the others`,
    hint: 'start it with srun --mpi=pmix for Open MPI, or --mpi=pmi2 for MPICH; srun --mpi=list says which there are',
  });
}

function checkPlace({ launcher, size }: Place, { devices, num_nodes }: TrainerOptions): void {
  const wanted = devices === 'auto' ? undefined : devices * num_nodes;
  if (launcher === 'none') {
    if (num_nodes === 1) return;
    throw new AnemoneError({
      code: 'trainer.num-nodes',
      path: 'trainer.num_nodes',
      message: `${num_nodes} machines are asked for, and this process was started alone`,
      hint: 'start it with mpirun or srun: see docs/distributed.md',
    });
  }
  // With a launcher of MPI, a config that names no number means those that were started.
  if (wanted === undefined || wanted === size || (launcher === 'mpi' && wanted === 1)) return;
  const started = launcher === 'mpi' ? 'mpirun or srun has started' : 'there are';
  throw new AnemoneError({
    code: 'trainer.devices',
    path: 'trainer.devices',
    message: `devices times num_nodes is ${wanted}, and ${started} ${size} ranks`,
    hint: 'make them equal, or set trainer.devices: auto',
  });
}
