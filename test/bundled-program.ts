// Programs of tests as one file of JavaScript. A process that starts from the sources compiles six hundred of them first, which
// takes longer than most of what such programs do, and several ranks take it several times.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type BuildResult, build, type Plugin } from 'esbuild';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Below `node_modules`: packages are found from there. */
const FOLDER = join(ROOT, 'node_modules', '.cache', 'anemone-programs');

/**
 * Bundles a program and returns the path of the file to run with Node alone.
 * @param program URL or path of a TypeScript file
 */
export async function bundledProgram(program: URL | string): Promise<string> {
  const source = program instanceof URL ? fileURLToPath(program) : program;
  const name = relative(ROOT, source).replaceAll(sep, '-').replace(/\.ts$/, '.mjs');
  const outfile = join(FOLDER, name);
  const { outputFiles }: BuildResult<{ write: false }> = await build({
    entryPoints: [source],
    outfile,
    write: false,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    keepNames: true,
    sourcemap: 'inline',
    sourcesContent: false,
    plugins: [modulesKeepTheirPlace],
  });
  // Two test files may make the same one at once.
  const draft = `${outfile}.${process.pid}`;
  mkdirSync(dirname(outfile), { recursive: true });
  writeFileSync(draft, outputFiles[0].contents);
  renameSync(draft, outfile);
  return outfile;
}

/** Files that modules look for beside themselves are found where the sources are. */
const modulesKeepTheirPlace: Plugin = {
  name: 'modules-keep-their-place',
  setup: (builder) =>
    builder.onLoad({ filter: /\.(ts|js)$/ }, ({ path }) => {
      if (path.includes(`${sep}node_modules${sep}`)) return undefined;
      const url = JSON.stringify(pathToFileURL(path).href);
      const contents = readFileSync(path, 'utf8').replaceAll('import.meta.url', url);
      return { contents, loader: path.endsWith('.ts') ? 'ts' : 'js' };
    }),
};
