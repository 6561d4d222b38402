// One rank of a test: rank.ts PLAN [...]. What it checks, it throws.
import { writeFileSync } from 'node:fs';
import { exchange, joinWorld, reportAmongRanks, type World } from '../../../src/distributed/index.js';
import { conform } from './conformance.js';

const [plan, argument] = process.argv.slice(2);
let world: World;
try {
  world = joinWorld({ timeoutSeconds: plan === 'absent' ? 4 : 60 });
} catch (error) {
  end(error);
}
const { communicator, rank, size, begin } = world;
const x = { dtype: 'float32', shape: [4], data: new Float32Array(4).fill(rank) } as const;

/** Comes to an all-reduce again and again, until somebody ends it. */
function work(label = 'gradients'): never {
  for (;;) communicator.allReduce(x, 'sum', label);
}

const plans: Readonly<Record<string, () => void>> = {
  conform: () => conform(communicator),
  exchange: () => {
    const all = exchange(
      communicator,
      { rank, text: 'ü'.repeat(rank * 1000), number: rank / 0 - 0 },
      'values',
    );
    if (rank === 0)
      writeFileSync(argument, JSON.stringify(all.map(({ text, number }) => [text.length, String(number)])));
  },
  disagree: () => {
    if (rank === 1) communicator.broadcast(x, 0, 'weights');
    else work();
  },
  absent: () => {
    communicator.barrier('before the work');
    if (rank === size - 1) for (;;);
    work();
  },
  die: () => {
    if (rank === 1) process.kill(process.pid, 'SIGKILL');
    work();
  },
  throw: () => {
    if (rank === 1) {
      process.stderr.write('error: the disk of rank 1 is full\n');
      process.exit(2);
    }
    work();
  },
  work,
  leave: () => {
    begin();
    if (rank === 1) process.exit(0);
    work();
  },
};
// As the command line does it.
try {
  plans[plan]();
} catch (error) {
  end(error);
}

function end(error: unknown): never {
  const { text, exitCode } = reportAmongRanks(error);
  process.stderr.write(text);
  process.exit(exitCode);
}
