// Against Debian's sentencepiece package, both directions; skipped where it is not installed.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  SentencePieceProcessor,
  type SentencePieceTrainOptions,
  trainSentencePiece,
} from '../../../src/text/index.js';
import { skipUnless } from '../../skipping.js';
import { fixtureLines, fixturePath, hasSentencePiece, spm } from '../fixtures.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-spm-'));
afterAll(() => rmSync(folder, { recursive: true }));

const oddities = [
  '  two  spaces  ',
  '\u3000wide\u3000space\u3000',
  'tab\there',
  'carriage\rreturn\r',
  'Ａ①ﬁ½ e\u0301 각 각',
  '<s> </s> <unk> <pad>',
  '▁under▁score▁',
  '123 4,567.89',
  '\u200bzero\u200dwidth\ufeff',
  '𝔘𝔫𝔦𝔠𝔬𝔡𝔢 😀😀',
  'a',
  ' ',
  'Dios Dios<sep>Diosa',
];

/** Compares line by line and shows the first difference only: a diff of thousands of lines takes minutes. */
function expectSame(ours: readonly string[], theirs: readonly string[]): void {
  const first = ours.findIndex((line, i) => line !== theirs[i]);
  expect(ours[first]).toEqual(theirs[first]);
  expect(ours.length).toBe(theirs.length);
}

function expectEqual(model: Uint8Array, file: string, lines: readonly string[]): void {
  const ours = SentencePieceProcessor.fromBytes(model);
  const ids = spm('spm_encode', [`--model=${file}`, '--output_format=id'], lines);
  const pieces = spm('spm_encode', [`--model=${file}`, '--output_format=piece'], lines);
  const encoded = lines.map((line) => ours.encode(line));
  expectSame(
    encoded.map((line) => line.join(' ')),
    ids,
  );
  expectSame(
    lines.map((line) => ours.encodeAsPieces(line).join(' ')),
    pieces,
  );
  const decoded = spm('spm_decode', [`--model=${file}`, '--input_format=id'], ids);
  expectSame(
    encoded.map((line) => ours.decode(line)),
    decoded,
  );
  const texts = spm('spm_decode', [`--model=${file}`, '--input_format=piece'], pieces);
  expectSame(
    pieces.map((line) => ours.decodePieces(line.split(' ').filter(Boolean))),
    texts,
  );
}

describe('real SentencePiece', () => {
  skipUnless(hasSentencePiece, 'spm_encode is not installed (Debian: sentencepiece)');
  const languages = ['en', 'es', 'ja'] as const;
  const variants: Record<string, Omit<SentencePieceTrainOptions, 'lines' | 'vocabSize'>> = {
    bpe: { modelType: 'bpe' },
    unigram: { modelType: 'unigram' },
    char: { modelType: 'char' },
    word: { modelType: 'word', hardVocabLimit: false },
    'bpe identity, bytes, symbols': {
      normalization: 'identity',
      removeExtraWhitespaces: false,
      byteFallback: true,
      characterCoverage: 0.98,
      userDefinedSymbols: ['Dios', '<sep>'],
    },
    'unigram case-folded, bytes, suffix': {
      modelType: 'unigram',
      normalization: 'nmt_nfkc_cf',
      byteFallback: true,
      characterCoverage: 0.98,
      userDefinedSymbols: ['Dios', '<sep>'],
      controlSymbols: ['<x>'],
      treatWhitespaceAsSuffix: true,
    },
  };
  for (const [name, options] of Object.entries(variants)) {
    it(`reads our models: ${name}`, () => {
      for (const language of languages) {
        const lines = fixtureLines(language);
        const { model } = trainSentencePiece({ lines, vocabSize: 1300, hardVocabLimit: false, ...options });
        const file = join(folder, 'ours.model');
        writeFileSync(file, model);
        expectEqual(model, file, [...lines, ...fixtureLines('ja').slice(0, 10), ...oddities]);
      }
    });
  }

  it('its models work in ours', () => {
    const flags = [
      ['--model_type=bpe'],
      ['--model_type=unigram'],
      [
        '--model_type=bpe',
        '--byte_fallback',
        '--character_coverage=0.98',
        '--user_defined_symbols=Dios,<sep>',
      ],
      ['--model_type=unigram', '--normalization_rule_name=identity', '--add_dummy_prefix=false'],
    ];
    for (const language of languages) {
      for (const extra of flags) {
        const prefix = join(folder, 'theirs');
        const args = [
          `--input=${fixturePath(`${language}.txt`)}`,
          `--model_prefix=${prefix}`,
          '--vocab_size=1300',
          '--hard_vocab_limit=false',
          '--minloglevel=3',
        ];
        spm('spm_train', [...args, ...extra], []);
        const file = `${prefix}.model`;
        expectEqual(readFileSync(file), file, [...fixtureLines(language), ...oddities]);
      }
    }
  });
});
