// Packs what is published: anemone-ml, whose package.json gets the platform packages of ONNX Runtime as optional
// dependencies, and these packages. The clone's own package.json does not name them, because `npm ci` refuses a name
// that the registry does not have yet, and because the clone has onnxruntime-node itself.
// Usage: node scripts/pack.mjs [--out FOLDER] [--all] [--no-build]
//   FOLDER: where the tarballs go (release); --all: the packages of all platforms, not of this one alone.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { npmPack, onnxruntimeVersion, packageName, packPlatform, platforms } from './platform-packages.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Packs anemone-ml into `out`; returns the tarball's path. */
export function packAnemone(out) {
  const folder = mkdtempSync(join(tmpdir(), 'anemone-pack-'));
  try {
    // npm chooses the files, by "files" of package.json.
    execFileSync('tar', ['-xzf', npmPack(root, folder), '-C', folder]);
    const staged = join(folder, 'package');
    const file = join(staged, 'package.json');
    writeFileSync(
      file,
      `${JSON.stringify(publishedManifest(JSON.parse(readFileSync(file, 'utf8'))), null, 2)}\n`,
    );
    return npmPack(staged, out);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The package.json of the registry: with the platform packages, without what only the clone has a use for. */
export function publishedManifest({ private: _, scripts, devDependencies, ...manifest }) {
  const version = onnxruntimeVersion();
  const libraries = Object.fromEntries(platforms().map((platform) => [packageName(platform), version]));
  return { ...manifest, optionalDependencies: { ...libraries, ...manifest.optionalDependencies } };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      out: { type: 'string', default: join(root, 'release') },
      all: { type: 'boolean', default: false },
      'no-build': { type: 'boolean', default: false },
    },
  });
  if (!values['no-build']) {
    execFileSync(process.execPath, [join(root, 'scripts', 'build.mjs')], { cwd: root, stdio: 'inherit' });
  }
  const out = resolve(values.out);
  const here = `${process.platform}-${process.arch}`;
  console.log(packAnemone(out));
  for (const platform of platforms()) {
    if (values.all || platform === here) console.log(packPlatform(platform, out));
  }
}
