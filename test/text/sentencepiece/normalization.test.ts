import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cleanText, normalizeText } from '../../../src/text/index.js';
import { compileCharsMap, readCharsMap } from '../../../src/text/sentencepiece/charsmap.js';
import { DoubleArray } from '../../../src/text/sentencepiece/double-array.js';
import {
  type NormalizationRules,
  nfkcRules,
  nmtNfkcRules,
  withCaseFolding,
} from '../../../src/text/sentencepiece/nfkc-rules.js';
import { golden } from '../fixtures.js';

type Maps = Record<string, { rules: number; sha256: string }>;

describe('named normalisations', () => {
  const hex = (text: string): string =>
    Array.from(text, (c) => (c.codePointAt(0) as number).toString(16).toUpperCase()).join(' ');
  const nfkc = nfkcRules();
  const nmt = nmtNfkcRules();
  const ours: Record<string, NormalizationRules> = {
    nfkc,
    nmt_nfkc: nmt,
    nfkc_cf: withCaseFolding(nfkc),
    nmt_nfkc_cf: withCaseFolding(nmt),
  };
  for (const [name, { rules, sha256 }] of Object.entries(golden<Maps>('normalization_maps.json'))) {
    it(`${name} has SentencePiece's ${rules} rules`, () => {
      const lines = Array.from(ours[name], ([source, target]) => `${hex(source)}>${hex(target)}`).sort();
      expect(lines).toHaveLength(rules);
      expect(createHash('sha256').update(lines.join('\n')).digest('hex')).toBe(sha256);
    });
  }

  it('every rule is found in the compiled map', () => {
    const map = readCharsMap(compileCharsMap(nmt));
    if (map === undefined) throw new Error('no map');
    const { trie, targets } = map;
    const encoder = new TextEncoder();
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    const lost: string[] = [];
    for (const [source, target] of nmt) {
      const key = encoder.encode(source);
      const isFound = trie.longestPrefix(key, 0, key.length) && trie.matchedLength === key.length;
      const from = trie.matchedValue;
      const found = decoder.decode(targets.subarray(from, targets.indexOf(0, from)));
      if (!isFound || found !== target) lost.push(hex(source));
    }
    expect(lost).toEqual([]);
  });

  it('normalizes text without touching its spaces', () => {
    expect(normalizeText('Ｆｕｌｌ\twidth ①  e\u0301\u200b')).toBe('Full width 1  é ');
    expect(normalizeText('ﬁ', 'identity')).toBe('ﬁ');
    expect(() => normalizeText('a', 'nfkx')).toThrow(/nfkc/);
  });

  it('cleans transcripts', () => {
    expect(cleanText('“Don’t,” she said — twenty-one!  ')).toBe("don't she said twenty-one");
    expect(cleanText('¿Qué? - «Sí»', { lowercase: false })).toBe('Qué Sí');
    expect(cleanText("rock 'n' roll", { removePunctuation: false })).toBe("rock 'n' roll");
  });
});

describe('double array', () => {
  it('finds the longest prefix, as a plain search does', () => {
    const word = fc.array(fc.integer({ min: 97, max: 100 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(
        fc.array(word, { maxLength: 40 }),
        fc.array(word, { maxLength: 10 }),
        fc.boolean(),
        (keys, queries, share) => {
          const unique = new Map(keys.map((key, i) => [key.join(), { key, value: i % 3 }]));
          const built = DoubleArray.build(
            [...unique.values()].map(({ key, value }) => [Uint8Array.from(key), value] as const),
            share,
          );
          const trie = DoubleArray.fromBytes(built.toBytes());
          for (const query of [...queries, ...keys]) {
            let length = 0;
            for (let n = 1; n <= query.length; n++) if (unique.has(query.slice(0, n).join())) length = n;
            trie.longestPrefix(Uint8Array.from(query), 0, query.length);
            expect(trie.matchedLength).toBe(length);
            if (length > 0) expect(trie.matchedValue).toBe(unique.get(query.slice(0, length).join())?.value);
          }
        },
      ),
      { numRuns: 100, seed: 1 },
    );
  });

  it('refuses equal keys', () => {
    const key = Uint8Array.of(97);
    expect(() =>
      DoubleArray.build([
        [key, 1],
        [key, 2],
      ]),
    ).toThrow(/twice/);
  });
});
