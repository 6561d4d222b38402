// Checks the package as a user gets it: packs it, lints the tarball (publint, attw), installs it in an empty
// folder and uses it from an ES module, from CommonJS, from TypeScript and as a command.
// Usage: node scripts/check-package.mjs [--no-build] (else builds first; needs the npm registry or a warm npm cache).
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const consumer = join(root, 'test', 'consumer');
const folder = mkdtempSync(join(tmpdir(), 'anemone-consumer-'));
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';

/** Runs a program, shows what it prints; throws when it fails. */
function run(title, command, args, cwd = root) {
  console.log(`-- ${title}`);
  execFileSync(command, args, { cwd, stdio: 'inherit' });
}
const local = (name) => join(root, 'node_modules', name);

try {
  if (!process.argv.includes('--no-build')) run('build', process.execPath, ['scripts/build.mjs']);
  const packed = execFileSync(npm, ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const report = JSON.parse(packed);
  const [{ filename, files, unpackedSize }] = Array.isArray(report) ? report : Object.values(report);
  console.log(`${filename}: ${files.length} files, ${(unpackedSize / 1e6).toFixed(1)} MB unpacked`);
  checkContents(files.map((file) => file.path));
  const tarball = join(folder, filename);

  run('publint', process.execPath, [local('publint/src/cli.js'), 'run', tarball, '--strict']);
  run('attw', process.execPath, [
    local('@arethetypeswrong/cli/dist/index.js'),
    tarball,
    '--profile',
    'esm-only',
  ]);

  writeFileSync(join(folder, 'package.json'), '{ "name": "consumer", "private": true }\n');
  writeFileSync(join(folder, '.npmrc'), 'onnxruntime-node-install=skip\n');
  for (const file of readdirSync(consumer)) copyFileSync(join(consumer, file), join(folder, file));
  run(
    'npm install',
    npm,
    ['install', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error', tarball],
    folder,
  );
  run('ES module', process.execPath, ['esm.mjs'], folder);
  run('CommonJS', process.execPath, ['--no-warnings', 'cjs.cjs'], folder);
  for (const moduleKind of ['nodenext', 'esnext']) {
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(consumerTsconfig(moduleKind)));
    run(`TypeScript (${moduleKind})`, process.execPath, [local('typescript/bin/tsc'), '-p', folder]);
  }
  run('command', join(folder, 'node_modules', '.bin', 'anemone'), ['--version'], folder);
  console.log('package: ok');
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function consumerTsconfig(moduleKind) {
  return {
    compilerOptions: {
      target: 'es2022',
      module: moduleKind,
      moduleResolution: moduleKind === 'nodenext' ? 'nodenext' : 'bundler',
      strict: true,
      noEmit: true,
      lib: ['es2023'],
      // tfjs-core's declarations clash with TypeScript's own; ours were checked when they were built.
      skipLibCheck: true,
      types: ['node'],
      typeRoots: [local('@types')],
    },
    files: ['typed.ts'],
  };
}

/** What must and must not be in the tarball. */
function checkContents(paths) {
  const missing = [
    'dist/index.js',
    'dist/index.d.ts',
    'dist/cli/main.js',
    'LICENSE',
    'README.md',
    'CHANGELOG.md',
  ].filter((path) => !paths.includes(path));
  const stray = paths.filter(
    (path) => /^(src|test|examples|docs|benchmarks|scripts)\//.test(path) || path.endsWith('.map'),
  );
  if (missing.length + stray.length > 0) {
    throw new Error(`the package lacks [${missing.join(', ')}] and has stray files [${stray.join(', ')}]`);
  }
}
