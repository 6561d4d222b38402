// Models with WordPiece vocabularies: archived and restored, alone and as one of several languages; words in time.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { wordOffsets } from '../../src/asr/decoding/timestamps/offsets.js';
import { wordsOfTokens } from '../../src/asr/decoding/timestamps/words-of-tokens.js';
import { EncDecCTCModelBPE, restoreConfig, restoreModel } from '../../src/asr/index.js';
import { selectValue } from '../../src/config/index.js';
import { OnnxEngine } from '../../src/engine/index.js';
import { WordPieceTokenizer } from '../../src/text/index.js';
import { tinyModel, toneSpeech } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-wpe-'));
const file = (name: string) => join(folder, name);
writeFileSync(file('vocab.txt'), '[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\n##a\n##b\n##c\nab\n');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let engine: OnnxEngine;
beforeEach(() => {
  engine = new OnnxEngine({ threads: 1 });
});
afterEach(() => engine.dispose());

function model(tokenizer: object): EncDecCTCModelBPE {
  const decoder = { _target_: 'ConvASRDecoder', feat_in: null, num_classes: -1 };
  const parts = { labels: undefined, joint: undefined, decoder, tokenizer };
  return EncDecCTCModelBPE.fromConfig(tinyModel(parts), { engine });
}

describe('a model with a WordPiece vocabulary', () => {
  it('is archived as NeMo does, restored, and heard the same', async () => {
    const one = model({ type: 'wpe', dir: folder, lowercase: true });
    await one.saveTo(file('one.nemo'));
    const config = await restoreConfig(file('one.nemo'));
    const section = selectValue(config, 'model.tokenizer');
    expect(section).toEqual({
      type: 'wpe',
      dir: folder,
      vocab_path: expect.stringMatching(/^nemo:[0-9a-f]{32}_vocab\.txt$/) as string,
      lowercase: true,
    });
    const again = await restoreModel(file('one.nemo'), { engine });
    expect(again.tokenizer).toBeInstanceOf(WordPieceTokenizer);
    expect(again.tokenizer.vocabulary).toEqual(one.tokenizer.vocabulary);
    expect(again.tokenizer.textToTokens('ABC ca')).toEqual(['ab', '##c', 'c', '##a']);
    const audio = [toneSpeech('ab', 1)];
    expect((await again.transcribe(audio))[0].tokens).toEqual((await one.transcribe(audio))[0].tokens);
  });

  it('can be one of several languages', async () => {
    const langs = { xx: { type: 'wpe', dir: folder }, yy: { type: 'wpe', vocab_path: file('vocab.txt') } };
    await model({ type: 'agg', langs }).saveTo(file('two.nemo'));
    const again = await restoreModel(file('two.nemo'), { engine });
    expect(again.tokenizer.vocabSize).toBe(24);
    expect(again.tokenizer.textToIds('ab', 'yy')).toEqual([23]);
    const config = await restoreConfig(file('two.nemo'));
    expect(selectValue(config, 'model.tokenizer.langs.yy.type')).toBe('wpe');
  });
});

describe('words of WordPiece', () => {
  const tokens = ['ab', '##c', 'c', '[UNK]', 'b', '##a'];
  const texts = ['ab', '##c', 'c', '', 'b', '##a'];

  it('begin at tokens without ##', () => {
    expect(wordsOfTokens(tokens, texts, true)).toEqual([[0, 1], [2], [3], [4, 5]]);
    const timed = tokens.map((token, i) => ({ token, text: texts[i], start: 2 * i, end: 2 * i + 1 }));
    const { tokenizer } = model({ type: 'wpe', dir: folder });
    const known = timed.filter(({ text }) => text !== '');
    const words = wordOffsets(known, {
      separator: ' ',
      punctuation: new Set(),
      wordPieces: true,
      join: (parts) => tokenizer.tokensToText(parts),
    });
    expect(words).toEqual([
      { text: 'abc', start: 0, end: 3 },
      { text: 'c', start: 4, end: 5 },
      { text: 'ba', start: 8, end: 11 },
    ]);
  });
});
