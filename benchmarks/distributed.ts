// What several ranks cost: steps of ranks with one thread each against one rank with as many threads, and against PyTorch's
// DistributedDataParallel (gloo); an all-reduce against MPI's own in C; how much of the communication overlaps the backward pass.
//   npx tsx benchmarks/distributed.ts [--only steps,allreduce,overlap] [--rounds 5] [--ranks 2] [--layers 8] [--d 256] [--batch 8]
//     [--seconds 8] [--megabytes 40] [--rate 1gbit] [--hosts "COMMAND ..."]
// The overlap is measured over a cable of --rate between two network namespaces, as root with iproute2; --hosts names other machines,
// by the beginning of a command that starts a rank on each. Peers: benchmarks/peers/setup.sh, and a C compiler of MPI (mpicc).
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundledProgram } from '../test/bundled-program.js';
import { twoHosts } from '../test/two-hosts.js';
import {
  Contestant,
  machine,
  median,
  peerPython,
  peerScript,
  ratio,
  summarize,
  table,
} from './lib/contestant.js';
import type { DistributedWork } from './lib/distributed-child.js';
import type { Sizes } from './lib/model.js';

const WARM_UP = 2;
const { values: flags } = parseArgs({
  options: {
    only: { type: 'string', default: 'steps,allreduce,overlap' },
    rounds: { type: 'string', default: '5' },
    ranks: { type: 'string', default: '2' },
    layers: { type: 'string', default: '8' },
    d: { type: 'string', default: '256' },
    batch: { type: 'string', default: '8' },
    seconds: { type: 'string', default: '8' },
    megabytes: { type: 'string', default: '40' },
    hosts: { type: 'string' },
    rate: { type: 'string', default: '1gbit' },
  },
});
const ranks = Number(flags.ranks);
const rounds = Number(flags.rounds);
const child = await bundledProgram(new URL('lib/distributed-child.ts', import.meta.url));
const MPIRUN = ['mpirun', '--oversubscribe', '--bind-to', 'none', '-np', String(ranks)];
const environment = { OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' };

/** Of one rank, of so many. */
function sizesOf(threads: number, parts: number): Sizes {
  return {
    threads,
    d: Number(flags.d),
    layers: Number(flags.layers),
    heads: 4,
    vocabulary: 256,
    hidden: 640,
    batch: Number(flags.batch) / parts,
    frames: Number(flags.seconds) * 100,
    tokens: Number(flags.seconds) * 6,
  };
}

async function ours(
  name: string,
  work: DistributedWork,
  launcher: readonly string[] = [],
): Promise<Contestant> {
  const [command, ...args] = [...launcher, process.execPath, child, JSON.stringify(work)];
  return (await Contestant.start(name, command, args, environment)).contestant;
}

async function take(contestants: readonly Contestant[]): Promise<void> {
  for (let round = 0; round < WARM_UP + rounds; round++) {
    for (const contestant of contestants) await contestant.run(round >= WARM_UP);
  }
  for (const contestant of contestants) contestant.end();
  console.log(`\n${machine}\n${table(contestants.map(summarize))}`);
}

function tell(what: string, first: Contestant, second: Contestant): void {
  const { median: middle, min, max } = ratio(first, second);
  console.log(`${what}: ${middle.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`);
}

/** A step of the same examples: by one rank with all threads, by ranks of one thread, by PyTorch's. */
async function steps(): Promise<void> {
  const one = await ours('1 rank', { localRanks: 1, sizes: sizesOf(ranks, 1) });
  const local = await ours(`${ranks} local`, { localRanks: ranks, sizes: sizesOf(1, ranks) });
  const python = peerPython();
  const peerArguments = [peerScript('train_step_ddp.py'), JSON.stringify(sizesOf(1, ranks)), String(ranks)];
  const peer =
    python && (await Contestant.start('pytorch ddp', python, peerArguments, { OMP_NUM_THREADS: '1' }));
  await take([one, local, ...(peer ? [peer.contestant] : [])]);
  tell(`time of a step, ${ranks} ranks × 1 thread / 1 rank × ${ranks} threads`, local, one);
  if (peer) tell(`time of a step, ours / PyTorch's DDP, ${ranks} ranks`, local, peer.contestant);
}

async function allReduces(): Promise<void> {
  const bytes = 2 ** 20 * Number(flags.megabytes);
  const binary = join(mkdtempSync(join(tmpdir(), 'allreduce-')), 'allreduce');
  const source = fileURLToPath(new URL('peers/allreduce.c', import.meta.url));
  const hasCompiler = spawnSync('mpicc', ['--version']).status === 0;
  if (hasCompiler) execFileSync('mpicc', ['-O2', '-o', binary, source]);
  const mpi = await ours('mpi', { localRanks: 0, bytes }, MPIRUN);
  const local = await ours('local', { localRanks: ranks, bytes });
  const [launcher, ...args] = [...MPIRUN, binary, String(bytes), '10'];
  const c = hasCompiler
    ? (await Contestant.start('mpi in C', launcher, args, environment)).contestant
    : undefined;
  await take([mpi, local, ...(c ? [c] : [])]);
  console.log(`ten all-reduces of ${flags.megabytes} MiB, ${ranks} ranks`);
  if (c) tell('time, ours by MPI / MPI in C', mpi, c);
  if (c) tell('time, local ranks / MPI in C', local, c);
}

async function overlap(): Promise<void> {
  const hosts = flags.hosts ? undefined : twoHosts(flags.rate);
  const launcher = flags.hosts?.split(' ') ?? hosts?.launch ?? MPIRUN;
  const sizes = sizesOf(1, ranks);
  const contestants: Contestant[] = [];
  for (const sends of ['nothing', 'afterwards', 'meanwhile'] as const) {
    contestants.push(await ours(sends, { localRanks: 0, sizes, sends }, launcher));
  }
  await take(contestants);
  hosts?.remove();
  const [afterwards, meanwhile] = contestants
    .slice(1)
    .map(({ samples }) => median(samples.map(({ communicating = 0 }) => communicating)));
  console.log(
    `a step waits ${afterwards.toFixed(3)} s for communication that starts after it, and ${meanwhile.toFixed(3)} s where that overlaps: ${(1 - meanwhile / afterwards).toFixed(2)} are saved`,
  );
}

const parts = { steps, allreduce: allReduces, overlap } as const;
for (const name of flags.only.split(',')) await parts[name as keyof typeof parts]();
