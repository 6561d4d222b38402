// Progress on a terminal or in a log.
import { token } from '../../container/index.js';
import { printable, readableLines } from '../../errors/index.js';
import type { GpuStatus } from '../system/nvidia-smi.js';

/** The numbers of the progress line after a step. */
export interface StepStatus {
  readonly step: number;
  readonly totalSteps: number | undefined;
  /** 1-based epoch in progress, and how many there are. */
  readonly epoch: number;
  readonly totalEpochs: number | undefined;
  /** Mean loss since the last log row. */
  readonly loss: number;
  readonly learningRate: number;
  readonly examplesPerSecond: number;
  readonly unitsPerSecond: number;
  /** Share of the engine's rate of products, measured at the start, 0 to 1. Absent: it was not. */
  readonly rateShare?: number | undefined;
  /** Share of time spent waiting for data, 0 to 1. */
  readonly waitShare: number;
  readonly compilations: number;
  readonly compileSeconds: number;
  /** How the data calls its examples and units. */
  readonly names: { readonly example: string; readonly unit: string };
  /** What the loss comes to, by name: `perplexity`. Absent: nothing. */
  readonly figures?: Readonly<Record<string, number>>;
  /** Share of all cores that the process took, 0 to 1. */
  readonly cpuShare: number;
  readonly rssBytes: number;
  /** What each GPU that NVIDIA's tool knows is doing. */
  readonly gpus: readonly GpuStatus[];
  readonly etaSeconds: number | undefined;
}

/** What a person sees of a run while it goes on. Numbers come in, one line goes out; three ways to show it. */
export interface ProgressView {
  /** Shows the numbers after a step; `logged` when a log row was due. */
  step(status: StepStatus, logged: boolean): void;
  /** During an evaluation. */
  evaluating(name: string, done: number, total: number): void;
  /** A line that stays. */
  say(text: string): void;
  /** Removes what is live. */
  end(): void;
}

/** What shows the progress of runs. Default, with a Trainer: a line on stderr, or nothing with enable_progress_bar=false. */
export const PROGRESS_VIEW = token<ProgressView>(
  'progress-view',
  undefined,
  'a Trainer has one; pass the model a trainer, or register one',
);

/** Prints nothing but what must be said. */
export class QuietView implements ProgressView {
  constructor(private readonly write: (line: string) => void) {}
  step(): void {}
  evaluating(): void {}
  end(): void {}
  say(text: string): void {
    this.write(`${readableLines(text)}\n`);
  }
}

/** A line per log row, for files and pipes. */
export class LogLineView implements ProgressView {
  constructor(private readonly write: (line: string) => void) {}

  step(status: StepStatus, logged: boolean): void {
    if (logged) this.write(`${describeStep(status)}\n`);
  }

  evaluating(): void {}

  say(text: string): void {
    this.write(`${readableLines(text)}\n`);
  }

  end(): void {}
}

/** One line that is rewritten in place, for terminals. */
export class LiveLineView implements ProgressView {
  private shown = false;
  private next = 0;

  constructor(
    private readonly stream: NodeJS.WriteStream,
    private readonly now: () => number = Date.now,
  ) {}

  step(status: StepStatus): void {
    this.live(() => describeStep(status));
  }

  evaluating(name: string, done: number, total: number): void {
    this.live(() => `${name}: batch ${done} of ${total}`);
  }

  say(text: string): void {
    this.end();
    this.stream.write(`${readableLines(text)}\n`);
  }

  end(): void {
    if (this.shown) this.stream.write('\r\u001b[2K');
    this.shown = false;
  }

  private live(text: () => string): void {
    if (this.now() < this.next) return;
    this.next = this.now() + 100;
    // One column stays free: a full line would wrap and could not be rewritten.
    this.stream.write(`\r\u001b[2K${printable(text()).slice(0, (this.stream.columns || 120) - 1)}`);
    this.shown = true;
  }
}

/** The view that suits a stream. */
export function viewFor(stream: NodeJS.WriteStream, enabled: boolean): ProgressView {
  const write = (line: string) => void stream.write(line);
  if (!enabled) return new QuietView(write);
  return stream.isTTY ? new LiveLineView(stream) : new LogLineView(write);
}

export function describeStep(s: StepStatus): string {
  const of = (value: number, total: number | undefined) =>
    total === undefined ? `${value}` : `${value}/${total}`;
  const parts = [
    `step ${of(s.step, s.totalSteps)}`,
    `epoch ${of(s.epoch, s.totalEpochs)}`,
    `loss ${formatNumber(s.loss)}`,
    ...Object.entries(s.figures ?? {}).map(([name, value]) => `${name} ${formatNumber(value)}`),
    `lr ${s.learningRate.toExponential(2)}`,
    `${s.examplesPerSecond.toFixed(1)} ${s.names.example}/s`,
    `${s.unitsPerSecond.toFixed(0)} ${s.names.unit}/s`,
    ...(s.rateShare === undefined ? [] : [`${percent(s.rateShare)} of GEMM`]),
    `data wait ${percent(s.waitShare)}`,
    `${s.compilations} compiled in ${s.compileSeconds.toFixed(1)} s`,
    `CPU ${percent(s.cpuShare)}`,
    `RSS ${(s.rssBytes / 2 ** 20).toFixed(0)} MB`,
    ...s.gpus.map(describeGpu),
  ];
  // The estimate stands early in the line, for a narrow terminal cuts off the end.
  if (s.etaSeconds !== undefined) parts.splice(4, 0, `ETA ${formatDuration(s.etaSeconds)}`);
  return parts.join(' | ');
}

const percent = (share: number): string => `${(100 * share).toFixed(0)}%`;

function describeGpu({ index, share, memoryMb, powerW }: GpuStatus): string {
  const figures = [
    share !== undefined && percent(share),
    memoryMb !== undefined && `${memoryMb.toFixed(0)} MB`,
    powerW !== undefined && `${powerW.toFixed(0)} W`,
  ];
  return [`GPU ${index}`, ...figures.filter((text) => text !== false)].join(' ');
}

/** A number for people: at least four significant digits, without an exponent for everyday sizes. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(3);
  return size >= 1000 ? value.toFixed(0) : value.toPrecision(4);
}

/** `1:02:03` or `2:03`. */
export function formatDuration(seconds: number): string {
  const wholeSeconds = Math.max(0, Math.round(seconds));
  const [h, m, s] = [Math.floor(wholeSeconds / 3600), Math.floor(wholeSeconds / 60) % 60, wholeSeconds % 60];
  const twoDigits = (n: number) => String(n).padStart(2, '0');
  return h > 0 ? `${h}:${twoDigits(m)}:${twoDigits(s)}` : `${m}:${twoDigits(s)}`;
}
