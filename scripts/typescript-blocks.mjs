// The TypeScript blocks of README.md, docs/ and the examples' READMEs, each as a module of its own, so that
// check-package.mjs can compile them against the packed package. What a block takes as given (`model`, `tokenizer`) is
// declared in test/consumer/given.d.ts.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';

/** Blocks of all documents of the repository: `{ file, line, code }`, the line being that of the opening fence. */
export function documentedTypescript(root) {
  const pages = ['docs', 'examples'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter(
        (name) => name.endsWith('.md') && !name.startsWith(`api${sep}`) && !name.includes('node_modules'),
      )
      .map((name) => join(root, folder, name)),
  );
  return [join(root, 'README.md'), ...pages.sort()].flatMap((page) =>
    typescriptBlocks(relative(root, page).replaceAll(sep, '/'), readFileSync(page, 'utf8')),
  );
}

/** Blocks opened by ```ts or ```typescript, indented ones too. */
export function typescriptBlocks(file, markdown) {
  const blocks = [];
  const lines = markdown.split(/\r?\n/);
  for (let i = 0; i < lines.length; i++) {
    if (!/^\s*```(ts|typescript)\b/.test(lines[i])) continue;
    const line = i + 1;
    const code = [];
    for (i++; i < lines.length && !/^\s*```\s*$/.test(lines[i]); i++) code.push(lines[i]);
    blocks.push({ file, line, code: code.join('\n') });
  }
  return blocks;
}

/** A file name that says where a block stands: `docs-training.md-8.mts`. */
export const blockFile = ({ file, line }) => `${file.replaceAll('/', '-')}-${line}.mts`;

/** A block as a module whose lines have the numbers that they have in the document. */
export const blockModule = ({ line, code }) => `${'\n'.repeat(line)}${code}\nexport {};\n`;
