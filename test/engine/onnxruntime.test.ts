// Which ONNX Runtime is used, what is said where there is none, and that the lists of its platforms agree.
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
// @ts-expect-error scripts have no declarations
import { publishedManifest } from '../../scripts/pack.mjs';
// @ts-expect-error
import { fillPlatform, packageName, platforms } from '../../scripts/platform-packages.mjs';
import {
  checkWhole,
  findOnnxRuntime,
  ONNXRUNTIME_PLATFORMS,
  ONNXRUNTIME_VERSION,
  platformPackage,
} from '../../src/engine/onnx/onnxruntime.js';

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as Record<
  string,
  Record<string, string>
>;

/** A machine on which the packages `versions` are installed. */
function machine(versions: Readonly<Record<string, string | undefined>>) {
  return {
    locate: (name: string) => (name in versions ? `${name}/dist/index.js` : undefined),
    versionOf: (main: string) => versions[main.replace('/dist/index.js', '')],
  };
}
const ours = platformPackage();
const find = (versions: Readonly<Record<string, string | undefined>>, override = '') =>
  findOnnxRuntime(override, machine(versions)).replace('/dist/index.js', '');

describe('which ONNX Runtime', () => {
  it('is that of the platform package', () => {
    expect(find({ [ours]: ONNXRUNTIME_VERSION })).toBe(ours);
  });

  it.each([ONNXRUNTIME_VERSION, '1.31.0', '2.0.0', undefined])(
    'is an onnxruntime-node that the user has installed: %s',
    (version) => {
      expect(find({ [ours]: ONNXRUNTIME_VERSION, 'onnxruntime-node': version })).toBe('onnxruntime-node');
    },
  );

  it.each(['1.9.0', '1.29.3', '0.99.0'])('is not an onnxruntime-node that is too old: %s', (version) => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    expect(find({ [ours]: ONNXRUNTIME_VERSION, 'onnxruntime-node': version })).toBe(ours);
    expect(warn.mock.calls.join()).toContain(
      `onnxruntime-node ${version} is older than ${ONNXRUNTIME_VERSION}`,
    );
    warn.mockRestore();
    expect(() => find({ 'onnxruntime-node': version })).toThrow(/onnxruntime-node .* is too old/);
  });

  it('is what the variable names, before all others', () => {
    const all = { [ours]: '1.30.0', 'onnxruntime-node': '1.30.0', other: '1.0.0', [resolve('a/b')]: '1.0.0' };
    expect(find(all, 'other')).toBe('other');
    expect(find(all, './a/b')).toBe(resolve('a/b'));
    expect(find(all, ours)).toBe(ours);
    expect(() => find(all, 'nothing')).toThrow(
      expect.objectContaining({
        code: 'engine.onnxruntime-missing',
        message: expect.stringMatching(/ANEMONE_ONNXRUNTIME names "nothing"/),
      }),
    );
  });

  it('is asked for in one line where there is none', () => {
    expect(() => find({})).toThrow(
      expect.objectContaining({
        code: 'engine.onnxruntime-missing',
        exitCode: 2,
        message: expect.stringMatching(
          ONNXRUNTIME_PLATFORMS.includes(`${process.platform}-${process.arch}`)
            ? /npm install onnxruntime-node@1\.\d+\.0 --ignore-scripts/
            : /does not exist for/,
        ),
      }),
    );
  });
});

describe('an ONNX Runtime that cannot be loaded', () => {
  const folder = mkdtempSync(join(tmpdir(), 'anemone-ort-'));
  afterAll(() => {
    rmSync(folder, { recursive: true });
    vi.unstubAllEnvs();
  });

  it('is named', async () => {
    mkdirSync(join(folder, 'dist'));
    writeFileSync(join(folder, 'package.json'), '{"main": "dist/index.js"}');
    writeFileSync(join(folder, 'dist', 'index.js'), 'throw new Error("libc is too old\\nand more");');
    vi.stubEnv('ANEMONE_ONNXRUNTIME', folder);
    vi.resetModules();
    const { createEngine } = await import('../../src/engine/index.js');
    // Fresh modules have a class of errors of their own.
    expect(() => createEngine()).toThrow(
      expect.objectContaining({
        code: 'engine.onnxruntime-broken',
        exitCode: 2,
        message: expect.stringContaining(`cannot be loaded (${folder}: libc is too old)`),
      }),
    );
  });
});

describe('the platform packages', () => {
  it('are those of the installed onnxruntime-node', () => {
    expect(platforms()).toEqual(ONNXRUNTIME_PLATFORMS);
    expect(platforms().map(packageName)).toEqual(ONNXRUNTIME_PLATFORMS.map((name) => platformPackage(name)));
  });

  it('are of one version', () => {
    expect(manifest['dependencies']['onnxruntime-common']).toBe(ONNXRUNTIME_VERSION);
    expect(manifest['devDependencies']['onnxruntime-node']).toBe(ONNXRUNTIME_VERSION);
    expect(manifest['peerDependencies']['onnxruntime-node']).toBe(`^${ONNXRUNTIME_VERSION}`);
  });

  it('are optional dependencies of what is published, and nothing else is added', () => {
    const { private: _, scripts, devDependencies, optionalDependencies, ...rest } = manifest;
    const libraries = ONNXRUNTIME_PLATFORMS.map((name) => [platformPackage(name), ONNXRUNTIME_VERSION]);
    expect(publishedManifest(manifest)).toEqual({
      ...rest,
      optionalDependencies: { ...Object.fromEntries(libraries), ...optionalDependencies },
    });
  });
});

describe('a package of ours', () => {
  const work = mkdtempSync(join(tmpdir(), 'anemone-platform-'));
  afterAll(() => rmSync(work, { recursive: true, force: true }));
  const platform = platforms()[0] as string;
  const folder = join(work, 'package');
  let libraries: string[] = [];

  beforeAll(() => {
    mkdirSync(folder);
    fillPlatform(folder, platform);
    libraries = Object.keys(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).nativeFiles);
  });

  it('records the size of every native file', () => {
    const below = join('bin', 'napi-v6', ...platform.split('-'));
    expect(libraries).toEqual(
      readdirSync(join(folder, below)).map((name) => `${below.replaceAll('\\', '/')}/${name}`),
    );
    expect(() => checkWhole(folder)).not.toThrow();
  });

  it('is told in one line, not by a signal, where a file is cut off or missing', () => {
    const broken = (told: RegExp) =>
      expect.objectContaining({
        code: 'engine.onnxruntime-broken',
        exitCode: 2,
        message: expect.stringMatching(told),
      });
    truncateSync(join(folder, libraries[0]), 1000);
    expect(() => checkWhole(folder)).toThrow(
      broken(/^[^\n]*has 1000 bytes, \d+ belong there[^\n]*install it anew[^\n]*$/),
    );
    rmSync(join(folder, libraries[0]));
    expect(() => checkWhole(folder)).toThrow(broken(/is missing/));
  });

  it('without recorded sizes, as onnxruntime-node is, is loaded as it is', () => {
    writeFileSync(join(work, 'package.json'), '{}');
    expect(() => checkWhole(work)).not.toThrow();
    expect(() => checkWhole(join(work, 'none'))).not.toThrow();
  });
});
