// Finds and loads ONNX Runtime. Its library for one platform is an optional package of ours, made of onnxruntime-node's
// own files (scripts/platform-packages.mjs), because onnxruntime-node brings five platforms and an install script that
// downloads. An onnxruntime-node that the user has installed, for CUDA say, goes before ours. Nothing is loaded until
// an engine asks, so what needs no engine works without any of them.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import type * as common from 'onnxruntime-common';
import { AnemoneError } from '../../errors/index.js';

/** What onnxruntime-node and our platform packages export. */
export type OnnxRuntime = typeof common & {
  listSupportedBackends(): readonly { readonly name: string; readonly bundled: boolean }[];
};

/** The version that the platform packages hold, and the oldest onnxruntime-node that is used. */
export const ONNXRUNTIME_VERSION = '1.30.0';

/** `process.platform`-`process.arch` of the platforms that ONNX Runtime is built for. */
export const ONNXRUNTIME_PLATFORMS = ['darwin-arm64', 'linux-arm64', 'linux-x64', 'win32-arm64', 'win32-x64'];

/** Names a package or a folder that takes the place of all others. */
const OVERRIDE = 'ANEMONE_ONNXRUNTIME';

const require = createRequire(import.meta.url);
let found: string | undefined;
let loaded: OnnxRuntime | undefined;

/**
 * ONNX Runtime's public interface.
 * @throws AnemoneError `engine.onnxruntime-missing` where no package holds it for this platform,
 *   `engine.onnxruntime-broken` where the one that was found cannot be loaded
 */
export function onnxruntime(): OnnxRuntime {
  loaded ??= load(onnxruntimePath());
  return loaded;
}

/**
 * The folder of this platform's native library, which is whole.
 * @throws AnemoneError `engine.onnxruntime-missing`, `engine.onnxruntime-broken`
 */
export function onnxruntimeFolder(): string {
  const root = dirname(dirname(onnxruntimePath()));
  checkWhole(root);
  return join(root, 'bin', nodeApi(join(root, 'bin')), process.platform, process.arch);
}

/** The folder of native libraries in our package for this platform; undefined where it is not installed. */
export function platformFolder(): string | undefined {
  const main = packages.locate(platformPackage());
  if (main === undefined) return undefined;
  const bin = join(dirname(dirname(main)), 'bin');
  return join(bin, nodeApi(bin), process.platform, process.arch);
}

/** The folder for the version of Node's interface that a package was built for. */
function nodeApi(folder: string): string {
  const usual = 'napi-v6';
  try {
    const found = readdirSync(folder).filter((name) => /^napi-v\d+$/.test(name));
    return found.includes(usual) ? usual : (found.at(-1) ?? usual);
  } catch {
    return usual;
  }
}

/** The interface's main file; `binding.js`, which loads the native library, is beside it. */
export function onnxruntimePath(): string {
  found ??= findOnnxRuntime();
  return found;
}

/** The package of ours for a platform such as `linux-x64`; default: this one. */
export function platformPackage(platform = `${process.platform}-${process.arch}`): string {
  return `@anemone-ml/onnxruntime-${platform}`;
}

/** How packages are looked up; tests have their own. */
export interface PackageLookup {
  /** The main file of a package or folder; undefined where there is none. */
  locate(name: string): string | undefined;
  /** The version of the package that a main file belongs to, if it says one. */
  versionOf(main: string): string | undefined;
}

/**
 * The main file of the ONNX Runtime to use: what `override` names, else onnxruntime-node, else our platform package.
 * @param override value of the variable ANEMONE_ONNXRUNTIME
 */
export function findOnnxRuntime(override = process.env[OVERRIDE], lookup: PackageLookup = packages): string {
  if (override) {
    const isPath = !override.startsWith('@') && /^\.|[/\\]/.test(override);
    return lookup.locate(isPath ? resolve(override) : override) ?? missing(override);
  }
  const installed = lookup.locate('onnxruntime-node');
  const version = installed && lookup.versionOf(installed);
  if (installed && !isOlder(version, ONNXRUNTIME_VERSION)) return installed;
  const ours = lookup.locate(platformPackage());
  if (!ours) return missing(undefined, version);
  if (installed) {
    process.emitWarning(
      `onnxruntime-node ${version} is older than ${ONNXRUNTIME_VERSION}: ${platformPackage()} is used instead`,
      { code: 'ANEMONE_OLD_ONNXRUNTIME' },
    );
  }
  return ours;
}

const packages: PackageLookup = {
  locate(name) {
    try {
      return require.resolve(name);
    } catch {
      return undefined;
    }
  },
  versionOf(main) {
    try {
      return (require(join(dirname(main), '..', 'package.json')) as { version?: string }).version;
    } catch {
      return undefined;
    }
  },
};

/** Compares major and minor; a version that is not known is not older. */
function isOlder(version: string | undefined, than: string): boolean {
  const numbers = (text: string) => text.split('.').map((part) => Number.parseInt(part, 10));
  const [major, minor] = numbers(version ?? than);
  const [thanMajor, thanMinor] = numbers(than);
  return major < thanMajor || (major === thanMajor && minor < thanMinor);
}

function load(file: string): OnnxRuntime {
  checkWhole(dirname(dirname(file)));
  try {
    return require(file) as OnnxRuntime;
  } catch (cause) {
    const text = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new AnemoneError({
      code: 'engine.onnxruntime-broken',
      message: `ONNX Runtime was found, but cannot be loaded (${dirname(dirname(file))}: ${text})`,
      hint: isMusl()
        ? 'its library needs glibc, which this system (Alpine?) lacks: use a Debian or Ubuntu image'
        : 'install it anew; docs/engines.md says which packages are tried',
      cause,
    });
  }
}

/**
 * Compares the native files of a package of ours with the sizes that it was made with. The system maps them, and ends the
 * process without a word where one is cut off, by a full disk or a broken download.
 * @throws AnemoneError `engine.onnxruntime-broken`
 */
export function checkWhole(folder: string): void {
  const { nativeFiles } = readManifest(folder);
  if (typeof nativeFiles !== 'object' || nativeFiles === null) return;
  for (const [name, bytes] of Object.entries(nativeFiles)) {
    const size = statSync(join(folder, name), { throwIfNoEntry: false })?.size;
    if (size === bytes) continue;
    const fault = size === undefined ? 'is missing' : `has ${size} bytes, ${String(bytes)} belong there`;
    throw new AnemoneError({
      code: 'engine.onnxruntime-broken',
      message: `ONNX Runtime was not installed whole: ${name} ${fault}`,
      position: { file: folder },
      hint: 'remove this folder and install it anew (npm install); is the disk full?',
    });
  }
}

function readManifest(folder: string): { readonly nativeFiles?: unknown } {
  try {
    return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { nativeFiles?: unknown };
  } catch {
    return {};
  }
}

function missing(named: string | undefined, oldVersion?: string): never {
  const platform = `${process.platform}-${process.arch}`;
  const known = ONNXRUNTIME_PLATFORMS.includes(platform) && !isMusl();
  const others = 'engines "tensorflow" and "reference" need none';
  let message = `ONNX Runtime is not installed for ${platform}: there is no ${platformPackage()}`;
  let hint = `npm install onnxruntime-node@${ONNXRUNTIME_VERSION} --ignore-scripts (docs/engines.md); ${others}`;
  if (oldVersion) message += ` and onnxruntime-node ${oldVersion} is too old`;
  if (named) {
    message = `${OVERRIDE} names "${named}", where there is no package`;
    hint = `a package's name or folder, or nothing, is expected in ${OVERRIDE}`;
  } else if (!known) {
    message = `ONNX Runtime does not exist for ${platform}${isMusl() ? ' with musl' : ''}`;
    hint = `it exists for ${ONNXRUNTIME_PLATFORMS.join(', ')} (Linux: glibc); ${others}`;
  }
  throw new AnemoneError({ code: 'engine.onnxruntime-missing', message, hint, details: { platform } });
}

/** Whether this is a Linux without glibc. */
function isMusl(): boolean {
  if (process.platform !== 'linux') return false;
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime === undefined;
}
