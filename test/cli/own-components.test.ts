// Modules named with --import: what of them is registered, and what is said of those that cannot be used.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { containerWith } from '../../src/cli/own-components.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-import-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function module(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const describing = (name: string) =>
  `{ kind: 'encoder', name: '${name}', aliases: [], schema: { parse: () => ({}), fields: {} }, create: () => ({}) }`;

describe('--import', () => {
  it('registers what a module exports, once, alone or in lists', async () => {
    const one = module('one.mjs', `export const a = ${describing('A')};\nexport const again = a, rest = 1;`);
    const list = module('list.mjs', `export default [${describing('B')}, ${describing('C')}];`);
    const { components } = await containerWith([one, one, list]);
    const own = components.list('encoder').map(({ name }) => name);
    expect(own.filter((name) => name.length === 1)).toEqual(['A', 'B', 'C']);
  });

  it('says what is wrong with a module', async () => {
    const failing = async (path: string) => {
      const error = await containerWith([path]).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'cli.import', path: `--import ${path}`, exitCode: 2 });
      return (error as Error).message;
    };
    expect(await failing(module('none.mjs', 'export const x = { kind: "encoder" };'))).toMatch(
      /exports no component — export what component/,
    );
    expect(await failing(module('throws.mjs', '\nnope();'))).toMatch(
      /cannot be imported: ReferenceError: nope is not defined/,
    );
    expect(await failing(join(folder, 'gone.mjs'))).toMatch(/no such file or package — relative paths start/);
    await expect(
      containerWith([module('taken.mjs', `export const x = ${describing('ConformerEncoder')};`)]),
    ).rejects.toMatchObject({ code: 'container.duplicate' });
  });
});
