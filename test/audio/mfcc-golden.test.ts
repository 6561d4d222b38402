// MFCCs against NeMo's own output (test/golden/scripts/nemo_mfcc.py).
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Preprocessor } from '../../src/asr/encoders/front-end.js';
import { type MfccConfig, MfccFrontEnd } from '../../src/audio/index.js';
import { createReferenceEngine } from '../../src/engine/index.js';
import { AnemoneError } from '../../src/errors/index.js';

interface Values {
  readonly shape: number[];
  readonly data: number[];
}
interface Case {
  readonly config: MfccConfig;
  readonly single: readonly (Values & { readonly frames: number })[];
  readonly batch?: Values & { readonly frames: number[] };
  readonly tables: Readonly<Record<string, { shape: number[]; sum: number; some: number[] }>>;
}
const { cases } = JSON.parse(readFileSync(new URL('../golden/mfcc.json', import.meta.url), 'utf8')) as {
  cases: Readonly<Record<string, Case>>;
};

const N = 3000;
const x1 = Float32Array.from(
  { length: N },
  (_, n) =>
    0.5 * Math.sin((2 * Math.PI * 440 * n) / 16000) +
    0.25 * Math.sin((2 * Math.PI * 1234.5 * n) / 16000 + 0.3) +
    0.05 * Math.sin((0.9 * n * n) / 16000),
);
const x2 = Float32Array.from({ length: N }, (_, n) => (n < 1100 ? 0.7 * x1[N - 1 - n] : 1e-6 * x1[n]));
const waves = [x1, x2.slice(0, 2400)];

/** Largest difference of the valid frames of [width, columns]. */
function worst(found: Float32Array, wanted: ArrayLike<number>, columns: number, frames: number): number {
  let max = 0;
  for (let i = 0; i < wanted.length; i++) {
    if (i % columns < frames) max = Math.max(max, Math.abs(found[i] - wanted[i]));
  }
  return max;
}

describe.each(Object.entries(cases))('MFCCs, %s', (_name, { config, single, batch, tables }) => {
  const front = new MfccFrontEnd(config);

  it("are NeMo's for one utterance", () => {
    single.forEach((wanted, i) => {
      const { features, lengths, shape } = front.computeBatch([waves[i]]);
      expect(shape).toEqual(wanted.shape);
      expect([...lengths]).toEqual([wanted.frames]);
      expect(worst(features, wanted.data, shape[2], wanted.frames)).toBeLessThan(5e-4);
      expect(front.compute(waves[i]).columns).toBe(wanted.shape[2]);
    });
  });

  it("are NeMo's in a batch, up to the end of each utterance", ({ skip }) => {
    skip(batch === undefined, 'NeMo counts the decibels of a batch from its loudest utterance');
    const { features, lengths, shape } = front.computeBatch(waves);
    expect(shape).toEqual(batch!.shape);
    expect([...lengths]).toEqual(batch!.frames);
    const size = shape[1] * shape[2];
    lengths.forEach((frames, b) => {
      const row = features.subarray(b * size, (b + 1) * size);
      expect(worst(row, batch!.data.slice(b * size, (b + 1) * size), shape[2], frames)).toBeLessThan(5e-4);
      expect(row.every((value, i) => i % shape[2] < frames || value === 0)).toBe(true);
    });
  });

  it('have the tables of its checkpoints', async () => {
    const engine = createReferenceEngine();
    const states = new Preprocessor(new MfccFrontEnd(config)).stateDict();
    expect([...states.keys()].sort()).toEqual(Object.keys(tables).sort());
    for (const [name, { shape, sum, some }] of Object.entries(tables)) {
      const data = (await engine.read(states.get(name)!)) as Float32Array;
      expect(states.get(name)!.shape).toEqual(shape);
      expect(Math.abs(data.reduce((a, b) => a + b, 0) - sum)).toBeLessThan(1e-4);
      const step = Math.max(1, Math.floor(data.length / 50));
      some.forEach((value, i) => {
        expect(Math.abs(data[i * step] - value)).toBeLessThan(1e-5);
      });
    }
  });
});

describe('MfccFrontEnd', () => {
  it.each([
    [{ n_mfcc: 65 }, 'n_mfcc'],
    [{ dct_type: 3 }, 'dct_type'],
    [{ n_fft: 100 }, 'n_fft'],
    [{ norm: 'slaney' as never }, 'norm'],
    [{ highfreq: 0 }, 'highfreq'],
    [{ window: 'kaiser' as never }, 'window'],
  ])('%j is refused', (config, path) => {
    expect(() => new MfccFrontEnd(config)).toThrow(
      expect.objectContaining({ code: 'audio.features-config', path }),
    );
  });

  it('says when there is nothing to reflect, and has nothing of nothing', () => {
    const front = new MfccFrontEnd();
    expect(() => front.compute(new Float32Array(100))).toThrow(AnemoneError);
    expect(front.compute(new Float32Array(0)).frames).toBe(0);
  });
});
