import { describe, expect, it } from 'vitest';
import { AnemoneError } from '../../../src/errors/index.js';
import {
  SentencePieceProcessor,
  SentencePieceTokenizer,
  type SentencePieceTrainOptions,
  trainSentencePiece,
} from '../../../src/text/index.js';
import { fixtureLines, golden } from '../fixtures.js';

type Trained = Record<string, { vocab: string[]; tokens: number; ids: number[][] }>;
const trained = golden<Trained>('spm_train.json');

function vocabLines(model: Uint8Array): string[] {
  const file = SentencePieceTokenizer.fromBytes(model).files().get('tokenizer.vocab');
  return new TextDecoder().decode(file).split('\n').slice(0, -1);
}

function errorOf(run: () => unknown): AnemoneError {
  try {
    run();
  } catch (error) {
    if (error instanceof AnemoneError) return error;
    throw error;
  }
  throw new Error('no error was thrown');
}

describe('trained like spm_train', () => {
  const same: [string, 'en' | 'es' | 'ja', Omit<SentencePieceTrainOptions, 'lines'>][] = [
    ['en_bpe', 'en', { vocabSize: 300 }],
    [
      'es_bpe_bytes',
      'es',
      {
        vocabSize: 400,
        byteFallback: true,
        characterCoverage: 0.99,
        normalization: 'identity',
        userDefinedSymbols: ['Dios'],
      },
    ],
    ['en_char', 'en', { vocabSize: 100, modelType: 'char' }],
    ['en_word', 'en', { vocabSize: 200, modelType: 'word' }],
  ];
  for (const [name, language, options] of same) {
    it(`${name}: the same .vocab file and ids`, () => {
      const lines = fixtureLines(language);
      const { model } = trainSentencePiece({ lines, ...options });
      expect(vocabLines(model)).toEqual(trained[name].vocab);
      const processor = SentencePieceProcessor.fromBytes(model);
      expect(lines.slice(0, 5).map((line) => processor.encode(line))).toEqual(trained[name].ids);
    });
  }

  // SentencePiece looks only at a sample of candidate pairs between refreshes, so a few merges differ.
  it('ja_bpe: nearly the same pieces', () => {
    const lines = fixtureLines('ja');
    const { model, pieces } = trainSentencePiece({ lines, vocabSize: 1500 });
    const theirs = new Set(trained['ja_bpe'].vocab.map((line) => line.split('\t')[0]));
    expect(pieces.filter(({ piece }) => theirs.has(piece)).length).toBeGreaterThan(0.97 * 1500);
    const processor = SentencePieceProcessor.fromBytes(model);
    const tokens = lines.reduce((sum, line) => sum + processor.encode(line).length, 0);
    expect(Math.abs(tokens / trained['ja_bpe'].tokens - 1)).toBeLessThan(0.01);
  });

  it('en_unigram: most pieces the same, as many tokens', () => {
    const lines = fixtureLines('en');
    const { model, pieces } = trainSentencePiece({ lines, vocabSize: 300, modelType: 'unigram' });
    const theirs = new Set(trained['en_unigram'].vocab.map((line) => line.split('\t')[0]));
    expect(pieces).toHaveLength(300);
    expect(pieces.filter(({ piece }) => theirs.has(piece)).length).toBeGreaterThan(0.9 * 300);
    const processor = SentencePieceProcessor.fromBytes(model);
    const tokens = lines.reduce((sum, line) => sum + processor.encode(line).length, 0);
    expect(Math.abs(tokens / trained['en_unigram'].tokens - 1)).toBeLessThan(0.02);
  });
});

describe('properties', () => {
  const lines = fixtureLines('es');

  it('is deterministic', () => {
    for (const modelType of ['bpe', 'unigram'] as const) {
      const once = trainSentencePiece({ lines, vocabSize: 200, modelType, inputSentenceSize: 100 }).model;
      const again = trainSentencePiece({ lines, vocabSize: 200, modelType, inputSentenceSize: 100 }).model;
      expect(Buffer.compare(once, again)).toBe(0);
    }
  });

  it('round-trips every training line', () => {
    for (const modelType of ['bpe', 'unigram', 'char'] as const) {
      const { model } = trainSentencePiece({ lines, vocabSize: 200, modelType });
      const processor = SentencePieceProcessor.fromBytes(model);
      for (const line of lines) {
        expect(processor.decode(processor.encode(line))).toBe(line.replace(/\s+/g, ' ').trim());
        expect(processor.encode(line)).not.toContain(processor.table.unkId);
      }
    }
  });

  it('places special, control and user-defined pieces', () => {
    const { pieces, model } = trainSentencePiece({
      lines,
      vocabSize: 150,
      unkId: 3,
      padId: 0,
      bosId: 1,
      eosId: -1,
      controlSymbols: ['<es>'],
      userDefinedSymbols: ['tierra'],
    });
    expect(pieces.slice(0, 5).map(({ piece }) => piece)).toEqual(['<pad>', '<s>', '<es>', '<unk>', 'tierra']);
    const tokenizer = SentencePieceTokenizer.fromBytes(model);
    expect([tokenizer.padId, tokenizer.bosId, tokenizer.eosId, tokenizer.unkId]).toEqual([0, 1, -1, 3]);
    expect(tokenizer.textToTokens('la tierra')).toContain('tierra');
    expect(pieces.filter(({ piece }) => piece.includes('tierra'))).toHaveLength(1);
    expect(tokenizer.textToIds('<es>')).not.toContain(2);
  });

  it('keeps digits, scripts and lengths apart as asked', () => {
    const text = ['abc123 год2024 2024 2024 123 123', 'abc123 год2024 год год abc abc 2024'];
    const split = trainSentencePiece({
      lines: text,
      vocabSize: 100,
      splitDigits: true,
      hardVocabLimit: false,
      maxSentencePieceLength: 3,
    });
    for (const { piece, type } of split.pieces) {
      if (type !== 1) continue;
      expect([...piece].length).toBeLessThanOrEqual(3);
      expect(piece).not.toMatch(/\d./);
      expect(piece).not.toMatch(/\p{Script=Cyrillic}.*[a-z0-9]|[a-z0-9].*\p{Script=Cyrillic}/u);
    }
    const joined = trainSentencePiece({ lines: text, vocabSize: 60, hardVocabLimit: false });
    expect(joined.pieces.map(({ piece }) => piece)).toContain('2024');
  });
});

describe('mistakes', () => {
  const lines = ['abc abd', 'abc abe'];

  it('says the largest vocabulary the text allows', () => {
    for (const modelType of ['bpe', 'unigram'] as const) {
      const error = errorOf(() => trainSentencePiece({ lines, vocabSize: 1000, modelType }));
      expect(error.code).toBe('tokenizer.vocab-too-large');
      const largest = error.details['largest'] as number;
      expect(error.message).toContain(`largest possible is ${largest}`);
      expect(trainSentencePiece({ lines, vocabSize: largest, modelType }).pieces).toHaveLength(largest);
      const soft = trainSentencePiece({ lines, vocabSize: 1000, modelType, hardVocabLimit: false });
      expect(soft.pieces).toHaveLength(largest);
    }
  });

  it('says the smallest vocabulary that holds the characters', () => {
    const error = errorOf(() => trainSentencePiece({ lines, vocabSize: 5 }));
    expect(error.code).toBe('tokenizer.vocab-too-small');
    const smallest = error.details['smallest'] as number;
    expect(trainSentencePiece({ lines, vocabSize: smallest }).pieces).toHaveLength(smallest);
  });

  it('names empty text and bad options', () => {
    expect(errorOf(() => trainSentencePiece({ lines: [], vocabSize: 10 })).code).toBe('tokenizer.empty-text');
    expect(errorOf(() => trainSentencePiece({ lines: ['  '], vocabSize: 10 })).code).toBe(
      'tokenizer.empty-text',
    );
    const bad = { normalization: 'nmt_nfck', characterCoverage: 0.5, unkId: -1, bosId: 0, vocabSize: 1.5 };
    for (const [path, value] of Object.entries(bad)) {
      const error = errorOf(() => trainSentencePiece({ lines, vocabSize: 20, [path]: value }));
      expect(error.code).toBe('tokenizer.bad-option');
      expect(error.path).toBe(path);
    }
  });

  it('counts lines that are too long', () => {
    const result = trainSentencePiece({
      lines: [...lines, 'x'.repeat(300)],
      vocabSize: 20,
      maxSentenceLength: 100,
      hardVocabLimit: false,
    });
    expect([result.lines, result.tooLongLines]).toEqual([2, 1]);
  });
});
