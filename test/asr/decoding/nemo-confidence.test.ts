// Confidence measures and timestamps against NeMo's own functions (golden/scripts/decoding.py) and by hand.
import { describe, expect, it } from 'vitest';
import {
  aggregate,
  ctcTokenConfidence,
  transducerTokenConfidence,
} from '../../../src/asr/decoding/confidence/aggregate.js';
import { confidence } from '../../../src/asr/decoding/confidence/measure.js';
import {
  segmentOffsets,
  tokenOffsets,
  vocabularyPunctuation,
  wordOffsets,
} from '../../../src/asr/decoding/timestamps/offsets.js';
import { wordsOfTokens } from '../../../src/asr/decoding/timestamps/words-of-tokens.js';
import { createReferenceEngine, float32, OnnxEngine } from '../../../src/engine/index.js';
import { evaluate, maxDifference } from '../../nn/support.js';
import { golden } from '../golden.js';

interface Place {
  readonly start_offset: number;
  readonly end_offset: number;
}
const file = golden<{
  confidence: { logp: number[][]; values: Record<string, number[]> };
  timestamps: {
    tokens: string[];
    starts: number[];
    punctuation: string[];
    words: (Place & { word: string })[];
    segments: (Place & { segment: string })[];
    segments_gap3: (Place & { segment: string })[];
  }[];
}>('decoding_nemo');

describe('measures', () => {
  const { logp, values } = file.confidence;

  it.each(Object.keys(values))('%s', async (name) => {
    const [measure, alpha] = name.split('@');
    const [kind, type, norm] = measure.split('_');
    const method = {
      name: kind === 'max' ? ('max_prob' as const) : ('entropy' as const),
      entropy_type: (kind === 'max' ? 'gibbs' : type) as 'gibbs' | 'tsallis' | 'renyi',
      entropy_norm: (kind === 'max' ? 'lin' : norm) as 'lin' | 'exp',
      alpha: Number(alpha),
    };
    for (const engine of [createReferenceEngine(), new OnnxEngine({ threads: 1 })]) {
      const { y } = await evaluate(
        ({ x }) => ({ y: confidence(x, 6, method) }),
        { x: float32(logp.flat(), [4, 6]) },
        engine,
      );
      expect(maxDifference(y.data, values[name])).toBeLessThan(1e-4);
      await engine.dispose();
    }
  });

  it('is 0 for a uniform distribution and 1 for a certain one', async () => {
    const rows = [new Array(4).fill(Math.log(0.25)), [0, -80, -80, -80]];
    for (const entropy_type of ['gibbs', 'tsallis', 'renyi'] as const) {
      for (const entropy_norm of ['lin', 'exp'] as const) {
        for (const alpha of [1, 0.5]) {
          const method = { name: 'entropy' as const, entropy_type, entropy_norm, alpha };
          const { y } = await evaluate(({ x }) => ({ y: confidence(x, 4, method) }), {
            x: float32(rows.flat(), [2, 4]),
          });
          expect(maxDifference(y.data, [0, 1])).toBeLessThan(1e-5);
        }
      }
    }
  });
});

describe('confidence of tokens', () => {
  const settings = (excludeBlank: boolean, aggregation: 'mean' | 'min' | 'prod' = 'mean') => ({
    excludeBlank,
    aggregation,
  });
  const choice = (frame: number, isBlank: boolean, value: number) => ({ frame, isBlank, confidence: value });
  // Frames: blank | token, token, blank | blank | token, blank.
  const choices = [
    choice(0, true, 0.9),
    choice(1, false, 0.8),
    choice(1, false, 0.6),
    choice(1, true, 0.1),
    choice(2, true, 0.4),
    choice(3, false, 0.5),
    choice(3, true, 0.3),
  ];

  it('of a transducer, without blanks', () => {
    expect(transducerTokenConfidence(choices, 4, settings(true), 'rnnt')).toEqual([0.8, 0.6, 0.5]);
  });

  it('of RNN-T, with the first choice of each frame up to the next token', () => {
    const found = transducerTokenConfidence(choices, 4, settings(false), 'rnnt');
    [0.8, (0.6 + 0.4) / 2, 0.5].forEach((value, i) => {
      expect(found[i]).toBeCloseTo(value, 10);
    });
  });

  it('of TDT, with every blank after it', () => {
    const found = transducerTokenConfidence(choices, 4, settings(false, 'prod'), 'tdt');
    [0.8, 0.6 * 0.1 * 0.4, 0.5 * 0.3].forEach((value, i) => {
      expect(found[i]).toBeCloseTo(value, 10);
    });
  });

  it('of CTC, over repetitions, or all frames up to the next token', () => {
    const best = [9, 1, 1, 9, 1, 2];
    const values = [0.1, 0.2, 0.4, 0.9, 0.6, 0.7];
    const close = (found: number[], expected: number[]): void => {
      expect(maxDifference(found, expected)).toBeLessThan(1e-10);
    };
    close(ctcTokenConfidence(best, values, 9, settings(true)), [0.3, 0.6, 0.7]);
    close(ctcTokenConfidence(best, values, 9, settings(false)), [0.5, 0.6, 0.7]);
    close(ctcTokenConfidence(best, values, 9, settings(true, 'min')), [0.2, 0.6, 0.7]);
  });

  it('aggregates', () => {
    const values = [0.5, 0.2, 0.8];
    expect(aggregate(values, 'mean')).toBeCloseTo(0.5, 10);
    expect([aggregate(values, 'min'), aggregate(values, 'max')]).toEqual([0.2, 0.8]);
    expect(aggregate(values, 'prod')).toBeCloseTo(0.08, 10);
  });

  it('belongs to words as the text has them', () => {
    const pieces = ['▁the', '▁c', 'at', '<unk>', 's', '▁', '▁it'];
    const texts = ['the', 'c', 'at', ' ⁇ ', 's', '', 'it'];
    expect(wordsOfTokens(pieces, texts)).toEqual([[0], [1, 2], [3], [4], [6]]);
    const letters = [...'ab c'];
    expect(wordsOfTokens(letters, letters)).toEqual([[0, 1], [3]]);
  });
});

describe('timestamps', () => {
  it.each(file.timestamps.map((entry) => [entry.tokens.join(' '), entry] as const))('%s', (_name, entry) => {
    const { tokens, starts, punctuation } = entry;
    const isBpe = tokens.some((token) => token.includes('▁'));
    const marks = new Set(punctuation);
    const texts = tokens.map((token) => token.replaceAll('▁', ''));
    const chars = tokenOffsets({ tokens, texts, frames: starts }, 'rnnt', marks);
    const join = (parts: readonly string[]): string =>
      isBpe ? parts.join('').replaceAll('▁', ' ').trim() : parts.join('');
    const words = wordOffsets(chars, { separator: ' ', punctuation: marks, join });
    expect(words).toEqual(
      entry.words.map(({ word, start_offset, end_offset }) => ({
        text: word,
        start: start_offset,
        end: end_offset,
      })),
    );
    for (const [gap, expected] of [
      [null, entry.segments],
      [3, entry.segments_gap3],
    ] as const) {
      expect(segmentOffsets(words, { separators: ['.', '?', '!'], gap })).toEqual(
        expected.map(({ segment, start_offset, end_offset }) => ({
          text: segment,
          start: start_offset,
          end: end_offset,
        })),
      );
    }
  });

  it('of tokens: a frame, a duration, or from the token before', () => {
    const marks = new Set(['.']);
    const given = {
      tokens: ['a', 'b', '.'],
      texts: ['a', 'b', '.'],
      frames: [3, 4, 9],
      durations: [0, 2, 4],
    };
    const places = (kind: 'rnnt' | 'tdt' | 'ctc') =>
      tokenOffsets(given, kind, marks).map(({ start, end }) => [start, end]);
    expect(places('rnnt')).toEqual([[3, 4], [4, 5], [9, 10]]); // biome-ignore format: one line reads better
    expect(places('tdt')).toEqual([[3, 3], [4, 6], [6, 6]]); // biome-ignore format: one line reads better
    expect(places('ctc')).toEqual([[2, 3], [3, 4], [4, 4]]); // biome-ignore format: one line reads better
  });

  it('know the punctuation of a vocabulary', () => {
    const marks = vocabularyPunctuation(['<unk>', '▁.', '[x]', 'a', '.', "n't", '##-', '?!']);
    expect([...marks].sort()).toEqual(['!', "'", '.', '?']);
  });
});
