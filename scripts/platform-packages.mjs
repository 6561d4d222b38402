// Makes npm packages of ONNX Runtime, one a platform, from the files of the onnxruntime-node that is installed here: its
// interface and one platform's library, unchanged, with ONNX Runtime's licence and notices and without its install
// script, which would download CUDA libraries. The published anemone-ml names them as optional dependencies.
// Usage: node scripts/platform-packages.mjs [--out FOLDER] [PLATFORM ...]
//   FOLDER: where the tarballs go (release); PLATFORM: as linux-x64 (all that onnxruntime-node holds).
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const source = join(root, 'node_modules', 'onnxruntime-node');
const binaries = join(source, 'bin', 'napi-v6');
const readJson = (file) => JSON.parse(readFileSync(file, 'utf8'));

/** The version of ONNX Runtime, which is that of the packages too. */
export const onnxruntimeVersion = () => readJson(join(source, 'package.json')).version;

export const packageName = (platform) => `@anemone-ml/onnxruntime-${platform}`;

/** `process.platform`-`process.arch` of every platform that onnxruntime-node holds. */
export function platforms() {
  return readdirSync(binaries)
    .flatMap((os) => readdirSync(join(binaries, os)).map((cpu) => `${os}-${cpu}`))
    .sort();
}

/** Makes one package and packs it into `out`; returns the tarball's path. */
export function packPlatform(platform, out) {
  const folder = mkdtempSync(join(tmpdir(), 'anemone-onnxruntime-'));
  try {
    fillPlatform(folder, platform);
    return npmPack(folder, out);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** `npm pack` of `folder` into `out`: the tarball's path. */
export function npmPack(folder, out) {
  mkdirSync(out, { recursive: true });
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const printed = execFileSync(npm, ['pack', '--json', '--ignore-scripts', '--pack-destination', out], {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    shell: process.platform === 'win32',
  });
  const report = JSON.parse(printed);
  const [{ filename }] = Array.isArray(report) ? report : Object.values(report);
  // Older versions of npm print a scope's slash.
  return join(out, filename.replace('@', '').replace('/', '-'));
}

/** Writes the files of one package to a folder. */
export function fillPlatform(folder, platform) {
  const [os, cpu] = platform.split('-');
  const version = onnxruntimeVersion();
  const notices = join(root, 'scripts', `onnxruntime-${version}`);
  const library = join('bin', 'napi-v6', os, cpu);
  copyAll(join(source, 'dist'), join(folder, 'dist'), (name) => !name.endsWith('.map'));
  copyAll(join(source, library), join(folder, library), (name, siblings) => !isCopy(name, siblings));
  copyAll(notices, folder, () => true);
  // Operators of our own, where scripts/native.sh has built them: without them products in bfloat16 are rehearsed.
  const own = join(root, 'native', 'build', platform);
  if (existsSync(own)) copyAll(own, join(folder, library), () => true);
  writeFileSync(
    join(folder, 'package.json'),
    `${JSON.stringify({ ...manifest(os, cpu, version), nativeFiles: sizesIn(folder, library) }, null, 2)}\n`,
  );
  writeFileSync(
    join(folder, 'README.md'),
    `# ONNX Runtime ${version} for Node.js on ${platform}\n\n` +
      `The files of [onnxruntime-node](https://www.npmjs.com/package/onnxruntime-node) ${version} for this platform, ` +
      "unchanged, without its install script; and, on linux-x64 and win32-x64, anemone-ml's own library of operators (libanemone.so, anemone.dll).\nAn optional dependency of [anemone-ml](https://www.npmjs.com/package/anemone-ml). " +
      'Made by Microsoft: LICENSE, ThirdPartyNotices.txt.\n',
  );
}

/** Bytes of the files that the system maps: it kills the process where one is cut off, so they are compared before. */
function sizesIn(folder, library) {
  const names = readdirSync(join(folder, library)).sort();
  return Object.fromEntries(
    names.map((name) => [
      `${library.replaceAll('\\', '/')}/${name}`,
      statSync(join(folder, library, name)).size,
    ]),
  );
}

function manifest(os, cpu, version) {
  const { repository, homepage } = readJson(join(root, 'package.json'));
  const { license, dependencies } = readJson(join(source, 'package.json'));
  return {
    name: packageName(`${os}-${cpu}`),
    version,
    description: `ONNX Runtime ${version} for Node.js on ${os}-${cpu}`,
    license,
    homepage,
    repository,
    main: 'dist/index.js',
    types: 'dist/index.d.ts',
    os: [os],
    cpu: [cpu],
    // The library is built on glibc; npm passes the package over where there is another.
    ...(os === 'linux' ? { libc: ['glibc'] } : {}),
    dependencies: { 'onnxruntime-common': dependencies['onnxruntime-common'] },
    preferUnplugged: true,
  };
}

/** Copies those files of a folder that `keep(name, all names)` holds. */
function copyAll(from, to, keep) {
  mkdirSync(to, { recursive: true });
  const names = readdirSync(from);
  for (const name of names) if (keep(name, names)) copyFileSync(join(from, name), join(to, name));
}

/** macOS's library is there twice, npm having no links; the binding asks for the name with one number. */
function isCopy(name, siblings) {
  const short = name.replace(/^(lib.*\.\d+)\.\d+\.\d+\.dylib$/, '$1.dylib');
  return short !== name && siblings.includes(short);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({
    options: { out: { type: 'string', default: join(root, 'release') } },
    allowPositionals: true,
  });
  const unknown = positionals.filter((name) => !platforms().includes(name));
  if (unknown.length > 0) {
    console.error(`onnxruntime-node has no platform ${unknown.join(', ')}; it has ${platforms().join(', ')}`);
    process.exit(2);
  }
  for (const platform of positionals.length > 0 ? positionals : platforms()) {
    console.log(packPlatform(platform, resolve(values.out)));
  }
}
