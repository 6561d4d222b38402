// A package of npm as files in memory: fetched by npm itself (from the registry that the user has configured), checked, not installed.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AnemoneError } from '../../src/errors/index.js';
import { memorySource, readTar, type TarFile } from '../../src/formats/index.js';

const run = promisify(execFile);

/** Which package, and the SHA-512 that its archive must have, in base64. */
export interface PackageVersion {
  readonly name: string;
  readonly version: string;
  readonly sha512: string;
}

/** @throws AnemoneError `recipe.package` when npm cannot fetch it or it is another */
export async function npmPackage({ name, version, sha512 }: PackageVersion): Promise<TarFile> {
  const folder = await mkdtemp(join(tmpdir(), 'anemone-npm-'));
  try {
    const { stdout } = await run(
      'npm',
      ['pack', `${name}@${version}`, '--json', '--pack-destination', folder],
      {
        shell: process.platform === 'win32',
      },
    );
    const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
    const archive = await readFile(join(folder, filename));
    if (createHash('sha512').update(archive).digest('base64') !== sha512) {
      throw new Error('the archive is not the one that was published');
    }
    return await readTar(memorySource(archive, filename));
  } catch (cause) {
    const [line] = String((cause as { stderr?: string }).stderr || (cause as Error).message).split('\n');
    throw new AnemoneError({
      code: 'recipe.package',
      message: `npm cannot fetch ${name}@${version}: ${line}`,
      hint: 'is the registry reachable? `npm ping` tells',
      cause,
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
