import { describe, expect, it } from 'vitest';
import { decodeUtf8 } from '../../src/formats/index.js';

const bytes = (text: string, encoding: BufferEncoding) => new Uint8Array(Buffer.from(text, encoding));

describe('text files', () => {
  it('are UTF-8, with a byte order mark or without', () => {
    expect(decodeUtf8(bytes('\ufeffcafé\r\n', 'utf8'), 'a.txt')).toBe('café\r\n');
    expect(decodeUtf8(bytes('日本', 'utf8'), 'a.txt')).toBe('日本');
    expect(decodeUtf8(new Uint8Array(0), 'a.txt')).toBe('');
  });

  it.each([
    ['UTF-16', bytes('\ufeffпривет', 'utf16le'), 'a.txt: is UTF-16'],
    ['UTF-16, big-endian', new Uint8Array(Buffer.from('\ufeffab', 'utf16le').swap16()), 'a.txt: is UTF-16'],
    ['UTF-16 without a mark', bytes('ok', 'utf16le'), 'a.txt:1: is not UTF-8 text: it has a zero byte'],
    ['Latin-1', bytes('ok\nol\u00e9\n', 'latin1'), 'a.txt:2: is not UTF-8'],
    ['cut off', bytes('ok\n日', 'utf8').subarray(0, 5), 'a.txt:2: is not UTF-8'],
  ])('%s is refused', (_, content, message) => {
    expect(() => decodeUtf8(content, 'a.txt')).toThrow(message);
    expect(() => decodeUtf8(content, 'a.txt')).toThrow(expect.objectContaining({ code: 'text.not-utf8' }));
  });
});
