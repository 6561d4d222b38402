// `anemone tokenizer train`: what it refuses.
import { describe, expect, it } from 'vitest';
import { anemone } from './anemone.js';

describe('anemone tokenizer train', () => {
  it('says that WordPiece vocabularies are not trained', async () => {
    const { code, err } = await anemone(
      'tokenizer',
      'train',
      '--text',
      'x.txt',
      '--vocab-size',
      '9',
      '--type',
      'wpe',
    );
    expect(code).toBe(2);
    expect(err).toMatch(/^error: --type: WordPiece vocabularies are read but not trained here/);
    expect(err.trim().split('\n')).toHaveLength(1);
  });
});
