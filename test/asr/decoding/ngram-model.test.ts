// The ARPA reader and back-off scores, against the definition worked out by hand.
import { describe, expect, it } from 'vitest';
import { parseArpa } from '../../../src/asr/decoding/lm/arpa.js';
import { tokenWords } from '../../../src/asr/decoding/lm/token-words.js';
import { CharTokenizer } from '../../../src/text/index.js';

const arpa = `
\\data\\
ngram 1=5
ngram 2=4
ngram 3=1

\\1-grams:
-99\t<s>\t-0.5
-1.0\t</s>
-2.0\t<unk>
-0.6\ta\t-0.25
-0.9\tb\t-0.125

\\2-grams:
-0.3\t<s> a\t-0.0625
-0.4\ta b\t-0.03125
-0.7\tb a
-0.2\tb </s>

\\3-grams:
-0.1\t<s> a b

\\end\\
`;
const parse = (text: string) => parseArpa(new TextEncoder().encode(text), 'model.arpa');

describe('back-off model', () => {
  const model = parse(arpa);
  const sentence = (words: string[]): number[] => {
    let state = model.start();
    const scores = words.map((word) => {
      const next = model.score(state, word);
      state = next.state;
      return next.score / Math.LN10;
    });
    return [...scores, model.finish(state) / Math.LN10];
  };

  it('takes the longest n-gram it knows, else the weights of the contexts', () => {
    const close = (words: string[], expected: number[]): void => {
      sentence(words).forEach((score, i) => {
        expect(score).toBeCloseTo(expected[i], 6);
      });
    };
    // <s> a | <s> a b | a b → no a b </s>: weight of "a b", then b </s>.
    close(['a', 'b'], [-0.3, -0.1, -0.03125 - 0.2]);
    // No <s> b: weight of <s>. No <s> b b, b b: weights of "<s> b" (none) and b.
    close(['b', 'b'], [-0.5 - 0.9, -0.125 - 0.9, -0.2]);
    close(['b', 'a'], [-0.5 - 0.9, -0.7, -0.25 - 1]);
    close(['zzz'], [-0.5 - 2, -1]);
  });

  it('knows its order and words', () => {
    expect(model.order).toBe(3);
    expect([model.has('a'), model.has('zzz')]).toEqual([true, false]);
  });
});

it('gives an unknown word KenLM’s score where there is no <unk>', () => {
  const model = parse(arpa.replace('-2.0\t<unk>\n', ''));
  expect(model.score(model.start(), 'zzz').score / Math.LN10).toBeCloseTo(-100, 6);
});

it.each(['NaN', '1e999', '-1e999', '-1e300', '1e300'])('refuses %s as a logarithm', (number) => {
  const message = /^model\.arpa, line 4: expected a probability/;
  expect(() => parse(`\\data\\\nngram 1=1\n\\1-grams:\n${number}\ta\n\\end\\\n`)).toThrow(message);
  expect(() => parse(`\\data\\\nngram 1=1\n\\1-grams:\n-1\ta\t${number}\n\\end\\\n`)).toThrow(message);
});

it.each(['x', '0', '-1', '1e999', '1.5'])('refuses n-grams of order %s', (order) => {
  expect(() => parse(`\\data\\\nngram ${order}=1\n\\end\\\n`)).toThrow(
    `model.arpa, line 2: "ngram ${order}=1" names no order`,
  );
});

it('says what is wrong with a file', () => {
  expect(() => parse('mmap lm http://kheafield.com/code format version 5\n\0')).toThrow(/not an ARPA file/);
  expect(() => parse(arpa.replace('-0.9\tb', 'x\tb'))).toThrow(/line 12.*probability/s);
  expect(() => parse(arpa.replace('\\end\\', ''))).toThrow(/without \\end\\/);
});

describe('words of tokens', () => {
  const tokenizer = new CharTokenizer(['a', 'b', ' ']);

  it('are the tokens, or NeMo’s characters for subwords', () => {
    expect(tokenWords(parse(arpa), tokenizer)).toEqual(['a', 'b', ' ']);
    const encoded = arpa.replaceAll('\ta', '\td').replaceAll(' a', ' d').replaceAll('b', 'e');
    expect(tokenWords(parse(encoded), tokenizer)).toEqual(['d', 'e', 'f']);
  });

  it('must be known', () => {
    expect(() => tokenWords(parse(arpa), new CharTokenizer(['x', 'y']))).toThrow(/none of the tokens/);
  });
});
