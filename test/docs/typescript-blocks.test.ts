// How the documents' TypeScript is found; scripts/check-package.mjs compiles it against the packed package.
import { describe, expect, it } from 'vitest';
// @ts-expect-error: a script, without declarations
import { blockFile, blockModule, typescriptBlocks } from '../../scripts/typescript-blocks.mjs';

const page = [
  '# A',
  '```ts',
  'const a = 1;',
  '```',
  '```yaml',
  'b: 2',
  '```',
  '  ```typescript',
  '  c();',
  '  ```',
];

describe('TypeScript blocks', () => {
  it('are those of fences that say ts or typescript, indented ones too', () => {
    expect(typescriptBlocks('docs/a.md', page.join('\r\n'))).toEqual([
      { file: 'docs/a.md', line: 2, code: 'const a = 1;' },
      { file: 'docs/a.md', line: 8, code: '  c();' },
    ]);
  });

  it('become modules whose names and line numbers lead back to the document', () => {
    const [block] = typescriptBlocks('docs/a.md', page.join('\n'));
    expect(blockFile(block)).toBe('docs-a.md-2.mts');
    expect(blockModule(block).split('\n')[2]).toBe(page[2]);
  });
});
