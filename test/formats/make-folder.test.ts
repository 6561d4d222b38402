import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { makeFolder } from '../../src/formats/index.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-folder-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('making a folder', () => {
  it('makes what is missing and leaves what is there', () => {
    makeFolder(join(folder, 'a/b/c'));
    writeFileSync(join(folder, 'a/b/c/kept'), '');
    makeFolder(join(folder, 'a/b/c'));
    makeFolder(relative(process.cwd(), join(folder, 'a/b/d')));
    expect(existsSync(join(folder, 'a/b/c/kept'))).toBe(true);
    expect(existsSync(join(folder, 'a/b/d'))).toBe(true);
  });

  it('names the file that is in the way', () => {
    const file = join(folder, 'file');
    writeFileSync(file, 'stays');
    const refused = expect.objectContaining({ code: 'EEXIST', path: file });
    expect(() => makeFolder(file)).toThrow(refused);
    expect(() => makeFolder(join(file, 'x/y'))).toThrow(refused);
  });

  // Node's recursive mkdir goes round in circles here.
  it('returns where nothing can be made', ({ skip }) => {
    skip(!existsSync('/proc/self'), 'there is no /proc');
    expect(() => makeFolder('/proc/none/x')).toThrow(
      expect.objectContaining({ code: 'ENOENT', path: '/proc/none' }),
    );
  });
});
