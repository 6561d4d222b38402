// The error for a path that names no checkpoint: says what is there instead, so that the next try is right.
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { AnemoneError, nearestNames } from '../../errors/index.js';
import { folderAbove, foldersBelow, someOf } from '../nearby.js';

/** The end of a checkpoint's name. */
export const ENDING = '.ckpt';

/** @returns AnemoneError `checkpoint.missing`, with near names, checkpoints or runs found as its hint */
export async function missingCheckpoint(path: string): Promise<AnemoneError> {
  const info = await stat(path).catch(() => undefined);
  const message = info?.isDirectory()
    ? 'no checkpoint here'
    : info
      ? `this is a file; a checkpoint is a folder that ends in ${ENDING}`
      : 'there is no such checkpoint';
  const hint = info?.isDirectory() ? await below(path) : ((await near(path)) ?? (await below(path)));
  return new AnemoneError({ code: 'checkpoint.missing', message, position: { file: path }, hint });
}

/** Names like the first part of the path that does not exist. */
async function near(path: string): Promise<string | undefined> {
  const above = await folderAbove(path);
  if (above.endsWith(ENDING)) return `give ${above}`;
  const [first] = relative(above, path).split(/[/\\]/);
  const names = (await readdir(above).catch(() => [])).filter(
    (name) => !name.startsWith('.') && name !== first,
  );
  const close = nearestNames(first, names, 3).map((name) => join(above, name));
  if (close.length === 0) return undefined;
  // Names that are near are shown and the others counted: the checkpoints of a run all have similar names.
  const otherCount = names.filter((name) => name.endsWith(ENDING)).length - close.length;
  return `did you mean ${close.join(' or ')}?${otherCount > 0 ? ` (${otherCount} more in ${above})` : ''}`;
}

async function below(path: string): Promise<string> {
  const above = await folderAbove(path);
  const foundFolders = await foldersBelow(above, (name) => name.endsWith(ENDING));
  if (foundFolders.length === 0) return `give a folder that ends in ${ENDING}, or a run that contains some`;
  if (foundFolders.every((checkpoint) => dirname(checkpoint) === above)) {
    return `${above} has ${someOf(foundFolders.map((checkpoint) => basename(checkpoint)))}`;
  }
  return `found in ${above}: ${someOf([...new Set(foundFolders.map(runOf))])}`;
}

function runOf(checkpoint: string): string {
  const folder = dirname(checkpoint);
  return basename(folder) === 'checkpoints' ? dirname(folder) : folder;
}
