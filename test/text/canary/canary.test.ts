// Special tokens, tokenizers and prompts of multitask models; ids of NeMo's prompts are in test/asr/multitask-golden.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AnemoneError } from '../../../src/errors/index.js';
import {
  CanaryBPETokenizer,
  CanaryTokenizer,
  CharTokenizer,
  loadTokenizer,
  promptFormat,
  TRANSCRIBE_DEFAULTS,
  trainSpecialTokenizer,
} from '../../../src/text/index.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-canary-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const special = ['translate', 'transcribe', 'en', 'de', 'startofcontext', 'emo:undefined', 'itn', 'noitn', 'timestamp', 'notimestamp', 'diarize', 'nodiarize']; // biome-ignore format: one line reads better
let tokenizer: CanaryTokenizer;
let vocabulary: readonly string[];
beforeAll(() => {
  vocabulary = trainSpecialTokenizer(special, folder);
  const custom = { _target_: 'nemo.collections.common.tokenizers.canary_tokenizer.CanaryTokenizer' };
  const loaded = loadTokenizer({
    type: 'agg',
    langs: {
      spl_tokens: { dir: folder, type: 'bpe' },
      'en-US': { type: 'char', labels: ['a', 'b', ' '] },
      de: { type: 'char', labels: ['ä', 'b', ' '] },
    },
    custom_tokenizer: custom,
  });
  if (!(loaded instanceof CanaryTokenizer)) throw new Error('of another class');
  tokenizer = loaded;
});

function failure(run: () => unknown): AnemoneError {
  try {
    run();
  } catch (error) {
    if (error instanceof AnemoneError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

const ids = (...tokens: string[]) => tokens.map((token) => vocabulary.indexOf(token));

describe('special tokens', () => {
  it('are laid out as NeMo’s build_special_tokenizer lays them out', () => {
    expect(vocabulary.slice(0, 11)).toEqual([
      '<unk>',
      '<|nospeech|>',
      '<pad>',
      '<|endoftext|>',
      '<|startoftranscript|>',
      '<|pnc|>',
      '<|nopnc|>',
      '<|translate|>',
      '<|transcribe|>',
      '<|en|>',
      '<|de|>',
    ]);
    expect(vocabulary.at(-1)).toBe('▁');
    expect(readFileSync(join(folder, 'tokenizer.vocab'), 'utf8')).toContain('<|endoftext|>\t0\n');
  });

  it('are the tokenizer’s begin, end and padding', () => {
    expect([tokenizer.padId, tokenizer.eosId, tokenizer.bosId]).toEqual([2, 3, 4]);
  });

  it('must be there', () => {
    const letters = new CharTokenizer(['a']);
    expect(failure(() => new CanaryTokenizer([['en', letters]])).code).toBe('tokenizer.bad-option');
    expect(failure(() => new CanaryTokenizer([['spl_tokens', letters]])).code).toBe('text.unknown-token');
  });
});

describe('transcripts', () => {
  it('are of the language that is named, with or without its region', () => {
    const first = vocabulary.length;
    expect(tokenizer.encodeTranscript('ab', 'en')).toEqual([first, first + 1]);
    expect(tokenizer.encodeTranscript('ab', 'en-US')).toEqual([first, first + 1]);
    expect(tokenizer.encodeTranscript('b', 'de')).toEqual([first + 3 + 1]);
    expect(failure(() => tokenizer.encodeTranscript('a', 'fr')).code).toBe('text.language-needed');
  });

  it('are written without spaces between the members', () => {
    expect(tokenizer.idsToText([vocabulary.length, vocabulary.length + 4])).toBe('ab');
  });
});

describe('prompts', () => {
  const canary = promptFormat('canary');
  const slots = { source_lang: 'de', target_lang: 'en', task: 'ast', pnc: 'no' };

  it('canary: begin, source, task, target, punctuation', () => {
    const wanted = ids('<|startoftranscript|>', '<|de|>', '<|translate|>', '<|en|>', '<|nopnc|>');
    expect(canary.encode(slots, tokenizer)).toEqual(wanted);
    const named = { source_lang: '<|de|>', target_lang: '<|en|>', taskname: 's2t_translation', pnc: 'false' };
    expect(canary.encode(canary.complete(named), tokenizer)).toEqual(wanted);
  });

  it('canary2: context in the target language, and defaults for the rest', () => {
    const format = promptFormat('canary2');
    const given = format.complete({ source_lang: 'de', target_lang: 'en', itn: 'yes', decodercontext: 'ab' });
    const [context, ...rest] = ids(
      '<|startofcontext|>',
      '<|startoftranscript|>',
      '<|emo:undefined|>',
      '<|de|>',
      '<|en|>',
      '<|pnc|>',
      '<|itn|>',
      '<|notimestamp|>',
      '<|nodiarize|>',
    );
    const text = [vocabulary.length, vocabulary.length + 1];
    expect(format.encode(given, tokenizer)).toEqual([context, ...text, ...rest]);
  });

  it('say what is missing or wrong', () => {
    const missing = failure(() => canary.encode({ source_lang: 'de', pnc: 'no' }, tokenizer));
    expect(missing.code).toBe('text.prompt-slot');
    expect(missing.message).toContain('task, target_lang');
    expect(failure(() => canary.encode({ ...slots, task: 'sing' }, tokenizer)).message).toContain('"sing"');
    expect(failure(() => canary.encode({ ...slots, pnc: 'maybe' }, tokenizer)).message).toContain(
      'yes or no',
    );
    const unknown = failure(() => canary.encode({ ...slots, source_lang: 'fr' }, tokenizer));
    expect(unknown.code).toBe('text.unknown-token');
    expect(failure(() => promptFormat('canary3')).code).toBe('text.prompt-format');
  });

  it('take what is given before the configured defaults, and those before NeMo’s', () => {
    const format = promptFormat('canary', { source_lang: 'de', pnc: 'no' });
    expect(format.complete({ pnc: 'yes' }, TRANSCRIBE_DEFAULTS)).toEqual({
      source_lang: 'de',
      target_lang: 'en',
      task: 'asr',
      pnc: 'yes',
    });
    expect(format.complete({ text: 'not a slot' })).toEqual({ source_lang: 'de', pnc: 'no' });
  });

  it('of one SentencePiece model for all languages are cut from the text', () => {
    const one = loadTokenizer({
      dir: folder,
      type: 'bpe',
      custom_tokenizer: { _target_: 'CanaryBPETokenizer' },
    });
    if (!(one instanceof CanaryBPETokenizer)) throw new Error('of another class');
    expect(one.eosId).toBe(3);
    const found = canary.encode(slots, one).filter((id) => vocabulary[id] !== '▁');
    expect(found).toEqual(canary.encode(slots, tokenizer));
    const bad = { dir: folder, type: 'bpe', custom_tokenizer: { _target_: 'x.MyTokenizer' } };
    expect(failure(() => loadTokenizer(bad)).code).toBe('tokenizer.unknown-type');
  });
});
