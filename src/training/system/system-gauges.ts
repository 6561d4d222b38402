// What a run takes of its machine, measured between two rows of the log.
import { availableParallelism, freemem } from 'node:os';
import { GpuSampler, type GpuStatus } from './nvidia-smi.js';

const MEBI = 2 ** 20;

export interface SystemStatus {
  /** Processor time of the process over the time of all its cores, 0 to 1. */
  readonly cpuShare: number;
  readonly rssBytes: number;
  readonly gpus: readonly GpuStatus[];
}

export class SystemGauges {
  private cpu = process.cpuUsage();
  private since = performance.now();

  constructor(private readonly gpus = new GpuSampler()) {}

  /** Since the last row. */
  status(): SystemStatus {
    const { user, system } = process.cpuUsage(this.cpu);
    const microseconds = Math.max(1, 1000 * (performance.now() - this.since));
    return {
      cpuShare: Math.min(1, (user + system) / (microseconds * availableParallelism())),
      rssBytes: process.memoryUsage.rss(),
      gpus: this.gpus.latest(),
    };
  }

  /** What a row of the log says; the next one counts from here. */
  row({ cpuShare, rssBytes, gpus }: SystemStatus): Record<string, number> {
    this.cpu = process.cpuUsage();
    this.since = performance.now();
    return {
      'system/cpu_share': cpuShare,
      'system/rss_mb': rssBytes / MEBI,
      'system/free_mb': freemem() / MEBI,
      ...Object.assign({}, ...gpus.map(gpuRow)),
    };
  }
}

function gpuRow({ index, share, memoryMb, powerW }: GpuStatus): Record<string, number> {
  const values = { share, memory_mb: memoryMb, power_w: powerW };
  const measured = Object.entries(values).filter(
    (entry): entry is [string, number] => entry[1] !== undefined,
  );
  return Object.fromEntries(measured.map(([name, value]) => [`system/gpu${index}_${name}`, value]));
}
