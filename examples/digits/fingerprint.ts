// One number for the whole data set: machines that print the same have the same data, byte for byte.
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';

/** SHA-256 over the manifests and every file of `audio/`, by name in sorted order. */
export async function dataFingerprint(folder: string): Promise<string> {
  const entries = await readdir(join(folder, 'audio'), { recursive: true, withFileTypes: true });
  const audio = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const manifests = ['train.json', 'dev.json', 'test.json'].map((name) => join(folder, name));
  const names = new Map(
    [...manifests, ...audio].map((path) => [`/${relative(folder, path).replaceAll('\\', '/')}`, path]),
  );
  const hash = createHash('sha256');
  for (const name of [...names.keys()].sort()) {
    hash.update(`${name}\0`).update(await readFile(names.get(name) as string));
  }
  return hash.digest('hex');
}
