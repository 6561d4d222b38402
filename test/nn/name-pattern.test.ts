import { describe, expect, it } from 'vitest';
import { namePattern } from '../../src/nn/index.js';

/** All texts of up to `length` letters of `letters`. */
function texts(letters: string, length: number): string[] {
  if (length === 0) return [''];
  const shorter = texts(letters, length - 1);
  return ['', ...shorter.flatMap((text) => [...letters].map((letter) => letter + text))];
}

/** The meaning of a pattern with stars, in the plainest words. */
function fits(pattern: string, name: string): boolean {
  if (pattern === '') return name === '';
  if (pattern[0] !== '*') return pattern[0] === name[0] && fits(pattern.slice(1), name.slice(1));
  return fits(pattern.slice(1), name) || (name !== '' && fits(pattern, name.slice(1)));
}

describe('patterns of parameter names', () => {
  it('without a star name a module', () => {
    const matches = namePattern('encoder.layers.1');
    expect(matches('encoder.layers.1.bias')).toBe(true);
    expect(matches('encoder.layers.1')).toBe(true);
    expect(matches('encoder.layers.10.bias')).toBe(false);
  });

  it('take a star for any characters, on every small pattern and name', () => {
    const names = [...new Set(texts('ab', 5))];
    for (const pattern of new Set(texts('ab*', 5))) {
      if (!pattern.includes('*')) continue;
      const matches = namePattern(pattern);
      for (const name of names)
        expect([pattern, name, matches(name)]).toEqual([pattern, name, fits(pattern, name)]);
    }
  });

  it('take signs of regular expressions for themselves', () => {
    expect(namePattern('a.*(+')('a.b(+')).toBe(true);
    expect(namePattern('a.*')('axb')).toBe(false);
    expect(namePattern('*')('a\nb')).toBe(true);
  });

  it('answer at once however many stars they have', () => {
    const name = `encoder.${'layers.0.'.repeat(30)}weight`;
    for (const stars of [25, 10_000]) {
      expect(namePattern(`${'*'.repeat(stars)}q!`)(name)).toBe(false);
      expect(namePattern(`${'*e'.repeat(stars)}q!`)(name)).toBe(false);
      expect(namePattern(`${'*'.repeat(stars)}t`)(name)).toBe(true);
    }
  });
});
