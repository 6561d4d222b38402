import { describe, expect, it } from 'vitest';
import { sealedBut } from '../../src/asr/index.js';

describe("files of a stranger's model", () => {
  it.each(['/etc/passwd', '/data/lm.arpa', 'lm', 'x/../../lm', ''])('are sealed: %j', (path) => {
    expect(sealedBut()(path)).toBe(true);
    expect(sealedBut(['model.decoding.beam.beam_size=4', 'model.tokenizer.type=bpe'])(path)).toBe(true);
    expect(sealedBut(['a=/home/me/lm.arpa', 'b=[/tok/en]'], { c: ['/words'] })(path)).toBe(true);
  });

  it('are open where the user names them, or a folder of them', () => {
    const changes = [
      'a=/home/me/lm.arpa',
      "b='my words.txt'",
      'c=[{file: /x/y}, "z"]',
      'd={dir: /tok/}',
      'e=/dir',
    ];
    const sealed = sealedBut(changes, { model: { tokenizer: { dir: '/laid/over' } } });
    for (const path of ['/home/me/lm.arpa', 'my words.txt', '/x/y', 'z', '/tok/tokenizer.model']) {
      expect([path, sealed(path)]).toEqual([path, false]);
    }
    expect(sealed('/dir/tokenizer.model')).toBe(false);
    expect(sealed('/laid/over/vocab.txt')).toBe(false);
    expect(sealed('/dir/../etc/passwd')).toBe(true);
    expect(sealed('/directory')).toBe(true);
    expect(sealed('/home/me/lm')).toBe(true);
  });
});
