import { describe, expect, it } from 'vitest';
import { AnemoneError } from '../../../src/errors/index.js';
import { CounterRandom } from '../../../src/random/index.js';
import { SentencePieceProcessor, trainSentencePiece } from '../../../src/text/index.js';
import { fixtureBytes, fixtureLines, golden } from '../fixtures.js';

type Encoded = Record<string, { ids: number[][]; decoded: string[] }>;

describe('models made by SentencePiece', () => {
  for (const [key, { ids, decoded }] of Object.entries(golden<Encoded>('spm_encode.json'))) {
    const [model, language] = key.split('+');
    it(`${model} encodes and decodes ${language} as spm_encode and spm_decode do`, () => {
      const processor = SentencePieceProcessor.fromBytes(fixtureBytes(model));
      const lines = fixtureLines(language as 'en').slice(0, ids.length);
      expect(lines.map((line) => processor.encode(line))).toEqual(ids);
      expect(ids.map((line) => processor.decode(line))).toEqual(decoded);
    });
  }

  it('shows unknown characters in pieces and hides them in ids', () => {
    const processor = SentencePieceProcessor.fromBytes(fixtureBytes('test_model.model'));
    const pieces = processor.encodeAsPieces('I saw 猫猫 there');
    expect(pieces).toContain('猫猫');
    expect(processor.encode('猫猫')).toEqual([processor.table.id('▁'), processor.table.unkId]);
    expect(processor.decodePieces(pieces)).toBe('I saw 猫猫 there');
    expect(processor.decode(processor.encode('猫'))).toContain('\u2047');
  });

  it('gives nothing for empty and blank text', () => {
    const processor = SentencePieceProcessor.fromBytes(fixtureBytes('test_ja_model.model'));
    expect(processor.encode('')).toEqual([]);
    expect(processor.encode('  \u3000 ')).toEqual([]);
    expect(processor.decode([])).toBe('');
  });

  it('survives halves of surrogate pairs and zero characters', () => {
    const processor = SentencePieceProcessor.fromBytes(fixtureBytes('test_ja_model.model'));
    for (const text of ['\ud800', 'a\udc00b', '\0', 'a\0b', '\u{10ffff}']) {
      expect(processor.encode(text).every((id) => id >= 0 && id < processor.vocabSize)).toBe(true);
    }
  });
});

describe('byte fallback', () => {
  const { model } = trainSentencePiece({
    lines: ['aa ab ba bb', 'abba baab'],
    vocabSize: 270,
    modelType: 'bpe',
    byteFallback: true,
    hardVocabLimit: false,
  });
  const processor = SentencePieceProcessor.fromBytes(model);

  it('writes unknown characters as bytes and reads them back', () => {
    const pieces = processor.encodeAsPieces('ab é');
    expect(pieces.slice(-2)).toEqual(['<0xC3>', '<0xA9>']);
    expect(processor.decode(processor.encode('ab é 猫'))).toBe('ab é 猫');
  });

  it('shows one replacement character for each stray byte', () => {
    expect(processor.decodePieces(['<0xC3>', '<0x41>', '<0xE7>', '<0x8C>'])).toBe('\ufffdA\ufffd\ufffd');
  });
});

describe('bytes that are no character', () => {
  /** Byte B is piece B + 3. */
  const processor = SentencePieceProcessor.fromBytes(fixtureBytes('byte-fallback.model'));
  const decode = (...bytes: number[]) => processor.decode(bytes.map((byte) => byte + 3));

  // What SentencePiece 0.2 decodes them to.
  it.each([
    [[0xef, 0x41], '\ufffdA'],
    [[0xef, 0xd9], '\ufffd\ufffd'],
    [[0xef, 0xbf], '\ufffd\ufffd'],
    [[0xbf, 0xbf, 0xef, 0x41], '\ufffd\ufffd\ufffdA'],
    [[0xef, 0xbf, 0xbd], '\ufffd'],
    [[0xef, 0xbb, 0xbf, 0x41], '\ufeffA'],
    [[0xc0, 0x80], '\ufffd\ufffd'],
    [[0xed, 0xa0, 0x80], '\ufffd\ufffd\ufffd'],
    [[0xe0, 0x9f, 0xbf], '\ufffd\ufffd\ufffd'],
    [[0xf4, 0x90, 0x80, 0x80], '\ufffd\ufffd\ufffd\ufffd'],
    [[0xf0, 0x9f, 0x98, 0x80], '\u{1f600}'],
    [[0xf8, 0x88, 0x80, 0x80], '\ufffd\ufffd\ufffd\ufffd'],
  ])('%j', (bytes, text) => {
    expect(decode(...bytes)).toBe(text);
  });

  it('are as many replacement characters as a strict decoder that gives one a byte finds', () => {
    const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    const random = new CounterRandom(3);
    const pool = [0x41, 0x80, 0x90, 0x9f, 0xa0, 0xbd, 0xbf, 0xc3, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xff];
    for (let n = 0; n < 2000; n++) {
      const bytes = Array.from({ length: 1 + (n % 7) }, (_, i) => pool[Math.floor(random.uniform(7 * n + i) * pool.length)]); // biome-ignore format: one line reads better
      let expected = '';
      for (let at = 0; at < bytes.length; ) {
        const whole = [1, 2, 3, 4].find((length) => {
          try {
            return at + length <= bytes.length && [...strict.decode(Uint8Array.from(bytes.slice(at, at + length)))].length === 1; // biome-ignore format: one line reads better
          } catch {
            return false;
          }
        });
        expected += whole ? strict.decode(Uint8Array.from(bytes.slice(at, at + whole))) : '\ufffd';
        at += whole ?? 1;
      }
      expect(decode(...bytes)).toBe(expected);
    }
  });
});

describe('mistakes', () => {
  const code = (run: () => unknown): string => {
    try {
      run();
    } catch (error) {
      if (error instanceof AnemoneError) return error.code;
      throw error;
    }
    return 'no error';
  };

  it('names a file that is no model', () => {
    const text = new TextEncoder().encode('this is not a model at all');
    expect(code(() => SentencePieceProcessor.fromBytes(text, 'x.model'))).toBe('sentencepiece.corrupt');
    expect(code(() => SentencePieceProcessor.fromBytes(new Uint8Array(0)))).toBe('sentencepiece.corrupt');
    const half = fixtureBytes('test_model.model').subarray(0, 100_000);
    expect(code(() => SentencePieceProcessor.fromBytes(half))).toBe('sentencepiece.corrupt');
  });

  it('names an id outside the vocabulary', () => {
    const processor = SentencePieceProcessor.fromBytes(fixtureBytes('test_model.model'));
    expect(code(() => processor.decode([5, 1000]))).toBe('text.id-out-of-range');
    expect(code(() => processor.decode([-1]))).toBe('text.id-out-of-range');
  });
});
