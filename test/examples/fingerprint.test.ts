// The number by which two machines see that they made the same data: it changes with every byte and name that belong to
// the data, and with nothing else.
import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { dataFingerprint } from '../../examples/digits/fingerprint.js';

const root = mkdtempSync(join(tmpdir(), 'anemone-fingerprint-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const FILES: Readonly<Record<string, string>> = {
  'train.json': '{"text":"one"}\n',
  'dev.json': '{"text":"two"}\n',
  'test.json': '',
  'audio/train/b.wav': 'second',
  'audio/train/a.wav': 'first',
  'audio/test/a.wav': 'third',
};
/** Of the files above: sha256sum of "/audio/test/a.wav", a zero byte, "third", and so on, made apart from this code. */
const KNOWN = 'fe4b9e75106c7c35156ad9e71f4b26b53043a694d0f2b7186983abdcfa280456';

let count = 0;
function dataFolder(names = Object.keys(FILES)): string {
  const folder = join(root, `data ${count++}`);
  for (const name of names) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), FILES[name]);
  }
  return folder;
}

const after = (change: (folder: string) => void): Promise<string> => {
  const folder = dataFolder();
  change(folder);
  return dataFingerprint(folder);
};

it('is the digest of the names and bytes, wherever the data lie and in whatever order they were written', async () => {
  expect(await dataFingerprint(dataFolder())).toBe(KNOWN);
  expect(await dataFingerprint(dataFolder(Object.keys(FILES).reverse()))).toBe(KNOWN);
  const folder = dataFolder();
  const spelled = [`${folder}/`, `${folder}/audio/..`, relative('.', folder), `./${relative('.', folder)}`];
  for (const name of spelled) expect(await dataFingerprint(name)).toBe(KNOWN);
});

it('leaves out what is not data: the note of what was prepared, and tokenizers', async () => {
  const others = after((folder) => {
    writeFileSync(join(folder, 'prepared.json'), '{}');
    cpSync(join(folder, 'audio'), join(folder, 'tokenizer'), { recursive: true });
  });
  expect(await others).toBe(KNOWN);
});

it.each<[string, (folder: string) => void]>([
  ['a byte of a file', (folder) => writeFileSync(join(folder, 'audio/train/a.wav'), 'First')],
  ['a byte of a manifest', (folder) => writeFileSync(join(folder, 'test.json'), '\n')],
  ['a name', (folder) => renameSync(join(folder, 'audio/train/a.wav'), join(folder, 'audio/train/c.wav'))],
  ['a folder', (folder) => renameSync(join(folder, 'audio/test'), join(folder, 'audio/dev'))],
  ['a file more', (folder) => writeFileSync(join(folder, 'audio/train/c.wav'), '')],
  ['a file less', (folder) => rmSync(join(folder, 'audio/test/a.wav'))],
])('changes with %s', async (_what, change) => {
  expect(await after(change)).not.toBe(KNOWN);
});
