import { describe, expect, it } from 'vitest';
import { alignLattice } from '../../src/asr/index.js';
import { randomTensor } from '../nn/support.js';

describe('alignLattice', () => {
  const [frames, rows] = [4, 3];
  const picks = randomTensor([1, rows, frames, 2], 11).data as Float32Array;
  const view = { picks, offset: 0, frames, rows, validFrames: frames, tokens: rows - 1 };
  const arc = (u: number, t: number, which: number): number => picks[2 * (u * frames + t) + which];

  /** All paths as lists of points, with scores. */
  const paths = (
    u: number,
    t: number,
    score: number,
    points: string[],
  ): { score: number; points: string[] }[] => {
    const here = [...points, `${t},${u}`];
    if (u === rows - 1 && t === frames - 1) return [{ score: score + arc(u, t, 0), points: here }];
    return [
      ...(t < frames - 1 ? paths(u, t + 1, score + arc(u, t, 0), here) : []),
      ...(u < rows - 1 ? paths(u + 1, t, score + arc(u, t, 1), here) : []),
    ];
  };

  it('finds the best of all paths and the share of those through each point', () => {
    const all = paths(0, 0, 0, []);
    const best = all.reduce((a, b) => (b.score > a.score ? b : a));
    const alignment = alignLattice(view);
    expect(alignment.path.map(({ frame, row }) => `${frame},${row}`)).toEqual(best.points);
    const total = all.reduce((sum, path) => sum + Math.exp(path.score), 0);
    expect(alignment.logLikelihood).toBeCloseTo(Math.log(total), 6);
    for (let u = 0; u < rows; u++) {
      for (let t = 0; t < frames; t++) {
        const through = all.filter((path) => path.points.includes(`${t},${u}`));
        const share = through.reduce((sum, path) => sum + Math.exp(path.score), 0) / total;
        expect(alignment.posteriors[u * frames + t]).toBeCloseTo(share, 5);
      }
    }
    expect(alignment.tokenFrames.length).toBe(2);
  });
});
