import { describe, expect, it } from 'vitest';
import { Bleu, type BleuOptions, corpusBleu, tokenize13a } from '../../../src/text/index.js';
import { golden } from '../fixtures.js';

interface Case {
  name: string;
  hyp: string[];
  /** One list for each set of references. */
  refs: string[][];
  options: {
    lowercase?: boolean;
    tokenize?: '13a' | 'none' | 'char';
    smooth_method?: 'exp' | 'floor' | 'none';
  };
  score: number;
  precisions: number[];
  bp: number;
  sys_len: number;
  ref_len: number;
}

const { cases, tok } = golden<{ cases: Case[]; tok: [string, string][] }>('sacrebleu.json');

function references(refs: string[][]): string[][] {
  return refs[0].map((_, i) => refs.map((set) => set[i]));
}

describe('BLEU equals sacrebleu', () => {
  for (const { name, hyp, refs, options, ...expected } of cases) {
    it(name, () => {
      const ours: BleuOptions = {
        lowercase: options.lowercase,
        tokenize: options.tokenize,
        smoothing: options.smooth_method,
      };
      const result = corpusBleu(references(refs), hyp, ours);
      expect(result.score).toBeCloseTo(expected.score, 8);
      result.precisions.forEach((p, n) => {
        expect(p).toBeCloseTo(expected.precisions[n], 8);
      });
      expect(result.brevityPenalty).toBeCloseTo(expected.bp, 12);
      expect([result.hypothesisLength, result.referenceLength]).toEqual([expected.sys_len, expected.ref_len]);
    });
  }

  it('13a tokenisation', () => {
    for (const [text, expected] of tok) expect(tokenize13a(text)).toBe(expected);
  });

  it('adds up across batches', () => {
    const { hyp, refs } = cases[0];
    const parts = [new Bleu(), new Bleu()];
    references(refs).forEach((reference, i) => {
      parts[i % 2].add(reference, hyp[i]);
    });
    parts[0].merge(parts[1].state());
    expect(parts[0].compute()).toEqual(corpusBleu(references(refs), hyp));
  });

  it('is 0 without text and 100 for a copy', () => {
    expect(new Bleu().compute().score).toBe(0);
    expect(corpusBleu(['a b c d e'], ['a b c d e']).score).toBeCloseTo(100, 10);
    expect(() => corpusBleu([], ['a'])).toThrow(RangeError);
  });
});
