// Finds the commands that our documents promise: fenced blocks opened by ```bash with the word `test` after it
// are run; other bash blocks are only checked for scripts, commands and files that do not exist.

export interface CommandBlock {
  readonly file: string;
  /** Line of the opening fence, 1-based. */
  readonly line: number;
  /** Tagged `test`: run by the tests, in the folder of the repository. */
  readonly run: boolean;
  readonly commands: readonly string[];
}

/** The bash blocks of a Markdown text. Comments and empty lines are left out; `\` joins lines. */
export function commandBlocks(file: string, markdown: string): CommandBlock[] {
  const blocks: CommandBlock[] = [];
  const lines = markdown.split('\n');
  for (let i = 0; i < lines.length; i++) {
    const fence = /^\s*```(?:bash|sh)\b(.*)$/.exec(lines[i]);
    if (!fence) continue;
    const line = i + 1;
    const body: string[] = [];
    for (i++; i < lines.length && !/^\s*```\s*$/.test(lines[i]); i++) body.push(lines[i]);
    const commands = body
      .join('\n')
      .replace(/\s*\\\n\s*/g, ' ')
      .split('\n')
      .map((text) => text.replace(/(^|\s)#.*$/, '').trim())
      .filter((text) => text !== '');
    blocks.push({ file, line, run: /\btest\b/.test(fence[1]), commands });
  }
  return blocks;
}

/** npm scripts (`npm run x`, `npm test`) named in a command line. */
export function npmScripts(command: string): string[] {
  const named = [...command.matchAll(/\bnpm run (?:-\S+ )*([\w:-]+)/g)].map((match) => match[1]);
  return /\bnpm (test|t)\b/.test(command) ? [...named, 'test'] : named;
}

/** Files of this repository that a command line names: anything under the folders that we ship. */
export function repositoryFiles(command: string): string[] {
  return [...command.matchAll(/(?<![\w/.-])((?:conf|examples|scripts|benchmarks|\.ci)\/[\w./-]+)/g)].map(
    (match) => match[1].replace(/[.,]$/, ''),
  );
}
