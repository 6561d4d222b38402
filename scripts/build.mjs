// Compiles src/ to dist/: tsc makes modules and declarations, then the modules of each folder of src/ become one file,
// its index.js. Folders import each other through that file alone (`npm run layers`), so nothing but the number of files
// changes; and it is the number of files that importing the library costs: 1 ms each, of six hundred.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { build } from 'esbuild';

/** Modules that threads start with: they stay files of their own. */
const WORKERS = /worker\.js$/;

rmSync('dist', { recursive: true, force: true });
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json'], {
  stdio: 'inherit',
});
for (const file of ['engine/tf.js', 'engine/tf.d.ts']) copyFileSync(`src/${file}`, `dist/${file}`);
const folders = readdirSync('dist').filter((name) => existsSync(join('dist', name, 'index.js')));
await Promise.all(folders.map((name) => joinModules(resolve('dist', name))));

/** One file for the face of a folder, and one for each worker in it; their modules go. */
async function joinModules(folder) {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name));
  const modules = files.filter((name) => name.endsWith('.js'));
  const entries = modules.filter((name) => name === join(folder, 'index.js') || WORKERS.test(name));
  const joined = await Promise.all(entries.map((entry) => joinedModule(entry, folder)));
  for (const file of files) if (/\.js(\.map)?$/.test(file)) rmSync(file);
  for (const { outputFiles } of joined)
    for (const { path, contents } of outputFiles) writeFileSync(path, contents);
}

function joinedModule(entry, folder) {
  return build({
    entryPoints: [entry],
    outfile: entry,
    allowOverwrite: true,
    write: false,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    keepNames: true,
    sourcemap: 'linked',
    plugins: [otherFoldersStay(folder, dirname(entry))],
  });
}

/** What lies outside of `folder` is imported as before, from where the joined module will lie. */
function otherFoldersStay(folder, from) {
  return {
    name: 'other-folders',
    setup: (builder) =>
      builder.onResolve({ filter: /^\./ }, ({ path, resolveDir }) => {
        const target = resolve(resolveDir, path);
        if (target.startsWith(folder + sep)) return undefined;
        return { path: relative(from, target).replaceAll(sep, '/'), external: true };
      }),
  };
}
