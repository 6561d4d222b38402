// The commands in README.md, docs/ and the examples' READMEs: blocks tagged `test` run, and what any block names exists.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { commandBlocks, npmScripts, repositoryFiles } from './readme-commands.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const scripts = Object.keys(
  (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object }).scripts,
);

function markdownFiles(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md') && !name.startsWith('api'))
    .map((name) => join(folder, name));
}

const documents = [
  ...['README.md', 'CONTRIBUTING.md'].map((name) => join(root, name)).filter(existsSync),
  ...['docs', 'examples', 'benchmarks'].flatMap((name) => markdownFiles(join(root, name))),
];
const blocks = documents.flatMap((file) => commandBlocks(relative(root, file), readFileSync(file, 'utf8')));

describe('reading command blocks', () => {
  it('takes tagged and untagged blocks, joins lines, drops comments', () => {
    const text = [
      '```bash test',
      '# why',
      'npm run x -- \\',
      '  --a # b',
      '```',
      '```bash',
      'ls',
      '```',
    ].join('\n');
    expect(commandBlocks('a.md', text)).toEqual([
      { file: 'a.md', line: 1, run: true, commands: ['npm run x -- --a'] },
      { file: 'a.md', line: 6, run: false, commands: ['ls'] },
    ]);
  });

  it('finds npm scripts and files', () => {
    expect(npmScripts('npm ci && npm test && npm run quickstart')).toEqual(['quickstart', 'test']);
    expect(repositoryFiles('anemone train conf/a.yaml out/b.yaml examples/x/c.ts')).toEqual([
      'conf/a.yaml',
      'examples/x/c.ts',
    ]);
  });
});

describe('documented commands', () => {
  it.each(blocks.map((block) => [`${block.file}:${block.line}`, block] as const))('%s', (_, block) => {
    const unknown = block.commands.flatMap(npmScripts).filter((name) => !scripts.includes(name));
    const missing = block.commands.flatMap(repositoryFiles).filter((file) => !existsSync(join(root, file)));
    expect({ unknown, missing }).toEqual({ unknown: [], missing: [] });
    if (!block.run || process.platform === 'win32') return;
    execFileSync('bash', ['-euo', 'pipefail', '-c', block.commands.join('\n')], { cwd: root, stdio: 'pipe' });
  });
});

describe('links', () => {
  it.each(documents.map((file) => relative(root, file)))('%s links to files that exist', (file) => {
    const text = readFileSync(join(root, file), 'utf8');
    const targets = [...text.matchAll(/\]\((?!\w+:|#)([^)#\s]+)[^)]*\)/g)].map((match) => match[1]);
    const missing = targets.filter((target) => !existsSync(join(root, dirname(file), target)));
    expect(missing).toEqual([]);
  });
});

describe('the index of docs/', () => {
  it('names every page', () => {
    const index = readFileSync(join(root, 'docs/README.md'), 'utf8');
    const pages = readdirSync(join(root, 'docs')).filter(
      (name) => name.endsWith('.md') && name !== 'README.md',
    );
    expect(pages.filter((name) => !index.includes(`(${name})`))).toEqual([]);
  });
});
