// Checks the package as a user gets it: packs it and ONNX Runtime's package for this platform, lints the tarball (publint,
// attw), installs both in an empty folder with a client that reaches npm alone, and, without network, uses them from an
// ES module, from CommonJS, from TypeScript, as a command, and trains and transcribes there. The TypeScript blocks of the
// documents are compiled there too.
// Usage: node scripts/check-package.mjs [--no-build] (else builds first; needs the npm registry).
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isSealed, runOffline, runWithNpmOnly } from './npm-only.mjs';
import { packAnemone } from './pack.mjs';
import { onnxruntimeVersion, packageName, packPlatform } from './platform-packages.mjs';
import { blockFile, blockModule, documentedTypescript } from './typescript-blocks.mjs';

/** What the package and all that comes with it may take on the disk, in MB. */
const MOST_MEGABYTES = 150;

const root = fileURLToPath(new URL('..', import.meta.url));
const consumer = join(root, 'test', 'consumer');
const work = mkdtempSync(join(tmpdir(), 'anemone-consumer-'));
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
const ours = packageName(`${process.platform}-${process.arch}`);
const local = (name) => join(root, 'node_modules', name);

/** A user of the package: a folder outside the clone, with none of its settings. */
class Consumer {
  constructor(name) {
    this.folder = join(work, name);
    mkdirSync(this.folder);
    for (const file of readdirSync(consumer)) copyFileSync(join(consumer, file), join(this.folder, file));
    writeFileSync(this.at('package.json'), '{ "name": "consumer", "private": true }\n');
  }

  at(...parts) {
    return join(this.folder, ...parts);
  }

  /** Installs tarballs with an empty cache, so that all else comes from the registry. */
  async install(...tarballs) {
    const settings = ['--no-audit', '--no-fund', '--cache', join(work, 'cache')];
    const { code, errors } = await runWithNpmOnly(npm, ['install', ...settings, ...tarballs], {
      cwd: this.folder,
    });
    check(code === 0, `npm install ended with ${code}`);
    check(!/warn/i.test(errors), 'npm install warns');
  }

  /** Runs a program without network; shows what it prints, and fails where it does. */
  async run(command, ...args) {
    const { code, output } = await this.try(command, ...args);
    check(code === 0, `${command} ${args.join(' ')} ended with ${code}`);
    return output;
  }

  try(command, ...args) {
    console.log(`-- ${[command, ...args].join(' ').replaceAll(work, '…')}`);
    return runOffline(command, args, { cwd: this.folder });
  }

  anemone(...args) {
    return this.run(this.at('node_modules', '.bin', 'anemone'), ...args);
  }
}

function check(holds, otherwise) {
  if (!holds) throw new Error(otherwise);
}

try {
  if (!process.argv.includes('--no-build'))
    execFileSync(process.execPath, ['scripts/build.mjs'], { cwd: root });
  const tarball = packAnemone(work);
  checkContents(execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).trim().split('\n'));
  const library = packPlatform(`${process.platform}-${process.arch}`, work);
  lint(tarball);
  console.log(
    isSealed ? '-- npm alone is reached' : '-- no namespaces here: settings alone keep programs to npm',
  );

  const user = new Consumer('user');
  await user.install(tarball, library);
  checkInstalled(user);
  await checkUse(user);
  await checkDocuments(user);
  await checkTraining(user);
  await checkPreference(user);
  await checkMissing(tarball);
  console.log('package: ok');
} finally {
  rmSync(work, { recursive: true, force: true });
}

function lint(tarball) {
  const show = { cwd: root, stdio: 'inherit' };
  execFileSync(process.execPath, [local('publint/src/cli.js'), 'run', tarball, '--strict'], show);
  const attw = local('@arethetypeswrong/cli/dist/index.js');
  execFileSync(process.execPath, [attw, tarball, '--profile', 'esm-only'], show);
}

/** What must and must not be in the tarball. */
function checkContents(entries) {
  const paths = entries.map((entry) => entry.replace(/^package\//, ''));
  const wanted = [
    'dist/index.js',
    'dist/index.d.ts',
    'dist/cli/main.js',
    'LICENSE',
    'README.md',
    'CHANGELOG.md',
  ];
  const missing = wanted.filter((path) => !paths.includes(path));
  const stray = paths.filter(
    (path) => /^(src|test|examples|docs|benchmarks|scripts)\//.test(path) || path.endsWith('.map'),
  );
  check(missing.length === 0, `the package lacks ${missing.join(', ')}`);
  check(stray.length === 0, `the package has stray files: ${stray.join(', ')}`);
}

/** No package has an install script, and all together stay small. */
function checkInstalled(user) {
  const { packages } = JSON.parse(readFileSync(user.at('package-lock.json'), 'utf8'));
  const scripts = Object.keys(packages).filter((path) => packages[path].hasInstallScript);
  check(scripts.length === 0, `install scripts: ${scripts.join(', ')}`);
  const megabytes = bytesOnDisk(user.at('node_modules')) / 1e6;
  console.log(
    `-- ${Object.keys(packages).length - 1} packages listed, ${megabytes.toFixed(0)} MB on the disk`,
  );
  check(megabytes <= MOST_MEGABYTES, `more than ${MOST_MEGABYTES} MB are installed`);
}

/** As `du` counts: blocks, not lengths. */
function bytesOnDisk(path) {
  const stat = statSync(path);
  const own = stat.blocks === undefined ? stat.size : stat.blocks * 512;
  if (!stat.isDirectory()) return own;
  return readdirSync(path).reduce((sum, name) => sum + bytesOnDisk(join(path, name)), own);
}

async function checkUse(user) {
  await user.run(process.execPath, 'esm.mjs');
  await user.run(process.execPath, '--no-warnings', 'cjs.cjs');
  for (const moduleKind of ['nodenext', 'esnext']) {
    await compile(user, moduleKind, 'typed.ts');
  }
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const name of ['anemone', 'anemone-ml']) {
    const printed = await user.run(npm.replace('npm', 'npx'), name, '--version');
    check(printed.trim() === version, `npx ${name} --version prints ${printed}`);
  }
}

/** What the documents show in TypeScript compiles as it stands there. */
async function checkDocuments(user) {
  const blocks = documentedTypescript(root);
  check(blocks.length > 0, 'the documents have no TypeScript blocks');
  for (const block of blocks) writeFileSync(user.at(blockFile(block)), blockModule(block));
  await compile(user, 'nodenext', 'given.d.ts', ...blocks.map(blockFile));
}

async function compile(user, moduleKind, ...files) {
  writeFileSync(user.at('tsconfig.json'), JSON.stringify(consumerTsconfig(moduleKind, files)));
  await user.run(process.execPath, local('typescript/bin/tsc'), '-p', user.folder);
}

async function checkTraining(user) {
  await user.run(process.execPath, 'tone.mjs');
  await user.anemone('train', 'tone.yaml');
  // Worker threads load what they make from the compiled files.
  const masks = '++model.spec_augment={_target_: SpectrogramAugmentation, freq_masks: 1, time_masks: 1}';
  await user.anemone(
    'train',
    'tone.yaml',
    '++model.train_ds.num_workers=2',
    masks,
    'exp_manager.explicit_log_dir=runs/threads',
  );
  const row = await user.anemone('transcribe', 'runs/tone', 'tones/0.wav');
  check(/0\.wav\t/.test(row), 'anemone transcribe gives no transcript');
  await user.run(process.execPath, 'train.mjs');
}

/** A stand-in for an onnxruntime-node that the user has installed: the same library, and a mark. */
async function checkPreference(user) {
  const folder = user.at('node_modules', 'onnxruntime-node');
  mkdirSync(join(folder, 'dist'), { recursive: true });
  const main = { name: 'onnxruntime-node', version: onnxruntimeVersion(), main: 'dist/index.js' };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(main));
  for (const file of ['index', 'binding']) {
    const code = `console.log('onnxruntime-node: ${file}');\nmodule.exports = require('${ours}/dist/${file}.js');\n`;
    writeFileSync(join(folder, 'dist', `${file}.js`), code);
  }
  const printed = await user.run(process.execPath, 'esm.mjs');
  check(/node: index[\s\S]*node: binding/.test(printed), 'the onnxruntime-node of the user is not used');
  rmSync(folder, { recursive: true });
}

/** Without ONNX Runtime's package all but the engine works, and the engine says what to install. */
async function checkMissing(tarball) {
  const user = new Consumer('without-library');
  await user.install(tarball);
  rmSync(user.at('node_modules', ...ours.split('/')), { recursive: true, force: true });
  await user.run(process.execPath, 'tone.mjs');
  await user.anemone('manifest', 'check', 'tones/all.json');
  const { code, errors } = await user.try(user.at('node_modules', '.bin', 'anemone'), 'train', 'tone.yaml');
  const line = errors.trim().split('\n').at(-1);
  check(
    code === 2 && /^error: .*npm install onnxruntime-node@/.test(line),
    `a missing library gives ${code}: ${line}`,
  );
}

function consumerTsconfig(moduleKind, files) {
  return {
    compilerOptions: {
      target: 'es2022',
      module: moduleKind,
      moduleResolution: moduleKind === 'nodenext' ? 'nodenext' : 'bundler',
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      lib: ['es2023'],
      // tfjs-core's declarations clash with TypeScript's own; ours were checked when they were built.
      skipLibCheck: true,
      types: ['node'],
      typeRoots: [local('@types')],
    },
    files,
  };
}
