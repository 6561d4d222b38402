// The `trainer` section: keys as in PyTorch Lightning, checked and turned into typed options. Keys that
// mean nothing here are named in one warning; values we cannot honour are errors.
import {
  type ComponentLookup,
  type ConfigNode,
  type ConfigWarning,
  componentConfig,
  customFormat,
  defineSchema,
  EMPTY_SECTION,
  type Format,
  type InferConfig,
  type Interval,
  interval,
  isMapping,
  isMissing,
  type Loaded,
  listOf,
  oneOf,
  type SectionInput,
  sectionOrComponent,
} from '../config/index.js';
import { type CreateEngineOptions, engineKind, engineProblems } from '../engine/index.js';
import { lossScaleFormat } from './fit/loss-scale.js';
import { precisionFormat } from './precision.js';
import { devices, strategy } from './rank-options.js';

/** A time as a config says it: `DD:HH:MM:SS`, or a sum of units. */
export type Duration =
  | string
  | { readonly [unit in 'weeks' | 'days' | 'hours' | 'minutes' | 'seconds']?: number };

/** Seconds of `DD:HH:MM:SS` or of a mapping {days, hours, minutes, seconds}. */
export function parseDuration(value: unknown): number {
  if (isMapping(value)) {
    const units: Record<string, number> = {
      weeks: 604800,
      days: 86400,
      hours: 3600,
      minutes: 60,
      seconds: 1,
    };
    return Object.entries(value).reduce((sum, [unit, count]) => {
      if (!Object.hasOwn(units, unit) || !Number.isFinite(count) || (count as number) < 0) {
        throw new Error(`use ${Object.keys(units).join(', ')} with numbers from 0 up`);
      }
      return sum + (count as number) * units[unit];
    }, 0);
  }
  const parts = typeof value === 'string' ? /^(\d+):(\d{1,2}):(\d{1,2}):(\d{1,2})$/.exec(value) : null;
  if (!parts) throw new Error('days, hours, minutes and seconds, two digits each');
  const [days, hours, minutes, seconds] = parts.slice(1).map(Number);
  return ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
}

const duration = () =>
  customFormat<number, Duration>('a time such as 00:04:00:00', parseDuration, { type: ['string', 'object'] });

/** Seconds as a number, or a time. */
const rankTimeout = customFormat<number, number | Duration>(
  'seconds, or a time such as 00:00:10:00',
  (value) => {
    const seconds = typeof value === 'number' ? value : parseDuration(value);
    if (!(seconds > 0)) throw new Error('more than 0 seconds');
    return seconds;
  },
  { type: ['number', 'string', 'object'] },
);

const BYTE_UNITS: Readonly<Record<string, number>> = {
  B: 1, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12, KIB: 2 ** 10, MIB: 2 ** 20, GIB: 2 ** 30, TIB: 2 ** 40,
}; // biome-ignore format: a table

/** Bytes of a number with a unit. */
export function parseBytes(value: unknown): number {
  const parts = /^\s*(\d+(?:\.\d+)?)\s*([KMGT]?I?B)\s*$/i.exec(String(value));
  const bytes = parts ? Number(parts[1]) * (BYTE_UNITS[parts[2].toUpperCase()] ?? Number.NaN) : Number.NaN;
  if (!(bytes >= 1)) throw new Error('a number with a unit: KB, MB, GB, KiB, MiB, GiB');
  return Math.floor(bytes);
}

const byteCount = () =>
  customFormat<number, string>('a size such as 6GB or 512MiB', parseBytes, { type: 'string' });

/** The options of an engine, taken as they are. */
const engineOptions: Format<ConfigNode & CreateEngineOptions, CreateEngineOptions | Loaded> = {
  expected: 'a mapping',
  accepts: isMapping,
  check: (value, at) => {
    if (!isMapping(value)) {
      at.report({ message: `expected a mapping such as {name: onnxruntime}, got ${JSON.stringify(value)}` });
      return EMPTY_SECTION as ConfigNode & CreateEngineOptions;
    }
    const writtenKeys = Object.keys(value).filter((key) => !isMissing(value, key));
    for (const key of Object.keys(value))
      if (!writtenKeys.includes(key)) at.child(value, key).reportMissing();
    for (const problem of engineProblems(Object.fromEntries(writtenKeys.map((key) => [key, value[key]])))) {
      const { code, path = '', reason: message, hint } = problem;
      at.child(value, path).report({ code, message, hint });
    }
    return value as ConfigNode & CreateEngineOptions;
  },
  jsonSchema: () => ({ type: 'object' }),
};

/** In code, keys of an engine of one's own go into a loaded section: a literal with any keys would take misspelt ones, too. */
const engine: Format<ConfigNode, CreateEngineOptions | Loaded | { readonly _target_: string }> =
  sectionOrComponent(engineOptions, engineKind.kind);

/** `n`, or `{epoch: n, …}`: from that epoch on. */
const accumulation = oneOf(
  customFormat('an integer ≥ 1', (value) => {
    if (!Number.isInteger(value) || (value as number) < 1) throw new Error('');
    return value as number;
  }),
  customFormat('a mapping of first epochs to counts', (value) => {
    const isValid =
      isMapping(value) &&
      Object.entries(value).every(
        ([epoch, count]) => /^\d+$/.test(epoch) && Number.isInteger(count) && Number(count) >= 1,
      );
    if (!isValid) throw new Error('');
    return value as unknown as Readonly<Record<string, number>>;
  }),
);

const wholeEpoch: Interval = { fraction: 1 };
const samplers = 'each rank makes its own batches';

/** The schema of the `trainer` section. */
export const trainerSchema = defineSchema(
  'trainer',
  {
    max_epochs: {
      doc: 'Epochs to train; null with no other limit means 1000, -1 no limit.',
      format: 'int',
      min: -1,
      nullable: true,
      default: null,
    },
    max_steps: { doc: 'Optimizer steps to train; -1 for no limit.', format: 'int', min: -1, default: -1 },
    max_samples: {
      doc: 'Examples to train on (Megatron’s train_samples); the last step may go beyond. null: no limit.',
      format: 'int',
      min: 1,
      nullable: true,
      default: null,
    },
    max_tokens: {
      doc: 'Units to train on: tokens to predict, or seconds of audio; the last step may go beyond. null: no limit.',
      format: 'int',
      min: 1,
      nullable: true,
      default: null,
    },
    max_time: {
      doc: 'Training time over all resumed runs, DD:HH:MM:SS or {hours: 2}.',
      format: duration(),
      nullable: true,
      default: null,
    },
    accumulate_grad_batches: {
      doc: 'Batches whose gradients make one update; {epoch: n} changes it from an epoch on.',
      format: accumulation,
      default: 1,
    },
    accumulation: {
      doc: 'What accumulated batches are to an update: large_batch, one batch with all their examples; mean_of_batches, all alike, whatever their sizes, as in Lightning.',
      format: ['large_batch', 'mean_of_batches'],
      default: 'large_batch',
    },
    accumulate_over: {
      doc: 'Whose batches numbers of batches count: those of each_rank, so that more ranks make larger steps, as in Lightning; or of all_ranks together, so that any number of ranks makes the same steps.',
      format: ['each_rank', 'all_ranks'],
      default: 'each_rank',
    },
    gradient_clip_val: {
      doc: 'Limit of the gradient; null or 0 turns clipping off.',
      format: 'bound',
      min: 0,
      nullable: true,
      default: null,
    },
    gradient_clip_algorithm: {
      doc: 'norm: limit the norm over all parameters; value: limit every element.',
      format: ['norm', 'value'],
      default: 'norm',
    },
    val_check_interval: {
      doc: 'Validate after so many batches (integer) or parts of an epoch (float).',
      format: interval(),
      default: wholeEpoch,
    },
    check_val_every_n_epoch: {
      doc: 'Validate in every n-th epoch; null counts val_check_interval across epochs.',
      format: 'int',
      min: 1,
      nullable: true,
      default: 1,
    },
    limit_train_batches: {
      doc: 'Batches of an epoch that are used: a count or a part.',
      format: interval(),
      default: wholeEpoch,
    },
    limit_val_batches: {
      doc: 'Batches of each validation set that are used; 0 turns validation off.',
      format: interval(),
      default: wholeEpoch,
    },
    limit_test_batches: {
      doc: 'Batches of each test set that are used.',
      format: interval(),
      default: wholeEpoch,
    },
    limit_predict_batches: {
      doc: 'Batches that predict uses.',
      format: interval(),
      default: wholeEpoch,
    },
    log_every_n_steps: { doc: 'Steps between log rows.', format: 'int', min: 1, default: 50 },
    num_sanity_val_steps: {
      doc: 'Validation batches tried before training; -1 for all.',
      format: 'int',
      min: -1,
      default: 2,
    },
    seed: { doc: 'Seed of initial weights and dropout.', format: 'nat', default: 0 },
    deterministic: {
      doc: 'Runs repeat bit by bit on the same engine either way; the key is accepted for its name.',
      format: oneOf('boolean', ['warn']),
      nullable: true,
      default: true,
    },
    engine: {
      doc: 'What computes: {name: onnxruntime | reference | tensorflow} and its options (provider, threads); or an engine of your own, {_target_: …}.',
      format: engine,
      default: { name: 'onnxruntime' },
    },
    enable_progress_bar: { doc: 'The live progress line.', format: 'boolean', default: true },
    precision: {
      doc: 'Bits of products and of stored weights, by Lightning’s names: 32, 16-mixed (or 16), bf16-mixed (or bf16), 16-true, bf16-true; see docs/precision.md.',
      format: precisionFormat,
      default: '32-true',
    },
    loss_scale: {
      doc: 'Factor of the loss where products are computed in float16: dynamic (or pytorch) as GradScaler’s, megatron, a constant, or a mapping.',
      format: lossScaleFormat,
      default: 'dynamic',
    },
    convert_precision: {
      doc: 'Whether a run may go on from a checkpoint whose weights are stored in other bits (16-true, bf16-true, the others); they are rounded then, or stay as they were rounded.',
      format: 'boolean',
      default: false,
    },
    devices: {
      doc: 'Ranks on each machine that train together: a count, or a list with one entry for each; auto and -1 mean 1, or as many as mpirun has started.',
      format: devices,
      default: 1,
    },
    num_nodes: {
      doc: 'Machines; several are started with mpirun or srun.',
      format: 'int',
      min: 1,
      default: 1,
    },
    strategy: {
      doc: 'How ranks train together: ddp, each with the whole model; auto means the same. A strategy of Lightning may be given by its _target_.',
      format: strategy,
      nullable: true,
      default: 'auto',
    },
    sync_batchnorm: {
      doc: 'Batch norm takes the statistics of the batches that the ranks compute at the same time together, as of one large batch.',
      format: 'boolean',
      default: false,
    },
    overlap_grad_sync: {
      doc: 'With MPI, gradients are sent while those of earlier layers are computed. The numbers are the same without.',
      format: 'boolean',
      default: false,
    },
    rank_timeout: {
      doc: 'How long ranks wait for each other before the run ends, in seconds or DD:HH:MM:SS.',
      format: rankTimeout,
      default: 600,
    },
    nonfinite: {
      doc: 'What a NaN or infinite loss or gradient does: stop explains it and ends, skip drops the step.',
      format: ['stop', 'skip'],
      default: 'stop',
    },
    memory_check: {
      doc: 'Estimate before the first step what the largest batch takes, and stop when it cannot fit; `warn` only says so.',
      format: oneOf('boolean', ['warn']),
      default: true,
    },
    memory_budget: {
      doc: 'Most memory that the process may take, such as 6GB or 512MiB: as few layers as possible are computed again for the gradient (see activations_checkpoint_granularity).',
      format: byteCount(),
      nullable: true,
      default: null,
    },
    handle_signals: {
      doc: 'SIGINT and SIGTERM finish the step, save and stop; a second one ends the process at once.',
      format: 'boolean',
      default: true,
    },
    callbacks: {
      doc: 'Callbacks, each by its `_target_`; they come after those given to the Trainer.',
      format: listOf(componentConfig('callback')),
      nullable: true,
      default: null,
    },
  },
  {
    doc: 'The training loop; keys as in PyTorch Lightning.',
    ignored: {
      accelerator: { instead: 'trainer.engine chooses what computes', harmless: ['auto', 'cpu', null] },
      gpus: { instead: 'trainer.engine chooses what computes', harmless: [0, null] },
      logger: { instead: 'exp_manager makes the loggers', harmless: [false, null] },
      enable_checkpointing: { instead: 'exp_manager makes the checkpoints', harmless: [false, null] },
      checkpoint_callback: { instead: 'exp_manager makes the checkpoints', harmless: [false, null] },
      default_root_dir: { instead: 'exp_manager.exp_dir says where things go', harmless: [null] },
      resume_from_checkpoint: { instead: 'use exp_manager.resume_from_checkpoint', harmless: [null] },
      min_epochs: { instead: 'no minimum is kept', harmless: [null, 0, 1] },
      min_steps: { instead: 'no minimum is kept', harmless: [null, 0] },
      enable_model_summary: { instead: 'parameters are counted in one line', harmless: [true, false, null] },
      weights_summary: { instead: 'parameters are counted in one line', harmless: [null] },
      replace_sampler_ddp: { instead: samplers, harmless: [false, true, null] },
      use_distributed_sampler: { instead: samplers, harmless: [false, true, null] },
      benchmark: { instead: 'there is nothing to tune', harmless: [false, true, null] },
      detect_anomaly: { instead: 'a non-finite loss is always explained', harmless: [false, null] },
      profiler: { instead: 'timings are in the log', harmless: [null] },
      plugins: { instead: 'there are none', harmless: [null] },
      amp_backend: { instead: 'precision says all of it', harmless: ['native', null] },
      amp_level: { instead: 'precision says all of it', harmless: [null] },
      overfit_batches: { instead: 'use limit_train_batches', harmless: [0, null] },
      fast_dev_run: { instead: 'use limit_*_batches', harmless: [false, null] },
      reload_dataloaders_every_n_epochs: {
        instead: 'data sources live for the whole run',
        harmless: [0, null],
      },
      inference_mode: { instead: 'evaluation never keeps gradients', harmless: [true, false, null] },
      progress_bar_refresh_rate: { instead: 'see enable_progress_bar', harmless: [null] },
      barebones: { instead: 'leave exp_manager out', harmless: [false, null] },
    },
  },
);

/** What a Trainer is made of: the `trainer` section of a loaded config, or its keys. */
export type TrainerSection = SectionInput<typeof trainerSchema>;

/** A checked `trainer` section, with defaults for the keys that were left out. */
export type TrainerOptions = InferConfig<typeof trainerSchema>;

/** Checks the section; `warnings` receives what has no effect, `lookup` knows the callbacks. */
export function trainerOptions(
  config: unknown,
  warnings: ConfigWarning[],
  lookup?: ComponentLookup,
): TrainerOptions {
  return trainerSchema.parse(config ?? {}, { warnings, lookup });
}

/** How many of `total` an interval means. */
export function countOf(limit: Interval, total: number): number {
  return 'batches' in limit ? Math.min(limit.batches, total) : Math.floor(limit.fraction * total);
}

/** Batches of all ranks together that make an update in an epoch. */
export function batchesOfStepAt(options: TrainerOptions, epoch: number, ranks: number): number {
  return accumulationAt(options, epoch) * ranksCounted(options, ranks);
}

/** By what numbers of batches in the options are multiplied to be those of all ranks. */
export function ranksCounted({ accumulate_over }: TrainerOptions, ranks: number): number {
  return accumulate_over === 'each_rank' ? ranks : 1;
}

/** Batches per update in an epoch, as the option says. */
export function accumulationAt(options: TrainerOptions, epoch: number): number {
  const setting = options.accumulate_grad_batches;
  if (typeof setting === 'number') return setting;
  const startedEntries = Object.entries(setting)
    .map(([first, count]) => ({ first: Number(first), count }))
    .filter(({ first }) => first <= epoch)
    .sort((a, b) => b.first - a.first);
  return startedEntries[0]?.count ?? 1;
}

/**
 * The options for a model that says itself how many batches make a step, of all ranks: its config counts steps where others
 * count batches, as Megatron's do.
 */
export function optionsFor(
  { batchesPerStep }: { readonly batchesPerStep?: number },
  options: TrainerOptions,
): TrainerOptions {
  if (batchesPerStep === undefined || options.accumulate_grad_batches !== 1) return options;
  const scaled = (interval: Interval): Interval =>
    'batches' in interval ? { batches: interval.batches * batchesPerStep } : interval;
  return {
    ...options,
    accumulate_over: 'all_ranks',
    accumulate_grad_batches: batchesPerStep,
    val_check_interval: scaled(options.val_check_interval),
    limit_val_batches: scaled(options.limit_val_batches),
    limit_train_batches: scaled(options.limit_train_batches),
  };
}
