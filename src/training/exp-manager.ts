// The experiment manager: gives a trainer a folder, loggers, callbacks and, when asked, a checkpoint to go
// on from. The counterpart of NeMo's exp_manager(trainer, cfg.exp_manager).
import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type ConfigNode, type ConfigWarning, isMapping } from '../config/index.js';
import { AnemoneError, printable } from '../errors/index.js';
import { makeFolder } from '../formats/index.js';
import { CheckpointCallback } from './callbacks/checkpoint-callback.js';
import { NemoFileCallback } from './callbacks/nemo-file.js';
import { RunTimeLimit, StepTiming } from './callbacks/timing.js';
import { listCheckpoints, resolveCheckpoint } from './checkpoint/folder.js';
import { ENDING } from './checkpoint/missing.js';
import type { Checkpoint } from './checkpoint/reader.js';
import { earlyStoppingOf, emaOf, loggerKind } from './components.js';
import {
  checkpointSchema,
  type ExpManagerOptions,
  type ExpManagerSection,
  earlyStoppingSchema,
  expManagerSchema,
} from './exp-manager-options.js';
import { writing } from './io-error.js';
import { CsvLogger } from './loggers/csv.js';
import { JsonLinesLogger } from './loggers/json-lines.js';
import { TensorBoardLogger } from './loggers/tensorboard.js';
import { ReportCallback } from './report/report-callback.js';
import { RUN_FOLDER } from './run-folder.js';
import { RunLock } from './run-lock.js';
import type { Trainer } from './trainer.js';

/**
 * Sets the trainer up for one run and returns the run's folder.
 * @param config the `exp_manager` section; null for none, and then nothing happens
 * @throws AnemoneError for wrong keys, a folder that cannot be written, nothing to resume from
 */
export async function expManager(
  trainer: Trainer,
  config: ExpManagerSection | null | undefined,
): Promise<string | undefined> {
  if (config === undefined || config === null) return undefined;
  const warnings: ConfigWarning[] = [];
  const options = expManagerSchema.parse(config, { warnings, lookup: trainer.services.components });
  const ranks = await trainer.ranks();
  // Rank 0 writes all files; the others know where they are.
  const folder = await ranks.ofFirst(
    async () => trainer.services.resolve(RUN_FOLDER).path ?? (await runFolder(options)),
    'folder of the run',
  );
  if (isMapping(config)) trainer.recorded['exp_manager'] = config as ConfigNode;
  const checkpoints = checkpointCallback(options, folder);
  let found: readonly Checkpoint[] = [];
  const paths = await ranks.ofFirst(async () => {
    await openFolder(trainer, options, folder, checkpoints.options.folder);
    trainer.warn(warnings);
    found = await resumption(options, checkpoints.options.folder, (text) => trainer.say(text));
    return found.map(({ path }) => path);
  }, 'checkpoints of the run');
  if (!ranks.isFirst) {
    trainer.logFolder = folder;
    const find = () => Promise.all(paths.map((path) => resolveCheckpoint(path)));
    found = await ranks.together(find, 'checkpoints on all machines');
  } else await ranks.together(() => {}, 'checkpoints on all machines');
  const [newest, ...older] = found;
  trainer.resumeFrom = newest;
  trainer.resumeInstead = older;
  if (ranks.isFirst) addLoggers(trainer, options, folder);
  addCallbacks(trainer, options);
  if (ranks.isFirst) addWriters(trainer, options, folder, checkpoints);
  return folder;
}

/** Makes the folders of a run and keeps other processes out of them. */
async function openFolder(
  trainer: Trainer,
  options: ExpManagerOptions,
  folder: string,
  checkpointFolder: string,
): Promise<void> {
  await writing(folder, async () => makeFolder(folder));
  await lockFolder(trainer, folder);
  await writing(folder, () => writeFile(join(folder, 'cmd-args.log'), `${process.argv.join(' ')}\n`));
  trainer.enterFolder(folder);
  for (const file of options.files_to_copy ?? []) {
    const copy = join(folder, basename(file));
    await writing(copy, () => copyFile(file, copy));
  }
  if (options.checkpoint_callback_params?.dirpath && options.create_checkpoint_callback) {
    await writing(checkpointFolder, async () => makeFolder(checkpointFolder));
    await lockFolder(trainer, checkpointFolder);
  }
}

/** Keeps other processes out until the trainer is disposed. */
async function lockFolder(trainer: Trainer, folder: string): Promise<void> {
  const lock = await writing(folder, async () => RunLock.take(folder));
  trainer.locks.push(lock);
  const before = lock.tookOverFrom;
  if (!before) return;
  trainer.say(`${folder}: process ${before.pid}, which was training here, is gone; its lock is taken over`);
}

async function runFolder(options: ExpManagerOptions): Promise<string> {
  if (options.explicit_log_dir !== null) return options.explicit_log_dir;
  const experiment = join(options.exp_dir ?? 'anemone_experiments', options.name ?? 'default');
  if (options.version !== null) return join(experiment, options.version);
  if (options.resume_if_exists) return experiment;
  return writing(experiment, () => newFolder(experiment, options.use_datetime_version));
}

/** A folder of one run alone, which is made here: another process, or the same second, may have had the same name. */
async function newFolder(experiment: string, byTime: boolean): Promise<string> {
  makeFolder(experiment);
  for (let attempt = 1; ; attempt++) {
    const name = byTime ? timestamp(new Date()) : await nextVersion(experiment);
    const folder = join(experiment, byTime && attempt > 1 ? `${name}_${attempt}` : name);
    try {
      await mkdir(folder);
      return folder;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** `version_3` where version_2 is the last. */
async function nextVersion(experiment: string): Promise<string> {
  const runs = await readdir(experiment);
  const numbers = runs.map((run) => Number(/^version_(\d+)$/.exec(run)?.[1] ?? -1));
  return `version_${Math.max(-1, ...numbers) + 1}`;
}

/** `2026-11-23_14-05-09`, local time. */
function timestamp(date: Date): string {
  const twoDigits = (n: number) => String(n).padStart(2, '0');
  const day = [date.getFullYear(), twoDigits(date.getMonth() + 1), twoDigits(date.getDate())].join('-');
  return `${day}_${[date.getHours(), date.getMinutes(), date.getSeconds()].map(twoDigits).join('-')}`;
}

/** What to go on from: the newest checkpoint first; the others in case it turns out to be damaged. */
async function resumption(
  options: ExpManagerOptions,
  folder: string,
  say: (text: string) => void,
): Promise<readonly Checkpoint[]> {
  if (options.resume_from_checkpoint !== null)
    return [await resolveCheckpoint(options.resume_from_checkpoint)];
  if (!options.resume_if_exists) {
    if (options.create_checkpoint_callback) await refuseEarlierRun(folder);
    return [];
  }
  const { checkpoints, damaged } = await listCheckpoints(folder, { verify: true });
  const newest = checkpoints[0];
  if (!newest && damaged.length > 0) throw onlyDamaged(folder, damaged);
  for (const problem of damaged) say(`${problem}; ${printable(newest.path)} is used`);
  if (newest) return checkpoints;
  if (options.resume_ignore_no_checkpoint) {
    say(`no checkpoint in ${printable(folder)}: starting from the beginning`);
    return [];
  }
  throw new AnemoneError({
    code: 'exp-manager.nothing-to-resume',
    path: 'exp_manager.resume_if_exists',
    message: `there is no checkpoint in ${folder}`,
    hint: 'set exp_manager.resume_ignore_no_checkpoint=true to start from the beginning then',
  });
}

/** Two runs among whose checkpoints the best is looked for: the new one would be tested, and kept, by those of the other. */
async function refuseEarlierRun(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  const otherFile = names.find((name) => name.endsWith(ENDING) && !name.startsWith('.'));
  if (otherFile === undefined) return;
  throw new AnemoneError({
    code: 'exp-manager.earlier-run',
    path: 'exp_manager.resume_if_exists',
    message: `there are checkpoints of an earlier run in ${folder}, and this one would start from the beginning`,
    hint: 'set exp_manager.resume_if_exists=true to go on with it, choose another name or version, or remove them',
    details: { checkpoint: otherFile },
  });
}

/** Starting anew would write over the rows and, in the end, the checkpoints of a run that may be saved yet. */
function onlyDamaged(folder: string, damaged: readonly string[]): AnemoneError {
  return new AnemoneError({
    code: 'checkpoint.damaged',
    message: 'no checkpoint of the run can be used:',
    lines: damaged.map((problem) => `  ${problem}`),
    position: { file: folder },
    hint: 'bring one back, or remove them to start from the beginning',
  });
}

function addLoggers(trainer: Trainer, options: ExpManagerOptions, folder: string): void {
  const { services } = trainer;
  for (const node of options.loggers ?? []) {
    const { schema } = services.components.findFor(node, loggerKind.kind);
    const takesFolder = 'folder' in schema.fields && (node['folder'] ?? null) === null;
    trainer.loggers.push(services.instantiate(node, loggerKind, takesFolder ? { with: { folder } } : {}));
  }
  if (options.create_tensorboard_logger) trainer.loggers.push(new TensorBoardLogger(folder));
  if (options.create_csv_logger) trainer.loggers.push(new CsvLogger(join(folder, 'metrics.csv')));
  if (options.create_jsonl_logger) trainer.loggers.push(new JsonLinesLogger(join(folder, 'metrics.jsonl')));
}

/** Callbacks that every rank needs: what they decide, all decide alike. */
function addCallbacks({ callbacks }: Trainer, options: ExpManagerOptions): void {
  if (options.ema?.enable) callbacks.push(emaOf(options.ema));
  if (options.log_step_timing) {
    callbacks.push(new StepTiming(options.step_timing_kwargs?.buffer_size));
  }
  if (options.max_time_per_run !== null) callbacks.push(new RunTimeLimit(options.max_time_per_run));
  if (options.create_early_stopping_callback) {
    callbacks.push(earlyStoppingOf(options.early_stopping_callback_params ?? earlyStoppingSchema.parse({})));
  }
}

/** Callbacks that write files. */
function addWriters(
  { callbacks }: Trainer,
  options: ExpManagerOptions,
  folder: string,
  checkpoints: CheckpointCallback,
): void {
  if (options.create_report) callbacks.push(new ReportCallback(folder, options.name ?? 'default'));
  if (options.create_checkpoint_callback) callbacks.push(checkpoints, nemoFile(options, checkpoints));
}

function checkpointCallback(options: ExpManagerOptions, folder: string): CheckpointCallback {
  const params = options.checkpoint_callback_params ?? checkpointSchema.parse({});
  return new CheckpointCallback({
    folder: params.dirpath ?? join(folder, 'checkpoints'),
    prefix: params.prefix ?? options.name ?? 'default',
    monitor: params.monitor,
    mode: params.mode,
    saveTopK: params.save_top_k,
    saveLast: params.save_last,
    everyNEpochs: params.every_n_epochs,
    everyNSteps: params.every_n_train_steps ?? undefined,
    everySeconds: params.train_time_interval ?? undefined,
    alone: true,
  });
}

function nemoFile(options: ExpManagerOptions, checkpoints: CheckpointCallback): NemoFileCallback {
  const params = options.checkpoint_callback_params ?? checkpointSchema.parse({});
  return new NemoFileCallback(checkpoints, {
    always: params.always_save_nemo,
    onEnd: params.save_nemo_on_train_end,
    best: params.save_best_model,
    postfix: params.postfix,
  });
}
