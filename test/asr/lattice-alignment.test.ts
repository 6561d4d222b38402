import { describe, expect, it } from 'vitest';
import type { TransducerVariant } from '../../src/asr/decoders/transducer-variant.js';
import { alignLattice } from '../../src/asr/index.js';
import { variantArcs } from '../../src/asr/losses/index.js';
import { randomTensor } from '../nn/support.js';

interface Path {
  readonly score: number;
  readonly points: string[];
  readonly emitted: number[];
}

const [frames, rows, validFrames, tokens] = [6, 4, 5, 2];

/** What leaves a point, as the definitions of the variants say: frames, tokens, picks. */
function arcsOf(variant: TransducerVariant): [number, number, number[]][] {
  if (variant.kind === 'tdt') {
    return variant.durations.flatMap((frames, i): [number, number, number[]][] => {
      const label: [number, number, number[]] = [frames, 1, [1, 2 + i]];
      return frames === 0 ? [label] : [label, [frames, 0, [0, 2 + i]]];
    });
  }
  const big = variant.kind === 'multiblank' ? variant.durations : [];
  return [[0, 1, [1]], [1, 0, [0]], ...big.map((d, i): [number, number, number[]] => [d, 0, [2 + i]])];
}

describe.each<[string, TransducerVariant, number]>([
  ['rnnt', { kind: 'rnnt' }, 2],
  ['tdt', { kind: 'tdt', durations: [0, 1, 2, 3] }, 6],
  ['tdt that always moves on', { kind: 'tdt', durations: [1, 2] }, 4],
  ['multi-blank', { kind: 'multiblank', durations: [2, 3] }, 4],
])('alignLattice of %s', (_name, variant, perPoint) => {
  const picks = randomTensor([1, rows, frames, perPoint], 11).data as Float32Array;

  /** All paths, with scores. */
  const paths = (u: number, t: number, path: Path): Path[] => {
    if (t === validFrames) return u === tokens ? [path] : [];
    return arcsOf(variant).flatMap(([time, up, parts]) => {
      if (u + up > tokens || t + time > validFrames || (up === 1 && t + time === validFrames)) return [];
      const score = parts.reduce((sum, p) => sum + picks[(u * frames + t) * perPoint + p], path.score);
      const points = [...path.points, `${t},${u}`];
      return paths(u + up, t + time, { score, points, emitted: up ? [...path.emitted, t] : path.emitted });
    });
  };

  it('finds the best of all paths and the share of those through each point', () => {
    const all = paths(0, 0, { score: 0, points: [], emitted: [] });
    const best = all.reduce((a, b) => (b.score > a.score ? b : a));
    const alignment = alignLattice({
      picks,
      shape: [rows, frames, perPoint],
      validFrames,
      tokens,
      arcs: variantArcs(variant),
    });
    expect(alignment.path.map(({ frame, row }) => `${frame},${row}`)).toEqual(best.points);
    expect(alignment.tokenFrames).toEqual(best.emitted);
    const total = all.reduce((sum, path) => sum + Math.exp(path.score), 0);
    expect(alignment.logLikelihood).toBeCloseTo(Math.log(total), 6);
    expect([alignment.rows, alignment.frames]).toEqual([tokens + 1, validFrames]);
    for (let u = 0; u <= tokens; u++) {
      for (let t = 0; t < validFrames; t++) {
        const through = all.filter((path) => path.points.includes(`${t},${u}`));
        const share = through.reduce((sum, path) => sum + Math.exp(path.score), 0) / total;
        expect(alignment.posteriors[u * validFrames + t]).toBeCloseTo(share, 5);
      }
    }
  });
});

it('has no path where the frames do not suffice', () => {
  const picks = new Float32Array(2 * 3 * 4);
  const arcs = variantArcs({ kind: 'tdt', durations: [2, 3] });
  const alignment = alignLattice({ picks, shape: [3, 2, 4], validFrames: 2, tokens: 2, arcs });
  expect(alignment.path).toEqual([]);
  expect(alignment.logLikelihood).toBeLessThan(-1e29);
});
