// One JSON object a line: {"step": 100, "train_loss": 1.5, …}. Non-finite numbers become null.
import { appendFile, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeFolder } from '../../formats/index.js';
import { writing } from '../io-error.js';
import { replaceFile } from '../replace-file.js';
import { type LoggedAtStep, type MetricsLogger, rowsUntil } from './logger.js';

export interface MetricRow {
  readonly step: number;
  readonly [metric: string]: number | null;
}

export class JsonLinesLogger implements MetricsLogger {
  constructor(readonly path: string) {}

  async start(step: number, logged?: LoggedAtStep): Promise<void> {
    await writing(this.path, async () => makeFolder(dirname(this.path)));
    const rows = await readMetricRows(this.path);
    const kept = rowsUntil(rows, (row) => row.step, step, logged);
    await replaceFile(this.path, kept.map((row) => `${JSON.stringify(row)}\n`).join(''));
  }

  async log(step: number, metrics: Readonly<Record<string, number>>): Promise<void> {
    await writing(this.path, () => appendFile(this.path, `${JSON.stringify({ step, ...metrics })}\n`));
  }

  async text(): Promise<void> {}

  async close(): Promise<void> {}
}

/** The rows of a file, [] if there is none; a last line cut off by a kill is left out. */
export async function readMetricRows(path: string): Promise<MetricRow[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as MetricRow);
}
