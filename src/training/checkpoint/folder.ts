// A folder of checkpoints: what is in it, which is newest or best, and which may go.
import { readdir, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { AnemoneError } from '../../errors/index.js';
import { metricOf } from '../metric-names.js';
import { removeLeftovers } from './atomic-folder.js';
import { ENDING, missingCheckpoint } from './missing.js';
import { Checkpoint } from './reader.js';

export interface FolderListing {
  /** Complete checkpoints, the furthest first. */
  readonly checkpoints: readonly Checkpoint[];
  /** One sentence per damaged one. */
  readonly damaged: readonly string[];
}

/**
 * Reads what checkpoints a folder has. Damaged ones are told, not thrown.
 * @param options.verify also compares the contents with their hashes, from the newest back to a good one
 */
export async function listCheckpoints(
  folder: string,
  options: { readonly verify?: boolean } = {},
): Promise<FolderListing> {
  const names = (await readdir(folder).catch(() => [])).filter(
    (n) => n.endsWith(ENDING) && !n.startsWith('.'),
  );
  const checkpoints: Checkpoint[] = [];
  const damaged: string[] = [];
  for (const name of names) {
    try {
      checkpoints.push(await Checkpoint.open(join(folder, name)));
    } catch (error) {
      if (!(error instanceof AnemoneError)) throw error;
      damaged.push(error.message);
    }
  }
  checkpoints.sort(
    (a, b) => howFar(b, a) || b.created.localeCompare(a.created) || b.path.localeCompare(a.path),
  );
  while (options.verify && checkpoints.length > 0) {
    const problem = await problemOf(checkpoints[0]);
    if (problem === undefined) break;
    damaged.push(problem);
    checkpoints.shift();
  }
  return { checkpoints, damaged };
}

/** Positive when `a` was saved later in the run than `b`: of the same batches, after the validation or the epoch's end. */
function howFar({ state: { progress: a } }: Checkpoint, { state: { progress: b } }: Checkpoint): number {
  return (
    a.batches - b.batches || a.epoch - b.epoch || Number(b.validationPending) - Number(a.validationPending)
  );
}

/** What is wrong with its files, compared with their hashes; undefined for nothing. */
export async function problemOf(checkpoint: Checkpoint): Promise<string | undefined> {
  try {
    await checkpoint.verify();
    return undefined;
  } catch (error) {
    if (error instanceof AnemoneError) return error.message;
    throw error;
  }
}

/** `wanted` in `folder`, or with a version appended when the name is taken: nothing is overwritten. */
export async function freeFolder(folder: string, wantedName: string, ending = ''): Promise<string> {
  const takenNames = new Set(await readdir(folder).catch(() => []));
  for (let version = 0; ; version++) {
    const name = `${wantedName}${version === 0 ? '' : `-v${version}`}${ending}`;
    if (!takenNames.has(name)) return join(folder, name);
  }
}

export interface Retention {
  readonly monitor: string;
  readonly mode: 'min' | 'max';
  /** -1 keeps all. */
  readonly saveTopK: number;
  readonly saveLast: boolean;
}

/** The checkpoints that have the monitored metric, best first. */
export function ranked(
  checkpoints: readonly Checkpoint[],
  { monitor, mode }: Pick<Retention, 'monitor' | 'mode'>,
): Checkpoint[] {
  const sign = mode === 'min' ? 1 : -1;
  return checkpoints
    .map((checkpoint) => ({ checkpoint, value: metricOf(checkpoint.state.metrics, monitor) ?? Number.NaN }))
    .filter(({ value }) => Number.isFinite(value))
    .sort((a, b) => sign * (a.value - b.value))
    .map(({ checkpoint }) => checkpoint);
}

/**
 * Deletes what is neither among the best nor last.
 * @param latest saved last, if anything was: a run that went back to an earlier checkpoint has others ahead of it
 */
export async function retain(folder: string, rule: Retention, latest?: string): Promise<void> {
  await removeLeftovers(folder);
  if (rule.saveTopK < 0) return;
  const { checkpoints } = await listCheckpoints(folder);
  const keep = new Set(ranked(checkpoints.filter(isScored), rule).slice(0, rule.saveTopK));
  if (rule.saveLast && checkpoints.length > 0) keep.add(checkpoints[0]);
  for (const checkpoint of checkpoints) {
    const isLatest = rule.saveLast && checkpoint.path === latest;
    if (!keep.has(checkpoint) && !isLatest) await rm(checkpoint.path, { recursive: true, force: true });
  }
}

/** Saved right after a validation: its metrics are of these very weights. */
export function isScored(checkpoint: Checkpoint): boolean {
  const scored = checkpoint.state.callbacks['checkpoint'];
  return typeof scored === 'object' && scored !== null && 'scored' in scored && scored['scored'] === true;
}

/**
 * The checkpoint a path means: itself, or of a folder (an experiment or its `checkpoints`) the best by the
 * metric its run monitored, else the last.
 * @throws AnemoneError `checkpoint.missing`, `checkpoint.damaged`
 */
export async function resolveCheckpoint(path: string): Promise<Checkpoint> {
  const clean = path.replace(/[/\\]+$/, '') || path;
  const isFolder = (await stat(clean).catch(() => undefined))?.isDirectory() ?? false;
  if (!isFolder) throw await missingCheckpoint(clean);
  if (basename(clean).endsWith(ENDING)) return Checkpoint.open(clean);
  for (const folder of [clean, join(clean, 'checkpoints')]) {
    const { checkpoints, damaged } = await listCheckpoints(folder);
    if (checkpoints.length === 0 && damaged.length > 0) {
      const [message, ...lines] = damaged;
      throw new AnemoneError({ code: 'checkpoint.damaged', message, lines });
    }
    if (checkpoints.length === 0) continue;
    return ranked(checkpoints.filter(isScored), monitorOf(checkpoints[0]))[0] ?? checkpoints[0];
  }
  throw await missingCheckpoint(clean);
}

/** The metric by which the run chose its best checkpoints. */
function monitorOf(checkpoint: Checkpoint): Pick<Retention, 'monitor' | 'mode'> {
  const ownState = checkpoint.state.callbacks['checkpoint'] as
    | { monitor?: string; mode?: 'min' | 'max' }
    | undefined;
  return { monitor: ownState?.monitor ?? 'val_loss', mode: ownState?.mode ?? 'min' };
}
