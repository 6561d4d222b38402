// Metrics as CSV.
import { appendFile, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeFolder } from '../../formats/index.js';
import { writing } from '../io-error.js';
import { replaceFile } from '../replace-file.js';
import { type LoggedAtStep, type MetricsLogger, rowsUntil } from './logger.js';

type Row = Readonly<Record<string, string>>;

/**
 * A CSV table (RFC 4180) with a column per metric. A metric that appears later widens the table: the file is
 * rewritten.
 */
export class CsvLogger implements MetricsLogger {
  private columns: string[] = ['step'];

  constructor(readonly path: string) {}

  async start(step: number, logged?: LoggedAtStep): Promise<void> {
    await writing(this.path, async () => makeFolder(dirname(this.path)));
    await this.rewrite(rowsUntil(await this.read(), (row) => Number(row['step']), step, logged));
  }

  async log(step: number, metrics: Readonly<Record<string, number>>): Promise<void> {
    const row: Record<string, string> = { step: String(step) };
    for (const [key, value] of Object.entries(metrics)) row[key] = String(value);
    const addedColumns = Object.keys(row).filter((key) => !this.columns.includes(key));
    if (addedColumns.length > 0) {
      const rows = await this.read();
      this.columns.push(...addedColumns);
      await this.rewrite(rows);
    }
    await writing(this.path, () => appendFile(this.path, `${this.line(row)}\n`));
  }

  async text(): Promise<void> {}

  async close(): Promise<void> {}

  private line(row: Row): string {
    return lineOf(this.columns.map((column) => row[column] ?? ''));
  }

  private async read(): Promise<Row[]> {
    const text = await readFile(this.path, 'utf8').catch(() => '');
    const [columns, ...rows] = wholeLines(text);
    if (!columns) return [];
    for (const column of columns) if (!this.columns.includes(column)) this.columns.push(column);
    return rows
      .filter((cells) => cells.length === columns.length)
      .map((cells) => Object.fromEntries(cells.map((cell, i) => [columns[i], cell])));
  }

  private async rewrite(rows: readonly Row[]): Promise<void> {
    const lines = [lineOf(this.columns), ...rows.map((row) => this.line(row))];
    await replaceFile(this.path, lines.map((line) => `${line}\n`).join(''));
  }
}

/** The name of a metric holds that of a manifest, which may hold anything. */
function lineOf(cells: readonly string[]): string {
  return cells.map((cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(',');
}

/** The cells of every line; without what follows the last line end: a kill cut it off. */
function wholeLines(text: string): string[][] {
  const lines: string[][] = [];
  let cells: string[] = [];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n)/g)) {
    cells.push(quoted?.replaceAll('""', '"') ?? plain);
    if (end === ',') continue;
    lines.push(cells);
    cells = [];
  }
  return lines;
}
