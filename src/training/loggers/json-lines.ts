// Metrics as JSON Lines.
import { appendFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { parseJson, recordOf } from '../../config/index.js';
import { AnemoneError, type SourcePosition } from '../../errors/index.js';
import { makeFolder, readRegularFile } from '../../formats/index.js';
import { writing } from '../io-error.js';
import { replaceFile } from '../replace-file.js';
import { type LoggedAtStep, type MetricsLogger, rowsUntil } from './logger.js';

/** One line of metrics.jsonl; a number that was not finite is null. */
export interface MetricRow {
  readonly step: number;
  readonly [metric: string]: number | null;
}

/** One JSON object a line: {"step": 100, "train_loss": 1.5, …}. Non-finite numbers become null. */
export class JsonLinesLogger implements MetricsLogger {
  constructor(readonly path: string) {}

  async start(step: number, logged?: LoggedAtStep): Promise<void> {
    await writing(this.path, async () => makeFolder(dirname(this.path)));
    const rows = await readMetricRows(this.path);
    const keptRows = rowsUntil(rows, (row) => row.step, step, logged);
    await replaceFile(this.path, keptRows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  }

  async log(step: number, metrics: Readonly<Record<string, number>>): Promise<void> {
    await writing(this.path, () => appendFile(this.path, `${JSON.stringify({ step, ...metrics })}\n`));
  }

  async text(): Promise<void> {}

  async close(): Promise<void> {}
}

/** As long a text as Node can hold. */
const MAX_BYTES = 2 ** 29;

/**
 * The rows of a file, [] if there is none; lines that are no rows are left out, such as a last one cut off by a kill.
 * @throws AnemoneError `metrics.unreadable`, `metrics.too-large`
 */
export async function readMetricRows(path: string): Promise<MetricRow[]> {
  const bytes = await readRegularFile(path, { prefix: 'metrics', maxBytes: MAX_BYTES }).catch((error) => {
    if (error instanceof AnemoneError && error.code === 'metrics.missing') return new Uint8Array();
    throw error;
  });
  const lines = new TextDecoder().decode(bytes).split('\n');
  return lines.flatMap((line, i) => rowOf(line, { file: path, line: i + 1 }));
}

function rowOf(line: string, position: SourcePosition): MetricRow[] {
  try {
    const row = parseJson(line, recordOf('any'), { code: 'metrics.row', position });
    const isValue = (value: unknown) => value === null || typeof value === 'number';
    return typeof row['step'] === 'number' && Object.values(row).every(isValue) ? [row as MetricRow] : [];
  } catch (error) {
    if (error instanceof AnemoneError) return [];
    throw error;
  }
}
