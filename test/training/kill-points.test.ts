// A run is killed at some of its writes and started again: what both starts leave behind must be what a run
// without a break leaves. A kill is played within the process: from the write on which it falls, nothing that the run
// does reaches the disk any more, and it never gets an answer. The writes are those after a checkpoint has
// appeared, and some between; KILL_EVERY=1 takes all. The same for a write that is refused once, as by a full disk: the
// run ends there by itself, and saves.
import { AsyncLocalStorage } from 'node:async_hooks';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createReferenceEngine, type Engine } from '../../src/engine/index.js';
import { filterEvents, readScalarEvents, writeFileAtomically } from '../../src/formats/index.js';
import type { Batch, Evaluator, HeatMap, ReportContributor } from '../../src/model/index.js';
import type { ReadState } from '../../src/nn/index.js';
import { expManager, readMetricRows, Trainer } from '../../src/training/index.js';
import { RecordingView, temporaryFolder } from './helpers.js';
import { ToyModel, type ToyOptions } from './toy-model.js';

/** A start of a run: how many writes it may make. */
class Life {
  writes = 0;
  /** Writes after which there was a checkpoint more. */
  readonly saves: number[] = [];
  dead = false;
  private died: () => void = () => {};
  readonly death = new Promise<'dead'>((resolve) => {
    this.died = () => resolve('dead');
  });

  constructor(
    readonly last: number,
    /** Whether the write after `last` is refused, and life goes on, instead of the end of it. */
    private readonly isRefused = false,
  ) {}

  /** True once: for the write that is refused. */
  refuses(): boolean {
    return this.isRefused && this.writes === this.last + 1;
  }

  /** True when this write is the one that the kill falls on, or comes after it. */
  endsHere(): boolean {
    this.writes++;
    if (this.writes <= this.last) return false;
    if (this.isRefused) return false;
    this.dead = true;
    this.died();
    return true;
  }
}

const { lives } = vi.hoisted(() => ({ lives: { current: undefined as unknown } }));
const storage = new AsyncLocalStorage<Life>();
lives.current = storage;

type Call = (...args: unknown[]) => unknown;
const hoisted = vi.hoisted(() => {
  const life = () => (lives.current as AsyncLocalStorage<Life> | undefined)?.getStore();
  const half = (data: unknown) =>
    typeof data === 'string' || data instanceof Uint8Array ? data.slice(0, data.length / 2) : data;
  const refusal = (path: unknown) =>
    Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC', syscall: 'write', path });
  const never = () => new Promise(() => {});
  /** Half of a write that is killed reaches the disk. */
  const asynchronous = (call: Call, writesData: boolean, at = 1): Call => {
    return async (...args) => {
      const own = life();
      if (!own) return call(...args);
      if (own.dead) return never();
      if (!own.endsHere()) {
        if (own.refuses()) {
          if (writesData) await call(...args.map((arg, i) => (i === at ? half(arg) : arg)));
          throw refusal(args[0]);
        }
        if (String(args[1]).endsWith('.ckpt')) own.saves.push(own.writes);
        return call(...args);
      }
      if (writesData) await call(...args.map((arg, i) => (i === at ? half(arg) : arg)));
      return never();
    };
  };
  const synchronous = (call: Call, nothing: unknown): Call => {
    return (...args) => {
      const own = life();
      if (!own) return call(...args);
      if (!own.dead && !own.endsHere()) {
        if (own.refuses()) throw refusal(args[0]);
        return call(...args);
      }
      return nothing;
    };
  };
  const reading = (call: Call): Call => {
    return async (...args) => (life()?.dead ? never() : call(...args));
  };
  const handle = (file: object): object =>
    new Proxy(file, {
      get: (target, key) => {
        const value = Reflect.get(target, key) as Call;
        if (typeof value !== 'function') return value;
        const call = value.bind(target) as Call;
        return key === 'writeFile' ? asynchronous(call, true, 0) : reading(call);
      },
    });
  return { asynchronous, synchronous, reading, handle, files: [] as FileHandle[] };
});

vi.mock('node:fs/promises', async (original) => {
  const fs = await original<Record<string, Call>>();
  const { asynchronous, reading, handle } = hoisted;
  return {
    ...fs,
    ...Object.fromEntries(['readFile', 'readdir', 'stat', 'lstat'].map((name) => [name, reading(fs[name])])),
    ...Object.fromEntries(
      ['rename', 'rm', 'mkdir', 'copyFile'].map((name) => [name, asynchronous(fs[name], false)]),
    ),
    writeFile: asynchronous(fs['writeFile'], true),
    appendFile: asynchronous(fs['appendFile'], true),
    open: async (...args: unknown[]) => {
      const opened = (await reading(fs['open'])(...args)) as FileHandle;
      hoisted.files.push(opened);
      return handle(opened);
    },
  };
});

vi.mock('node:fs', async (original) => {
  const fs = await original<Record<string, Call>>();
  const nothing: Record<string, unknown> = { openSync: -1, writeSync: 1e9 };
  const names = [
    'openSync',
    'closeSync',
    'writeSync',
    'writeFileSync',
    'appendFileSync',
    'linkSync',
    'renameSync',
  ];
  const wrapped = [...names, 'rmSync', 'mkdirSync'].map((name) => [
    name,
    hoisted.synchronous(fs[name], nothing[name]),
  ]);
  return { ...fs, ...Object.fromEntries(wrapped) };
});

/** Leaves a file of its weights where others write a `.nemo`, and shows what it evaluated first in the report. */
class ArchivableToy extends ToyModel implements ReportContributor {
  private shown: Batch | undefined;

  override evaluator(engine: Engine): Evaluator {
    const { add, summary } = super.evaluator(engine);
    return {
      add: async (batch) => {
        this.shown ??= batch;
        await add(batch);
      },
      summary,
    };
  }

  async reportContributions(
    _engine: Engine,
    firstBatch: () => Promise<Batch | undefined>,
  ): Promise<readonly HeatMap[]> {
    this.shown ??= await firstBatch();
    if (!this.shown) return [];
    const { shape, data } = this.shown.inputs['x'];
    const [rows, columns] = shape;
    const values = Float32Array.from(data);
    return [{ title: 'x', caption: this.shown.names[0], rows, columns, values, xLabel: 'x', yLabel: 'y' }];
  }

  async saveTo(path: string, { instead }: { engine?: Engine; instead?: ReadState }): Promise<void> {
    const parts: Uint8Array[] = [];
    for (const state of this.module.stateDict().values()) {
      parts.push(Buffer.from(Float32Array.from((await instead?.(state)) ?? []).buffer));
    }
    await writeFileAtomically(path, parts);
  }
}

interface Scenario {
  readonly trainer: object;
  readonly manager: object;
  readonly toy: ToyOptions;
}

async function start(folder: string, { trainer: settings, manager, toy }: Scenario, life: Life) {
  const view = new RecordingView();
  const trainer = new Trainer(
    { handle_signals: false, ...settings },
    { engine: createReferenceEngine(), view },
  );
  const run = storage.run(life, async () => {
    await expManager(trainer, {
      explicit_log_dir: folder,
      name: 'toy',
      create_csv_logger: true,
      resume_if_exists: true,
      resume_ignore_no_checkpoint: true,
      ...manager,
    });
    return trainer.fit(new ArchivableToy(toy));
  });
  const end = await Promise.race([run, life.death]).catch((error: Error) => error);
  for (const lock of trainer.locks.splice(0)) lock.release();
  // A dead process leaves its lock.
  if (end === 'dead') {
    const holder = { pid: 2 ** 22 + 1, host: hostname(), started: null, since: 'before' };
    writeFileSync(join(folder, 'run.lock'), JSON.stringify(holder));
  }
  return { end, view };
}

const TIMES = /second|timing|wait|compil|system/;

function timeless(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([key]) => !TIMES.test(key)));
}

function eventsOf(folder: string): unknown {
  const scalars: unknown[] = [];
  const counts: unknown[] = [];
  for (const name of readdirSync(folder)
    .filter((n) => n.startsWith('events'))
    .sort()) {
    const bytes = readFileSync(join(folder, name));
    for (const { tag, step, value } of readScalarEvents(bytes)) {
      scalars.push([step, tag, TIMES.test(tag) ? 'time' : value]);
    }
    filterEvents(bytes, ({ step, texts }) => counts.push([step, texts]) > 0);
  }
  return { scalars, counts };
}

function tableOf(path: string): unknown {
  const [header, ...lines] = readFileSync(path, 'utf8')
    .split('\n')
    .map((line) => line.split(','));
  return [header, ...lines.map((cells) => cells.filter((_, i) => !TIMES.test(header[i] ?? '')))];
}

/** Everything in the run's folder but times. */
async function leftBy(folder: string) {
  const checkpoints = join(folder, 'checkpoints');
  const names = readdirSync(checkpoints).sort();
  const saved = names
    .filter((name) => name.endsWith('.ckpt'))
    .map((name) => {
      const bytes = (file: string) => {
        const path = join(checkpoints, name, file);
        return existsSync(path) ? readFileSync(path).toString('base64') : undefined;
      };
      const state = JSON.parse(readFileSync(join(checkpoints, name, 'state.json'), 'utf8')) as Record<
        'progress' | 'metrics' | 'interval',
        Record<string, unknown>
      >;
      return {
        weights: bytes('weights.safetensors'),
        optimizer: bytes('optimizer.safetensors'),
        averages: bytes('ema.safetensors'),
        state: {
          ...state,
          progress: timeless(state.progress),
          metrics: timeless(state.metrics),
          interval: timeless(state.interval),
        },
      };
    });
  return {
    files: readdirSync(folder)
      .filter((name) => !name.startsWith('events'))
      .sort(),
    names,
    saved,
    archive:
      existsSync(join(checkpoints, 'toy.nemo')) && readFileSync(join(checkpoints, 'toy.nemo'), 'base64'),
    rows: (await readMetricRows(join(folder, 'metrics.jsonl'))).map(timeless),
    table: tableOf(join(folder, 'metrics.csv')),
    events: eventsOf(folder),
    report: readFileSync(join(folder, 'report.html'), 'utf8').replace(
      /<dt>time<.*?<\/dd>|<details>.*?<\/details>/gs,
      '',
    ),
  };
}

const plateau = { name: 'adamw', lr: 0.1, sched: { name: 'ReduceLROnPlateau', patience: 0, factor: 0.5 } };

/** Steps, checkpoints, log rows and validations fall together and apart; epochs end in mid-interval. */
const scenarios: Readonly<Record<string, Scenario>> = {
  'checkpoints between validations': {
    trainer: { max_epochs: 2, log_every_n_steps: 3, val_check_interval: 4, check_val_every_n_epoch: null },
    manager: {
      ema: { enable: true, decay: 0.9 },
      checkpoint_callback_params: { every_n_train_steps: 2, save_top_k: 1 },
    },
    toy: { batches: 5, optim: plateau },
  },
  'validations at the ends of epochs, batches accumulated': {
    trainer: { max_epochs: 2, log_every_n_steps: 2, accumulate_grad_batches: 2 },
    manager: { checkpoint_callback_params: { every_n_train_steps: 1, save_top_k: 2, save_best_model: true } },
    toy: { batches: 5, optim: plateau },
  },
  'a run that stops early, and skips a batch': {
    trainer: { max_epochs: 9, log_every_n_steps: 2, check_val_every_n_epoch: 2, nonfinite: 'skip' },
    manager: {
      create_early_stopping_callback: true,
      early_stopping_callback_params: { patience: 1, mode: 'max', min_delta: 0 },
      checkpoint_callback_params: { every_n_train_steps: 3, save_top_k: 1 },
    },
    toy: { batches: 3, optim: plateau, poison: { batch: 1, value: Number.NaN } },
  },
  'no validation': {
    trainer: { max_epochs: 2, log_every_n_steps: 4, limit_val_batches: 0 },
    manager: {
      checkpoint_callback_params: { every_n_train_steps: 3, save_top_k: 1, always_save_nemo: true },
    },
    toy: { batches: 3 },
  },
};

const EVERY = Number(process.env['KILL_EVERY'] ?? 197);
const REFUSE_EVERY = Number(process.env['KILL_EVERY'] ?? 101);

/** What the dead did not close. */
afterEach(async () => {
  for (const file of hoisted.files.splice(0)) await file.close().catch(() => {});
});

/** How many writes come through before each kill. */
function momentsOf({ writes, saves }: Life, every: number): readonly number[] {
  const between = Array.from({ length: Math.floor(writes / every) }, (_, i) => (i + 1) * every - 1);
  return [...new Set([...between, ...saves])].filter((moment) => moment < writes).sort((a, b) => a - b);
}

describe('a run that is killed at a write and started again', () => {
  it.each(Object.entries(scenarios))(
    'leaves what a run without a break leaves: %s',
    async (_name, scenario) => {
      const whole = temporaryFolder();
      const uninterrupted = new Life(Number.POSITIVE_INFINITY);
      const { end } = await start(whole, scenario, uninterrupted);
      expect(end).not.toBe('dead');
      const expected = await leftBy(whole);

      let killed = 0;
      for (const last of momentsOf(uninterrupted, EVERY)) {
        const folder = temporaryFolder();
        if ((await start(folder, scenario, new Life(last))).end === 'dead') killed++;
        const { end: second } = await start(folder, scenario, new Life(Number.POSITIVE_INFINITY));
        expect(second).toMatchObject({ outcome: (end as { outcome: object }).outcome });
        expect(await leftBy(folder), `killed after write ${last} of ${uninterrupted.writes}`).toEqual(
          expected,
        );
      }
      expect(killed).toBeGreaterThan(3);
    },
    3_600_000,
  );

  it.each(Object.entries(scenarios))(
    'leaves it also after a write that was refused once: %s',
    async (_name, scenario) => {
      const whole = temporaryFolder();
      const uninterrupted = new Life(Number.POSITIVE_INFINITY);
      const { end } = await start(whole, scenario, uninterrupted);
      const expected = await leftBy(whole);

      let ended = 0;
      for (const last of momentsOf(uninterrupted, REFUSE_EVERY)) {
        const folder = temporaryFolder();
        if ((await start(folder, scenario, new Life(last, true))).end instanceof Error) ended++;
        const { end: second } = await start(folder, scenario, new Life(Number.POSITIVE_INFINITY));
        expect(second).toMatchObject({ outcome: (end as { outcome: object }).outcome });
        expect(await leftBy(folder), `refused write ${last + 1} of ${uninterrupted.writes}`).toEqual(
          expected,
        );
      }
      expect(ended).toBeGreaterThan(1);
    },
    3_600_000,
  );
});
