// Preprocessing: what is written, by one thread or several, and what is refused without a trace.
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { documentParts, type PreprocessOptions, preprocess } from '../../../src/data/index.js';
import { IndexedDataset } from '../../../src/formats/index.js';
import { trainByteBpe, writeByteBpeFolder } from '../../../src/text/index.js';

const fixture = (name: string): string =>
  readFileSync(new URL(`../../fixtures/text/${name}.txt`, import.meta.url), 'utf8');
const texts = ['en', 'es', 'ja'].map(fixture);
const folder = mkdtempSync(join(tmpdir(), 'preprocess-'));
const tokenizer = trainByteBpe(texts, { vocabSize: 600 });
const type = writeByteBpeFolder(tokenizer, folder, 600);
const file = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
const out = (): string => join(mkdtempSync(join(folder, 'out-')), 'set');
const run = (inputs: string[], more: Partial<PreprocessOptions> = {}) =>
  preprocess({ inputs, outputPrefix: out(), tokenizer: { library: 'huggingface', type }, ...more });

const lines = texts.flatMap((text) => text.split('\n').slice(0, 60));
const jsonl = lines.map((text, i) => JSON.stringify({ text, title: `Number ${i}` })).join('\n');

async function documentsOf(prefix: string): Promise<number[][]> {
  const set = await IndexedDataset.open(prefix);
  const all = [...set.lengths].map((_, i) => [...set.read(i)]);
  set.close();
  return all;
}

describe('a set', () => {
  it('has the tokens of each line of JSON, an end after each, in the order of the files', async () => {
    const [{ prefix, documents, empty }] = await run([file('a.jsonl', `${jsonl}\n{"text": ""}\n`), file('b.jsonl.gz', gzipSync('{"text": "last"}'))], { appendEod: true }); // biome-ignore format: one line
    const expected = [...lines.filter((line) => line !== ''), 'last'].map((text) => [
      ...tokenizer.textToIds(text),
      tokenizer.eosId,
    ]);
    expect(await documentsOf(prefix)).toEqual(expected);
    expect([documents, empty]).toEqual([expected.length, 0]);
  });

  it('is written for each key', async () => {
    const sets = await run([file('c.jsonl', jsonl)], { jsonKeys: ['title', 'text'] });
    expect(sets.map(({ prefix }) => prefix.replace(/.*set/, 'set'))).toEqual([
      'set_title_document',
      'set_text_document',
    ]);
    expect((await documentsOf(sets[0].prefix))[7]).toEqual(tokenizer.textToIds('Number 7'));
  });

  it('of a text file is one document, however it is cut on the way', async () => {
    const text = texts[0].repeat(40);
    const [{ prefix, bytes }] = await run([file('d.txt', text)]);
    const [document, ...others] = await documentsOf(prefix);
    expect(others).toEqual([]);
    const whole = text.endsWith('\n') ? text : `${text}\n`;
    expect(document).toEqual(tokenizer.textToIds(whole));
    expect(bytes).toBe(Buffer.byteLength(whole));
  });

  it('is the same from several threads, byte for byte', async () => {
    const input = file('e.jsonl', Array.from({ length: 30 }, () => jsonl).join('\n'));
    const [one] = await run([input], { appendEod: true });
    const [several] = await run([input], { appendEod: true, workers: 2 });
    for (const kind of ['bin', 'idx'])
      expect(readFileSync(`${several.prefix}.${kind}`).equals(readFileSync(`${one.prefix}.${kind}`))).toBe(
        true,
      );
  });
});

describe('parts of a text', () => {
  it('are cut where a word begins, and are the text together, with ends of lines made one', async () => {
    const path = file('f.txt', 'one two three\r\nfour five six seven\reight\n\nnine ten');
    const parts = [];
    for await (const part of documentParts(path, { partLength: 10 })) parts.push(part);
    expect(parts.map(({ text }) => text).join('')).toBe(
      'one two three\nfour five six seven\neight\n\nnine ten\n',
    );
    expect(parts.length).toBeGreaterThan(2);
    expect(parts.slice(1).every(({ text }) => text.startsWith(' '))).toBe(true);
    expect(parts.map(({ ends }) => ends)).toEqual([...parts.slice(1).map(() => false), true]);
  });
});

describe('is refused in one line, and nothing is left:', () => {
  const cases: [string, () => string, Partial<PreprocessOptions>, RegExp][] = [
    ['text that is no UTF-8', () => file('g.txt', Buffer.from('a\nb\xff\n', 'latin1')), {}, /g\.txt:2: is not UTF-8/],
    ['a zero byte', () => file('h.txt', 'a\nb\0'), {}, /h\.txt:2: .*zero byte/],
    ['a line that is no JSON', () => file('i.jsonl', `${jsonl}\n{"text"`), {}, /i\.jsonl:181/],
    ['a line without the key', () => file('j.jsonl', '{"text": "a"}\n{"body": "b"}'), {}, /j\.jsonl:2: .*under "text"/],
    ['an inherited key', () => file('k.jsonl', '{"text": "a"}'), { jsonKeys: ['constructor'] }, /under "constructor"/],
    ['gzip that is cut off', () => file('l.jsonl.gz', gzipSync(jsonl.repeat(20)).subarray(0, 500)), {}, /l\.jsonl\.gz: the text cannot be read/],
    ['no text', () => file('m.txt', ''), {}, /there is no text for/],
    ['a file that is missing', () => join(folder, 'none.txt'), {}, /cannot be read/],
    ['a tokenizer without an end', () => file('n.txt', 'a'), { appendEod: true, tokenizer: { library: 'huggingface', type: file('bare.json', JSON.stringify({ model: { type: 'WordLevel', vocab: { a: 0 } } })) } }, /no end of text/],
  ]; // biome-ignore format: a table
  it.each(cases)('%s', async (_, make, more, message) => {
    const outputPrefix = out();
    const failure = await run([make()], { outputPrefix, ...more }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ exitCode: 2 });
    expect((failure as Error).message).toMatch(message);
    expect((failure as Error).message).not.toContain('\n');
    expect(readdirSync(join(outputPrefix, '..'))).toEqual([]);
  });

  it('what is stopped', async () => {
    const outputPrefix = out();
    const stop = new AbortController();
    const input = file('o.jsonl', Array.from({ length: 30 }, () => jsonl).join('\n'));
    await expect(
      run([input], { outputPrefix, signal: stop.signal, onProgress: () => stop.abort() }),
    ).rejects.toThrow();
    expect(readdirSync(join(outputPrefix, '..'))).toEqual([]);
  });
});
