// What is odd in sets of tokens is found, with its place.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkTextSet, shownSamples, vocabularyFindings } from '../../../src/data/index.js';
import { IndexedDatasetWriter } from '../../../src/formats/index.js';
import { HuggingFaceTokenizer } from '../../../src/text/index.js';

const vocab = { '<unk>': 0, '<s>': 1, '</s>': 2, a: 3, b: 4 };
const added_tokens = ['<unk>', '<s>', '</s>'].map((content, id) => ({ id, content, special: true }));
const json = {
  model: { type: 'BPE', vocab, merges: [], unk_token: '<unk>' },
  added_tokens,
  decoder: { type: 'Fuse' },
};
const tokenizer = HuggingFaceTokenizer.fromJson(json, { bos: '<s>', eos: '</s>' });
const folder = mkdtempSync(join(tmpdir(), 'check-'));

async function setOf(...documents: number[][]): Promise<string> {
  const prefix = join(mkdtempSync(join(folder, 'set-')), 'set');
  const writer = await IndexedDatasetWriter.create(prefix, 100);
  for (const document of documents) {
    await writer.add(document);
    writer.endSequence();
    writer.endDocument();
  }
  await writer.finish();
  return prefix;
}
const check = async (path: string, more = {}) => checkTextSet(path, { tokenizer, length: 2, ...more });

describe('a set', () => {
  it('without faults has none', async () => {
    const report = await check(await setOf([1, 3, 4, 2], [1, 4, 2]));
    expect(report).toMatchObject({
      documents: 2,
      tokens: 7,
      samples: 3,
      shortest: 3,
      longest: 4,
      findings: [],
    });
  });

  it.each([
    [
      'double-bos',
      [
        [1, 3, 2],
        [1, 1, 3, 2],
      ],
      {},
      /1 times .* twice, the first in document 1/,
      false,
    ],
    [
      'missing-eos',
      [[3, 2], [3, 4], [4]],
      {},
      /2 of 3 documents have no end of text, the first in document 1/,
      false,
    ],
    ['unknown', [[3, 0, 0, 2]], {}, /2 tokens are the unknown one, the first in document 0/, false],
    [
      'out-of-vocabulary',
      [
        [3, 2],
        [9, 2],
      ],
      {},
      /1 tokens are none of the 5 .* document 1 \(token 9\)/,
      true,
    ],
    [
      'no-targets',
      [[3, 4, 3, 4, 2, 2, 2]],
      { masksEnd: true },
      /1 of 3 samples have no target, the first is sample 2/,
      false,
    ],
    ['no-targets', [[3, 2, 2]], { masksEnd: true }, /1 of 1 samples/, true],
  ] as const)('with %s tells it', async (kind, documents, more, text, fatal) => {
    const { findings } = await check(await setOf(...documents.map((d) => [...d])), more);
    const found = findings.find((finding) => finding.kind === kind);
    expect(found?.text).toMatch(text);
    expect(found?.fatal).toBe(fatal);
  });

  it('may be a text file', async () => {
    const path = join(folder, 'a.jsonl');
    writeFileSync(path, '{"text": "ab"}\n{"text": "bxa"}\n');
    const report = await check(path);
    expect(report).toMatchObject({ documents: 2, tokens: 7 });
    expect(report.findings.map(({ kind }) => kind)).toEqual(['unknown']);
  });
});

it('samples are shown with what counts', async () => {
  const [sample] = await shownSamples(
    await setOf([1, 3, 4, 2, 4]),
    { tokenizer, length: 4, masksEnd: true },
    1,
  );
  expect(sample.tokens).toEqual(['<s>', 'a', 'b', '</s>', 'b']);
  expect(sample.isTarget).toEqual([true, true, false, true]);
});

describe('a checkpoint of another vocabulary is told', () => {
  const found = (vocabulary: readonly string[], rows: number) =>
    vocabularyFindings({ tokenizer, length: 2, model: { vocabulary, rows } }).map(({ text }) => text);
  it('by the first token that differs, or by its rows', () => {
    expect(found(tokenizer.vocabulary, 5)).toEqual([]);
    expect(found(['<unk>', '<s>', '</s>', 'b', 'a'], 5)).toEqual([
      'token 3 is "a" for the tokenizer and "b" for the checkpoint\'s',
    ]);
    expect(found(tokenizer.vocabulary.slice(0, 4), 4)).toEqual([
      'the tokenizer has 5 tokens, the checkpoint rows for 4',
    ]);
  });
});
