// Batch norm of a batch that ranks have divided, against formulas over all its rows in double precision.
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { launchLocalRanks } from '../../src/distributed/index.js';
import { bundledProgram } from '../bundled-program.js';
import { CHANNELS, ITEMS, partOf } from './batch-norm-parts.js';
import { maxDifference } from './support.js';

const RANKS = 3;
/** Of the statistics at the start: the program passes three times. */
const KEPT = 0.9 ** 3;

interface Found {
  readonly y: readonly number[];
  readonly dx: readonly number[];
  readonly dScale: readonly number[];
  readonly dShift: readonly number[];
  /** Mean and variance. */
  readonly running: readonly number[];
}

/** What each rank must find: a channel at a time, of all rows that are the batch's. */
function expected(isMasked: boolean): Found[] {
  const parts = Array.from({ length: RANKS }, (_, rank) => partOf(rank, isMasked));
  const found = parts.map(({ x }) => ({
    y: Array(x.length).fill(0),
    dx: Array(x.length).fill(0),
    dScale: Array(CHANNELS).fill(0),
    dShift: Array(CHANNELS).fill(0),
    running: Array(2 * CHANNELS).fill(0),
  }));
  for (let channel = 0; channel < CHANNELS; channel++) {
    const rows = parts.flatMap(({ x, dy, length, frames }, rank) =>
      Array.from({ length: ITEMS * length }, (_, row) => ({ rank, row, at: row * CHANNELS + channel }))
        .filter(({ row }) => row % length < frames)
        .map(({ at }) => ({ rank, at, x: x[at], dy: dy[at] })),
    );
    const n = rows.length;
    const mean = rows.reduce((sum, { x }) => sum + x, 0) / n;
    const variance = rows.reduce((sum, { x }) => sum + (x - mean) ** 2, 0) / n;
    const deviation = Math.sqrt(variance + 1e-5);
    const normalised = ({ x }: { x: number }) => (x - mean) / deviation;
    const dShift = rows.reduce((sum, { dy }) => sum + dy, 0);
    const dScale = rows.reduce((sum, row) => sum + row.dy * normalised(row), 0);
    for (const row of rows) {
      const own = found[row.rank];
      own.y[row.at] = normalised(row);
      own.dx[row.at] = (row.dy - dShift / n - (normalised(row) * dScale) / n) / deviation;
      // The gradients of the parameters are each rank's own part: they are summed with all others.
      own.dScale[channel] += row.dy * normalised(row);
      own.dShift[channel] += row.dy;
    }
    for (const own of found) {
      own.running[channel] = (1 - KEPT) * mean;
      own.running[CHANNELS + channel] = KEPT + ((1 - KEPT) * variance * n) / (n - 1);
    }
  }
  return found;
}

describe('batch norm over ranks is that of the whole batch', () => {
  const folder = mkdtempSync(join(tmpdir(), 'batch-norm-'));
  beforeAll(async () => {
    const program = await bundledProgram(new URL('programs/batch-norm-rank.ts', import.meta.url));
    expect(await launchLocalRanks({ ranks: RANKS, command: [process.execPath, program, folder] })).toBe(0);
  });

  it.each([
    ['in which all frames count', false],
    ['in which each rank has frames of its own', true],
  ])('%s', (_name, isMasked) => {
    expected(isMasked).forEach((wanted, rank) => {
      const found = JSON.parse(readFileSync(join(folder, `${isMasked}-${rank}.json`), 'utf8')) as Found;
      const { length, frames } = partOf(rank, isMasked);
      const isOwn = (_: number, i: number) => Math.floor(i / CHANNELS) % length < frames;
      for (const key of ['y', 'dx'] as const) {
        expect(maxDifference(found[key].filter(isOwn), wanted[key].filter(isOwn)), key).toBeLessThan(3e-6);
      }
      for (const key of ['dScale', 'dShift', 'running'] as const) {
        expect(maxDifference(found[key], wanted[key]), key).toBeLessThan(1e-5);
      }
    });
  });
});
