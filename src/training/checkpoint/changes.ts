// What is different between a run and the checkpoint it goes on from: config, engine, data. Most of it can be
// honoured and is only told; another vocabulary or seed cannot, and is an error.
import { configFromText, isMapping, resolveConfig } from '../../config/index.js';
import { AnemoneError, printable } from '../../errors/index.js';
import type { BatchSource } from '../../model/index.js';
import { expManagerSchema } from '../exp-manager-options.js';
import { trainerSchema } from '../trainer-options.js';
import type { DataIdentity } from './content.js';
import type { Checkpoint } from './reader.js';

/** The run as it is now. */
export interface RunIdentity {
  /** As a checkpoint would hold it. */
  readonly config: string;
  /** As written; undefined when it is left to the default. */
  readonly seed: number | undefined;
  readonly engine: string;
  readonly source: BatchSource;
  readonly artifacts: ReadonlyMap<string, Uint8Array>;
}

export function dataIdentity(source: BatchSource, epoch: number): DataIdentity {
  const digest = source.digest?.();
  return { batches: source.batchesInEpoch(epoch), ...(digest !== undefined && { digest }) };
}

/**
 * One line for each difference.
 * @throws AnemoneError `checkpoint.vocabulary`, `checkpoint.seed`
 */
export async function changesSince(checkpoint: Checkpoint, current: RunIdentity): Promise<readonly string[]> {
  const { state } = checkpoint;
  const [then, present] = [await checkpoint.config(), configFromText(current.config)];
  const [before, after] = [leavesOf(resolveConfig(then)), leavesOf(resolveConfig(present))];
  const changed = [...new Set([...before.keys(), ...after.keys()])]
    .filter((path) => !HOW_TO_RESUME.test(path))
    .map((path) => ({ path, was: before.get(path), is: after.get(path) }))
    .filter(({ was, is }) => was !== is)
    .filter(({ path, was, is }) => (was && is) || !sameMeaning(path, then, present));
  await refuseVocabulary(checkpoint, current, changed);
  refuseSeed(checkpoint, current);
  const lines = changed.map(({ path, was, is }) => `${path}: ${shown(was)} → ${shown(is)}`);
  if (state.engine !== current.engine) {
    lines.push(`engine: ${state.engine} → ${current.engine}; results agree up to rounding`);
  }
  const data = dataChange(checkpoint, current.source);
  return data === undefined ? lines : [...lines, data];
}

/** They say how a start finds its checkpoint, not what the run is. */
const HOW_TO_RESUME = /^exp_manager\.resume_/;
/** Settings that decide what a token id means. */
const VOCABULARY = /(^|\.)(labels|vocabulary|tokenizer)(\.|$)/;

interface Change {
  readonly path: string;
  readonly was: string | undefined;
  readonly is: string | undefined;
}

async function refuseVocabulary(
  checkpoint: Checkpoint,
  current: RunIdentity,
  changed: readonly Change[],
): Promise<void> {
  const before = await checkpoint.artifacts();
  const names = [...new Set([...before.keys(), ...current.artifacts.keys()])];
  const otherName = names.find((name) => !sameBytes(before.get(name), current.artifacts.get(name)));
  if (otherName === undefined) return;
  const setting = changed.find(({ path }) => path.startsWith('model.') && VOCABULARY.test(path));
  throw new AnemoneError({
    code: 'checkpoint.vocabulary',
    path: setting?.path ?? 'model',
    message: `the vocabulary is not that of ${checkpoint.path}: ${
      setting ? `it was ${shown(setting.was)}, now ${shown(setting.is)}` : `${printable(otherName)} differs`
    }`,
    hint: 'keep the vocabulary, or start another run; init_from_nemo_model takes over weights without it',
    details: { artifact: otherName },
  });
}

function refuseSeed(checkpoint: Checkpoint, { seed }: RunIdentity): void {
  const before = checkpoint.state.seed;
  if (seed === undefined || seed === before) return;
  throw new AnemoneError({
    code: 'checkpoint.seed',
    path: 'trainer.seed',
    message: `the run of ${checkpoint.path} has seed ${before}; it cannot go on with ${seed}`,
    hint: `set trainer.seed=${before}, or start another run`,
  });
}

function dataChange({ state }: Checkpoint, source: BatchSource): string | undefined {
  const { progress, data: before } = state;
  if (!before) return undefined;
  const after = dataIdentity(source, progress.epoch);
  const isSame = before.batches === after.batches && (before.digest ?? undefined) === after.digest;
  if (isSame) return undefined;
  const what =
    before.batches === after.batches
      ? `${source.name}: other training data`
      : `${source.name}: ${after.batches} batches an epoch instead of ${before.batches}`;
  if (progress.batch === 0 || progress.batch >= before.batches) return what;
  if (progress.batch >= after.batches) return `${what}; the epoch in progress ends`;
  return `${what}; the epoch in progress goes on at batch ${progress.batch + 1} of these`;
}

/** Every value that is no mapping by its dotted path, as JSON. */
function leavesOf(config: Readonly<Record<string, unknown>>, prefix = ''): Map<string, string> {
  const leaves = new Map<string, string>();
  for (const [key, value] of Object.entries(config)) {
    if (!isMapping(value)) leaves.set(`${prefix}${key}`, JSON.stringify(value) ?? 'null');
    else for (const [path, leaf] of leavesOf(value, `${prefix}${key}.`)) leaves.set(path, leaf);
  }
  return leaves;
}

/** Leaving a key out and writing its default is the same. */
function sameMeaning(path: string, before: Section, after: Section): boolean {
  const [section, key] = path.split('.');
  const [was, is] = [before, after].map((config) => meaningOf(section, config)?.[key]);
  return was !== undefined && JSON.stringify(was) === JSON.stringify(is);
}

type Section = Readonly<Record<string, unknown>>;

/** The section with all its defaults; undefined where it cannot be checked here. */
function meaningOf(section: string, config: Section): Section | undefined {
  try {
    if (section === 'trainer') return trainerSchema.parse(config[section] ?? {});
    if (section === 'exp_manager') return expManagerSchema.parse(config[section] ?? {});
  } catch {
    // A checkpoint of another version may have other keys.
  }
  return undefined;
}

const MOST_SIGNS = 60;

function shown(value: string | undefined): string {
  if (value === undefined) return 'not set';
  const text = printable(value);
  return text.length > MOST_SIGNS ? `${text.slice(0, MOST_SIGNS)}…` : text;
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a !== undefined && b !== undefined && Buffer.compare(a, b) === 0;
}
