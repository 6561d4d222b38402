// A device that is not there, that is lost while it computes, or that cannot hold what is asked of it: one error each, and the
// process goes on. In processes of their own: a driver is chosen once a process.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { skipUnless } from '../../skipping.js';
import { SWIFTSHADER } from '../webgpu.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-device-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const description = SWIFTSHADER.find((file) => existsSync(file));
const hasCompiler = spawnSync('cc', ['--version']).status === 0;

interface Seen {
  readonly runs: number;
  readonly codes: readonly string[];
  readonly messages: readonly string[];
  readonly err: string;
}

function seenBy(kind: string, variables: Readonly<Record<string, string>>): Seen {
  const program = fileURLToPath(new URL('faulty-device-program.ts', import.meta.url));
  const { stdout, stderr, status, signal } = spawnSync(process.execPath, ['--import', 'tsx', program, kind], {
    encoding: 'utf8',
    env: { ...process.env, XDG_RUNTIME_DIR: tmpdir(), NODE_OPTIONS: '', NODE_NO_WARNINGS: '', ...variables },
  });
  expect({ status, signal, stderr: status === 0 ? '' : stderr }).toEqual({
    status: 0,
    signal: null,
    stderr: '',
  });
  return { ...JSON.parse(stdout.trim().split('\n').at(-1) as string), err: stderr };
}

describe('a faulty device', () => {
  skipUnless(
    description !== undefined && process.platform === 'linux',
    'SwiftShader is not there (Debian: chromium)',
  );
  const driver = description ?? '';

  it('that is not there is one error when the engine is made', () => {
    const seen = seenBy('absent', { VK_DRIVER_FILES: join(folder, 'none.json') });
    expect(seen.codes).toEqual(['engine.provider-unavailable']);
    expect(seen.messages[0]).toMatch(/cannot use "webgpu" on this machine \(Vulkan finds no device\)/);
  });

  it('that holds no buffer of such a size says so, names the value, and computes what is smaller', () => {
    const seen = seenBy('large', { VK_DRIVER_FILES: driver });
    expect(seen.codes).toEqual(['engine.device-limit']);
    expect(seen.messages[0]).toMatch(
      /a value of Tile \[1048576, 1024\] has .* bytes; a buffer of the device holds/,
    );
    expect(seen.runs).toBe(1);
    // It is named once, as what it is.
    expect(seen.err.match(/webgpu computes on SwiftShader.*, a device in software/g)).toHaveLength(1);
  });

  it('that is lost while it computes is one error, also to those who come later', ({ skip }) => {
    skip(!hasCompiler, 'there is no C compiler');
    const library = join(folder, 'liblosing.so');
    const source = fileURLToPath(new URL('losing-driver.c', import.meta.url));
    execFileSync('cc', ['-shared', '-fPIC', '-o', library, source, '-ldl']);
    const file = join(folder, 'losing.json');
    writeFileSync(file, JSON.stringify({ file_format_version: '1.0.0', ICD: { library_path: library, api_version: '1.1.0' } })); // biome-ignore format: one line reads better
    const seen = seenBy('lost', {
      VK_DRIVER_FILES: file,
      LOSING_DRIVER_OF: join(dirname(driver), 'libvk_swiftshader.so'),
      LOSE_AFTER: '30',
    });
    expect(seen.runs).toBeGreaterThan(3);
    expect(seen.codes).toEqual(Array(3).fill('engine.device-lost'));
  });
});
