import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  align,
  characterErrorRate,
  countEdits,
  ErrorRate,
  formatAlignment,
  levenshtein,
  wordErrorRate,
} from '../../../src/text/index.js';
import { golden } from '../fixtures.js';

interface Jiwer {
  pairs: { ref: string; hyp: string; wordErrors: number; charErrors: number }[];
  wer: number;
  cer: number;
}

/** All ways to edit, tried one by one. */
function bruteForce(a: readonly string[], b: readonly string[]): number {
  if (a.length === 0 || b.length === 0) return a.length + b.length;
  const [x, ...restA] = a;
  const [y, ...restB] = b;
  return Math.min(
    bruteForce(restA, restB) + (x === y ? 0 : 1),
    bruteForce(restA, b) + 1,
    bruteForce(a, restB) + 1,
  );
}

describe('alignment', () => {
  const tokens = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 6 });

  it('is as short as brute force finds, and spells both sides', () => {
    fc.assert(
      fc.property(tokens, tokens, (reference, hypothesis) => {
        const distance = bruteForce(reference, hypothesis);
        expect(levenshtein(reference, hypothesis)).toBe(distance);
        const edits = align(reference, hypothesis);
        const counts = countEdits(edits);
        expect(counts.substitutions + counts.deletions + counts.insertions).toBe(distance);
        expect(edits.flatMap((e) => e.reference ?? [])).toEqual(reference);
        expect(edits.flatMap((e) => e.hypothesis ?? [])).toEqual(hypothesis);
        for (const { kind, reference: r, hypothesis: h } of edits) expect(r === h).toBe(kind === 'match');
      }),
      { numRuns: 200, seed: 3 },
    );
  });

  it('counts each kind', () => {
    const counts = countEdits(align('the cat sat on mats'.split(' '), 'a the cat on a mat'.split(' ')));
    expect(counts).toEqual({ substitutions: 1, deletions: 1, insertions: 2, matches: 3 });
  });
});

describe('error rates', () => {
  const { pairs, wer, cer } = golden<Jiwer>('jiwer.json');
  const references = pairs.map((p) => p.ref);
  const hypotheses = pairs.map((p) => p.hyp);

  it('equal jiwer', () => {
    for (const { ref, hyp, wordErrors, charErrors } of pairs) {
      const words = new ErrorRate('word');
      const characters = new ErrorRate('character');
      words.add(ref, hyp);
      characters.add(ref, hyp);
      expect([words.errors, characters.errors]).toEqual([wordErrors, charErrors]);
    }
    expect(wordErrorRate(references, hypotheses)).toBeCloseTo(wer, 12);
    expect(characterErrorRate(references, hypotheses)).toBeCloseTo(cer, 12);
  });

  it('add up across batches', () => {
    const whole = new ErrorRate('word');
    const parts = [new ErrorRate('word'), new ErrorRate('word')];
    references.forEach((reference, i) => {
      whole.add(reference, hypotheses[i]);
      parts[i % 2].add(reference, hypotheses[i]);
    });
    parts[0].merge(parts[1].state());
    expect(parts[0].state()).toEqual(whole.state());
    expect(whole.state().utterances).toBe(references.length);
    whole.reset();
    expect(whole.errors).toBe(0);
  });

  it('tell a reference from a hypothesis', () => {
    expect(wordErrorRate(['a b c d'], ['a b'])).toBe(0.5);
    expect(wordErrorRate(['a b'], ['a b c d'])).toBe(1);
    expect(wordErrorRate(['a b'], ['a b'])).toBe(0);
  });

  it('are infinite without reference words, as in NeMo', () => {
    expect(wordErrorRate([''], ['a'])).toBe(Number.POSITIVE_INFINITY);
    expect(wordErrorRate([], [])).toBe(Number.POSITIVE_INFINITY);
    expect(() => wordErrorRate(['a'], [])).toThrow(RangeError);
  });

  it('count code points', () => {
    expect(characterErrorRate(['😀é'], ['😀e'])).toBe(0.5);
  });
});

describe('printed alignment', () => {
  it('marks errors below', () => {
    expect(formatAlignment('one two three four', 'one too four five')).toBe(
      ['ref one two three four ****', 'hyp one *** too   four five', '        D   S          I'].join('\n'),
    );
  });

  it('breaks long lines', () => {
    const blocks = formatAlignment('aa bb cc dd', 'aa bb cc dd', { width: 12 }).split('\n\n');
    expect(blocks.map((block) => block.split('\n')[0])).toEqual(['ref aa bb cc', 'ref dd']);
  });

  it('compares characters', () => {
    expect(formatAlignment('猫が', '犬が', { unit: 'character' })).toBe('ref 猫が\nhyp 犬が\n    S');
    expect(formatAlignment('', '')).toBe('ref\nhyp');
  });
});
