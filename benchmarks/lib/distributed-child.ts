// Anemone's ranks for distributed.ts: the Trainer's own step among them, over and over, or all-reduces. Rank 0 hears when.
import {
  type Communicator,
  exchange,
  joinWorld,
  launchLocalRanks,
  placeOf,
} from '../../src/distributed/index.js';
import { OnnxEngine } from '../../src/engine/index.js';
import { createOptimizer } from '../../src/optim/index.js';
import { CounterRandom } from '../../src/random/index.js';
import { Ranks } from '../../src/training/fit/ranks.js';
import { StepPrograms } from '../../src/training/fit/step-programs.js';
import { serve } from './answer.js';
import { noiseBatch, type Sizes, transducer } from './model.js';

export interface DistributedWork {
  /** Ranks that start themselves; 0: a launcher has started them. */
  readonly localRanks: number;
  /** Of one rank. */
  readonly sizes?: Sizes;
  /** Whether gradients are sent meanwhile; `nothing` is sent: what a step takes without others. */
  readonly sends?: 'meanwhile' | 'afterwards' | 'nothing';
  /** All-reduces of so many bytes instead of steps. */
  readonly bytes?: number;
}

/** Of each answer. */
const ALL_REDUCES = 10;

const work = JSON.parse(process.argv[2]) as DistributedWork;
if (work.localRanks > 1 && placeOf().launcher === 'none')
  process.exit(await launchLocalRanks({ ranks: work.localRanks }));
const { communicator } = joinWorld();
const { run, ready } = work.bytes ? allReduces(communicator, work.bytes) : steps(communicator);
await together(communicator, ready, run);

function allReduces(communicator: Communicator, bytes: number) {
  const data = new Float32Array(bytes / 4).fill(1e-3);
  const run = async () => {
    for (let i = 0; i < ALL_REDUCES; i++)
      communicator.allReduce({ dtype: 'float32', shape: [data.length], data }, 'sum', 'numbers');
    return {};
  };
  return { run, ready: { each: ALL_REDUCES } };
}

/** Time that this rank has spent in starting sums of gradients and in waiting for them, in seconds. */
let communicating = 0;

function timed<R>(act: () => R): R {
  const start = performance.now();
  try {
    return act();
  } finally {
    communicating += (performance.now() - start) / 1000;
  }
}

/** Communicators that are split off, which gradients go through, are timed. */
function timedWhereSplit(communicator: Communicator): Communicator {
  return new Proxy(communicator, {
    get(target, key) {
      if (key !== 'split') {
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === 'function' ? value.bind(target) : value;
      }
      return (color: number): Communicator => {
        const group = target.split(color) as Communicator;
        const start = group.startAllReduce.bind(group);
        group.startAllReduce = (...call) => {
          const pending = timed(() => start(...call));
          return { test: () => pending.test(), wait: () => timed(() => pending.wait()) };
        };
        return group;
      };
    },
  });
}

function steps(communicator: Communicator) {
  const { sizes, sends } = work;
  if (!sizes) throw new Error('no sizes');
  const engine = new OnnxEngine({ threads: sizes.threads });
  const model = transducer(sizes, engine);
  const optim = model.config['optim'] as Record<string, unknown>;
  const optimizer = createOptimizer(optim, model.module.parameters());
  const ranks = sends === 'nothing' ? new Ranks() : new Ranks(timedWhereSplit(communicator));
  const clipping = { algorithm: 'norm', limit: undefined } as const;
  const settings = { overlaps: sends === 'meanwhile' };
  const programs = new StepPrograms(
    engine,
    model,
    optimizer,
    clipping,
    'large_batch',
    undefined,
    ranks,
    settings,
  );
  const batch = noiseBatch(sizes);
  const random = new CounterRandom(1);
  let step = 0;
  const run = async () => {
    step++;
    const scalars = optimizer.scalars(step, (lr) => lr);
    const { loss } = await programs.run([{ batch, random: random.derive(step) }], scalars);
    const seconds = communicating;
    communicating = 0;
    return { loss, communicating: seconds };
  };
  const parameters = [...model.module.parameters()].reduce((sum, { size }) => sum + size, 0);
  return { run, ready: { parameters } };
}

/** Rank 0 answers; the others do what it does. */
async function together(
  communicator: Communicator,
  ready: object,
  run: () => Promise<{ loss?: number; communicating?: number }>,
): Promise<void> {
  const say = (word: string) => exchange(communicator, word, 'what to do')[0];
  if (communicator.rank > 0) {
    while (say('') === 'run') {
      await run();
      communicator.barrier('end of the work');
    }
  } else {
    await serve(ready, async () => {
      say('run');
      const result = await run();
      communicator.barrier('end of the work');
      return result;
    });
    say('end');
  }
  process.exit(0);
}
