// Jobs of several ranks for tests: training runs of the toy model, started as users start them, on this machine's own ranks or by
// a launcher of MPI. What the tests do to them and read of them.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Checkpoint, listCheckpoints, readMetricRows } from '../../src/training/index.js';
import { bundledProgram } from '../bundled-program.js';

/** Who starts the ranks, and with what; Debian's names, whose packages can be installed side by side. */
const LAUNCHERS = {
  'local ranks': [],
  'Open MPI': ['mpirun.openmpi', '--oversubscribe', '--bind-to', 'none'],
  MPICH: ['mpirun.mpich'],
} as const;
export type LauncherName = keyof typeof LAUNCHERS;

/** Whether ranks can be started so on this machine. */
export function isInstalled(launcher: LauncherName): boolean {
  const [program] = LAUNCHERS[launcher];
  return program === undefined || spawnSync(program, ['--version']).status === 0;
}

const toy = await bundledProgram(new URL('programs/train-ranks.ts', import.meta.url));

export interface JobOptions {
  /** By name, or as the beginning of a command. */
  readonly launcher?: LauncherName | readonly string[];
  /** Of the Trainer; `devices` says how many ranks start. */
  readonly trainer: { readonly devices: number } & Readonly<Record<string, unknown>>;
  /** How many a launcher of MPI starts, where `devices` does not say it. */
  readonly ranks?: number;
  readonly variables?: Readonly<Record<string, string>>;
  /** Seconds a batch takes to make. */
  readonly delay?: number;
  /** The program that trains, bundled. Default: the toy model's. */
  readonly program?: string;
  /** Of the toy model. */
  readonly model?: Readonly<Record<string, unknown>>;
}

interface Ended {
  readonly code: number | null;
  readonly text: string;
}

/** Variables by which a process knows that it is a rank. */
const RANK_VARIABLE = /(?:^|\0)(?:ANEMONE_RANK|OMPI_COMM_WORLD_RANK|PMI_RANK)=(\d+)/;

export class Job {
  readonly ended: Promise<Ended>;
  readonly process: ChildProcess;
  private text = '';

  constructor(
    folder: string,
    { launcher = 'local ranks', trainer, ranks, variables, delay = 0, model = {}, program = toy }: JobOptions,
  ) {
    const own = [process.execPath, program, folder, JSON.stringify(trainer), String(delay), JSON.stringify(model)]; // biome-ignore format: one line reads better
    const launch = typeof launcher === 'string' ? LAUNCHERS[launcher] : launcher;
    const [command, ...args] =
      launch.length === 0 ? own : [...launch, '-n', String(ranks ?? trainer.devices), ...own];
    this.process = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1', ...variables },
    });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.text += chunk.toString();
      });
    }
    this.ended = new Promise((resolve) => {
      this.process.on('close', (code) => resolve({ code, text: this.text }));
    });
  }

  /** Waits until `text` is printed. */
  async printed(text: string): Promise<void> {
    const said = new Promise<void>((resolve) => {
      const look = () => {
        if (this.text.includes(text)) resolve();
      };
      look();
      for (const stream of [this.process.stdout, this.process.stderr]) stream?.on('data', look);
    });
    await Promise.race([said, this.ended]);
  }

  /** Processes of the ranks, by rank; Linux's table of processes says which they are. */
  ranks(): ReadonlyMap<number, number> {
    const found = new Map<number, number>();
    for (const pid of descendantsOf(this.process.pid as number)) {
      const rank = RANK_VARIABLE.exec(textOf(`/proc/${pid}/environ`))?.[1];
      if (rank !== undefined && textOf(`/proc/${pid}/cmdline`).includes(toy)) found.set(Number(rank), pid);
    }
    return found;
  }
}

/** Trains to the end, which must be a good one, and returns what was printed. */
export async function train(folder: string, options: JobOptions): Promise<string> {
  const { code, text } = await new Job(folder, options).ended;
  if (code !== 0) throw new Error(`the job ended with ${code}:\n${text}`);
  return text;
}

export function isAlive(pid: number): boolean {
  // One that has ended and that nobody has asked after yet is dead.
  return /^State:\s+[^ZX]/m.test(textOf(`/proc/${pid}/status`));
}

export function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

export async function lastOf(folder: string): Promise<Checkpoint> {
  return (await listCheckpoints(join(folder, 'checkpoints'))).checkpoints[0];
}

/** Checkpoints that cannot be read, and what a writer has left half-written. */
export async function corruptFiles(folder: string): Promise<string[]> {
  const { damaged } = await listCheckpoints(join(folder, 'checkpoints'), { verify: true });
  return damaged.map(String);
}

/** Names that checkpoints have while they are written. */
export function unfinishedFiles(folder: string): string[] {
  return readdirSync(join(folder, 'checkpoints')).filter((name) => name.startsWith('.'));
}

/** Losses, validations and norms, without times. */
export async function curve(folder: string): Promise<Record<string, number>[]> {
  const rows = await readMetricRows(join(folder, 'metrics.jsonl'));
  const isOfTheRun = ([key]: [string, unknown]) => /loss|norm|^step$|epoch$/.test(key);
  return rows.map((row) => Object.fromEntries(Object.entries(row).filter(isOfTheRun))) as Record<
    string,
    number
  >[];
}

function descendantsOf(pid: number): number[] {
  const children = textOf(`/proc/${pid}/task/${pid}/children`).trim().split(' ').filter(Boolean).map(Number);
  return children.flatMap((child) => [child, ...descendantsOf(child)]);
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
