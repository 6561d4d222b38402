// A process that does a piece of work each time it is asked to ("run") and answers with one JSON line. Ours and
// PyTorch's run as children of one parent that asks them in turn, so that both meet the same machine.
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cpus } from 'node:os';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

export interface Sample {
  readonly seconds: number;
  readonly cpu: number;
  readonly rssMb: number;
  readonly loss?: number;
  /** Of `seconds`, those that a rank has spent in communication that it could not overlap. */
  readonly communicating?: number;
  /** Tokens of each text that was written. */
  readonly texts?: readonly (readonly number[])[];
}

export class Contestant {
  readonly samples: Sample[] = [];
  private readonly lines: AsyncIterator<string>;

  private constructor(
    readonly name: string,
    private readonly child: ChildProcessByStdio<Writable, Readable, null>,
    reader: Interface,
  ) {
    this.lines = reader[Symbol.asyncIterator]();
  }

  /** Starts the process and waits until it says it is ready. */
  static async start(name: string, command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    });
    const contestant = new Contestant(name, child, createInterface({ input: child.stdout }));
    const ready = await contestant.answer();
    return { contestant, ready };
  }

  async run(keep: boolean): Promise<void> {
    this.child.stdin.write('run\n');
    const sample = (await this.answer()) as unknown as Sample;
    if (keep) this.samples.push(sample);
  }

  end(): void {
    this.child.stdin.end('end\n');
  }

  private async answer(): Promise<Record<string, unknown>> {
    const { value, done } = await this.lines.next();
    if (done) throw new Error(`${this.name} ended early`);
    return JSON.parse(value as string) as Record<string, unknown>;
  }
}

/** The Python of benchmarks/peers (or of PEER_PYTHON), undefined if it has not been set up. */
export function peerPython(): string | undefined {
  const own = fileURLToPath(new URL('../peers/.venv/bin/python', import.meta.url));
  const python = process.env['PEER_PYTHON'] ?? own;
  return existsSync(python) ? python : undefined;
}

export function peerScript(name: string): string {
  return fileURLToPath(new URL(`../peers/${name}`, import.meta.url));
}

export const machine = `${cpus()[0].model.trim()} × ${cpus().length}, Node ${process.version}`;

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

export interface Summary {
  readonly name: string;
  readonly seconds: { readonly min: number; readonly median: number };
  readonly cpu: number;
  readonly peakRssMb: number;
}

export function summarize({ name, samples }: Contestant): Summary {
  const seconds = samples.map((s) => s.seconds);
  return {
    name,
    seconds: { min: Math.min(...seconds), median: median(seconds) },
    cpu: median(samples.map((s) => s.cpu)),
    peakRssMb: Math.max(...samples.map((s) => s.rssMb)),
  };
}

/** Ours over theirs, round by round: the machine's mood cancels out. */
export function ratio(
  ours: Contestant,
  theirs: Contestant,
  of: 'seconds' | 'cpu' = 'seconds',
): { median: number; min: number; max: number } {
  const ratios = ours.samples.map((s, i) => s[of] / theirs.samples[i][of]);
  return { median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios) };
}

export function table(rows: readonly Summary[]): string {
  const lines = rows.map(
    ({ name, seconds, cpu, peakRssMb }) =>
      `${name.padEnd(12)} ${seconds.median.toFixed(3).padStart(9)} ${seconds.min.toFixed(3).padStart(9)} ${cpu
        .toFixed(3)
        .padStart(9)} ${peakRssMb.toFixed(0).padStart(9)}`,
  );
  return [`${''.padEnd(12)} median s     min s     cpu s  peak MiB`, ...lines].join('\n');
}
