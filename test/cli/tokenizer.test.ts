// `anemone tokenizer train`: WordPiece vocabularies, and what it refuses.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { anemone } from './anemone.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-tokenizer-'));
afterAll(() => rmSync(folder, { recursive: true }));
const text = join(folder, 'text.txt');
writeFileSync(text, 'One two one two\none three\n');

const wordPiece = (...more: string[]) =>
  anemone('tokenizer', 'train', '--text', text, '--vocab-size', '24', '--type', 'wpe', ...more);

describe('anemone tokenizer train --type wpe', () => {
  it('writes vocab.txt where NeMo does', async () => {
    const { code, out } = await wordPiece('--out', folder, '--lower-case');
    expect(code).toBe(0);
    const dir = join(folder, 'tokenizer_wpe_v24');
    expect(out).toBe(`${dir}: 22 tokens from 2 lines\n`);
    const tokens = readFileSync(join(dir, 'vocab.txt'), 'utf8').trimEnd().split('\n');
    expect(tokens.slice(0, 5)).toEqual(['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']);
    expect(tokens).toContain('one');
    expect(tokens).toHaveLength(22);
  });

  it('refuses what is for SentencePiece', async () => {
    const { code, err } = await wordPiece('--normalization', 'nfkc');
    expect(code).toBe(2);
    expect(err).toBe('error: --normalization: is for SentencePiece, not for --type wpe\n');
  });
});
