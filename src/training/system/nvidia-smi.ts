// What NVIDIA's tool says of its GPUs: utilisation, memory, power. It is asked in the background, so a row has what was
// known when it was written; on a machine without the tool nothing is asked again.
import { execFile } from 'node:child_process';

export interface GpuStatus {
  readonly index: number;
  /** Share of the last sample period in which a kernel ran, 0 to 1; undefined where the GPU does not say. */
  readonly share: number | undefined;
  readonly memoryMb: number | undefined;
  readonly memoryTotalMb: number | undefined;
  readonly powerW: number | undefined;
}

const QUERY = 'index,utilization.gpu,memory.used,memory.total,power.draw';
const ARGUMENTS = [`--query-gpu=${QUERY}`, '--format=csv,noheader,nounits'];

/** The table that the tool prints for QUERY; lines that are none are left out. */
export function parseGpuTable(text: string): GpuStatus[] {
  return text.split('\n').flatMap((line) => {
    const [index, ...cells] = line.split(',').map((cell) => cell.trim());
    if (!/^\d+$/.test(index) || cells.length !== 4) return [];
    // `[N/A]` and `[Not Supported]` stand where a GPU does not say.
    const [percent, memoryMb, memoryTotalMb, powerW] = cells.map(numberOf);
    const share = percent === undefined ? undefined : percent / 100;
    return [{ index: Number(index), share, memoryMb, memoryTotalMb, powerW }];
  });
}

function numberOf(cell: string): number | undefined {
  return /^\d+(\.\d+)?$/.test(cell) ? Number(cell) : undefined;
}

/** Asks the tool: its output, or undefined where there is none. */
export type AskGpus = () => Promise<string | undefined>;

const nvidiaSmi: AskGpus = () =>
  new Promise((resolve) => {
    const child = execFile('nvidia-smi', ARGUMENTS, { timeout: 10_000 }, (error, stdout) => {
      resolve(error ? undefined : stdout);
    });
    child.unref();
  });

/** Asking starts a process, so it is not done at every step. */
const PAUSE_MS = 5000;

export class GpuSampler {
  private known: readonly GpuStatus[] = [];
  private asking = false;
  private isAbsent = false;
  private nextAt = Number.NEGATIVE_INFINITY;

  /** @param pauseMs between the beginnings of two questions, at least */
  constructor(
    private readonly ask: AskGpus = nvidiaSmi,
    private readonly pauseMs = PAUSE_MS,
  ) {}

  /** What was known last; asks anew for the next time, unless it was asked a moment ago. */
  latest(): readonly GpuStatus[] {
    const now = performance.now();
    if (!this.asking && !this.isAbsent && now >= this.nextAt) {
      this.asking = true;
      this.nextAt = now + this.pauseMs;
      void this.ask().then((text) => {
        this.asking = false;
        this.isAbsent = text === undefined;
        this.known = text === undefined ? [] : parseGpuTable(text);
      });
    }
    return this.known;
  }
}
