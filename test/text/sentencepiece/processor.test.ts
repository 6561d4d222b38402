import { describe, expect, it } from 'vitest';
import { AnemoneError } from '../../../src/errors/index.js';
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
