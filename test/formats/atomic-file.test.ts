// What cannot be written ends in an error for the user, and leaves nothing behind.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { writeFileAtomically } from '../../src/formats/index.js';
import { codeOf } from './codes.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-atomic-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('a folder of the name, or a file where a folder should be, is told', async () => {
  mkdirSync(join(folder, 'a.nemo'));
  writeFileSync(join(folder, 'file'), '');
  expect(await codeOf(writeFileAtomically(join(folder, 'a.nemo'), [Buffer.from('x')]))).toBe('io.failed');
  expect(await codeOf(writeFileAtomically(join(folder, 'file', 'b.nemo'), []))).toBe('io.failed');
  expect(readdirSync(folder).sort()).toEqual(['a.nemo', 'file']);
});

it('errors of the parts pass as they are', async () => {
  const parts = function* (): Generator<Uint8Array> {
    yield Buffer.from('begun');
    throw new RangeError('mine');
  };
  await expect(writeFileAtomically(join(folder, 'c'), parts())).rejects.toThrow(RangeError);
});
