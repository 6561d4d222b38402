// biome-ignore-all lint/suspicious/noTemplateCurlyInString: interpolations of configs look like templates
// The `anemone` program itself, run as a user runs it: exit codes, one-line errors, a closed pipe, `config print`.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command, Option } from 'commander';
import { afterAll, describe, expect, it } from 'vitest';
import { createProgram } from '../../src/cli/main.js';
import { configFromText, resolveConfig } from '../../src/config/index.js';

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'anemone-cli-'));
const file = join(folder, 'c.yaml');
writeFileSync(file, 'a: {b: 1.0, c: "${a.b}"}\nd: ???\n');
writeFileSync(
  join(folder, 'long.yaml'),
  Array.from({ length: 20_000 }, (_, i) => `key_${i}: ${i}`).join('\n'),
);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function anemone(...args: string[]) {
  const result = spawnSync(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', ...args], {
    cwd: root,
    encoding: 'utf8',
  });
  return { code: result.status, out: result.stdout, err: result.stderr };
}

describe('anemone', () => {
  it('prints a config that is a config again', () => {
    const { code, out } = anemone('config', 'print', file, 'a.b=2.0');
    expect(code).toBe(0);
    expect(out).toBe('a:\n  b: 2.0\n  c: 2.0\nd: ???\n');
    expect(resolveConfig(configFromText(out))).toEqual({ a: { b: 2, c: 2 }, d: '???' });
  });

  it('exits 2 with one clear line for mistakes', () => {
    const wrong = anemone('config', 'print', file, 'a.x=1');
    expect(wrong).toMatchObject({ code: 2, out: '' });
    expect(wrong.err).toBe(
      'error: override a.x=1: there is no "x" in "a" — to add a new key, write +a.x=1\n',
    );
    expect(anemone('config', 'print').code).toBe(2);
    expect(anemone('confg').err).toContain('Did you mean config?');
  });

  it('names the section of an override that lacks it', () => {
    const { err } = anemone('config', 'print', file, 'b=2');
    expect(err).toContain('there is no "b" at the top of the config — did you mean "a.b=2"?');
  });

  it('ends quietly when the reader goes away', () => {
    const script = `${process.execPath} --import tsx src/cli/main.ts config print ${join(folder, 'long.yaml')} | head -n 1; echo "\${PIPESTATUS[0]}"`;
    const output = execFileSync('bash', ['-c', script], { cwd: root, encoding: 'utf8' });
    expect(output).toBe('key_0: 0\n0\n');
  });

  it('has help for every command', () => {
    const program = createProgram();
    expect(program.commands.map((command) => command.name())).toContain('config');
    for (const command of program.commands) expect(command.description(), command.name()).not.toBe('');
  });
});

/** Commands that do something, with the words that lead to them. */
function leaves(command: Command, words: readonly string[] = []): { command: Command; words: string[] }[] {
  if (command.commands.length === 0) return [{ command, words: [...words] }];
  return command.commands.flatMap((child) => leaves(child, [...words, child.name()]));
}

/** Whether the option takes this value. */
function isTaken({ parseArg }: Option, text: string): boolean {
  try {
    parseArg?.(text, undefined);
    return true;
  } catch {
    return false;
  }
}

describe('options', () => {
  const single = leaves(createProgram()).flatMap(({ command, words }) =>
    command.options
      .filter((option) => option.required && !option.variadic && option.long !== '--import')
      // Those that collect a list are repeatable, and say so.
      .filter((option) => !(Array.isArray(option.defaultValue) && / repeatable$/.test(option.description)))
      .map((option) => [[...words, option.long].join(' '), words, option] as const),
  );

  it.each(single)('%s given twice is an error, not the last one taken', async (_, words, option) => {
    const value = option.argChoices?.[0] ?? ['1', '2', '8'].find((text) => isTaken(option, text)) ?? '1';
    const twice = [...words, String(option.long), value, String(option.long), value];
    await expect(silent(createProgram()).parseAsync(twice, { from: 'user' })).rejects.toThrow(
      /is given twice/,
    );
  });

  it('may collect, where they do', async () => {
    const words = ['components', '--import', 'none-a', '--import', 'none-b'];
    await expect(silent(createProgram()).parseAsync(words, { from: 'user' })).rejects.toThrow(/none-a/);
  });

  it('that are misspelt are named, rather than the one that then lacks', async () => {
    const parse = (...words: string[]) => silent(createProgram()).parseAsync(words, { from: 'user' });
    await expect(parse('tokenizer', 'train', '--vocab-sizes', '10')).rejects.toThrow(/--vocab-sizes/);
    await expect(parse('tokenizer', 'special', '--outt', 'x', 'en')).rejects.toThrow(/--outt/);
    await expect(parse('tokenizer', 'train')).rejects.toThrow(/'--vocab-size <n>' not specified/);
    await expect(parse('tokenizer', 'special', 'en')).rejects.toThrow(/'--out <dir>' not specified/);
  });
});

function silent(program: Command): Command {
  for (const { command } of leaves(program)) command.configureOutput({ writeErr: () => {} });
  return program;
}
