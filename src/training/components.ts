// Callbacks and loggers as a config names them: `trainer.callbacks: [{_target_: EarlyStopping, …}]`,
// `exp_manager.loggers: [{_target_: CsvLogger, …}]`.
import { join } from 'node:path';
import { type ConfigOf, defineSchema, type InferConfig } from '../config/index.js';
import { type ComponentDescriptor, component, defineKind } from '../container/index.js';
import type { Callback } from './callbacks/callback.js';
import { EarlyStopping } from './callbacks/early-stopping.js';
import { EmaCallback } from './callbacks/ema.js';
import { RunTimeLimit, StepTiming } from './callbacks/timing.js';
import { earlyStoppingSchema, emaFields } from './exp-manager-options.js';
import { CsvLogger } from './loggers/csv.js';
import { JsonLinesLogger } from './loggers/json-lines.js';
import type { MetricsLogger } from './loggers/logger.js';
import { TensorBoardLogger } from './loggers/tensorboard.js';

/** Callbacks as a kind of component: what `_target_` in `trainer.callbacks` may name. */
export const callbackKind = defineKind<Callback>('callback', 'a callback');
/** A logger whose schema has a key `folder` gets the run's unless the config gives one. */
export const loggerKind = defineKind<MetricsLogger>('logger', 'a logger');

/** @param config keys of `early_stopping_callback_params` */
export function earlyStoppingOf(config: InferConfig<typeof earlyStoppingSchema>): EarlyStopping {
  return new EarlyStopping({
    monitor: config.monitor,
    mode: config.mode,
    minDelta: config.min_delta,
    patience: config.patience,
    checkFinite: config.check_finite,
    stoppingThreshold: config.stopping_threshold ?? undefined,
    divergenceThreshold: config.divergence_threshold ?? undefined,
  });
}

/** @param config keys of `ema` */
export function emaOf(config: ConfigOf<typeof emaFields>): EmaCallback {
  return new EmaCallback({
    decay: config.decay,
    everyNSteps: config.every_n_steps,
    validateOriginalWeights: config.validate_original_weights,
  });
}

function lightningNames(name: string): string[] {
  return ['lightning.pytorch', 'pytorch_lightning'].map((module) => `${module}.callbacks.${name}`);
}

const callbacks = [
  component({
    kind: callbackKind,
    name: 'EarlyStopping',
    aliases: [...lightningNames('EarlyStopping'), ...lightningNames('early_stopping.EarlyStopping')],
    schema: earlyStoppingSchema,
    create: earlyStoppingOf,
  }),
  component({
    kind: callbackKind,
    name: 'EmaCallback',
    schema: defineSchema('EmaCallback', emaFields),
    create: emaOf,
  }),
  component({
    kind: callbackKind,
    name: 'StepTiming',
    schema: defineSchema('StepTiming', {
      buffer_size: { doc: 'Steps that the mean is taken over.', format: 'int', default: 1, min: 1 },
    }),
    create: ({ buffer_size }) => new StepTiming(buffer_size),
  }),
  component({
    kind: callbackKind,
    name: 'RunTimeLimit',
    schema: defineSchema('RunTimeLimit', {
      seconds: { doc: 'After which the run ends, counted anew at each start.', format: 'number', above: 0 },
    }),
    create: ({ seconds }) => new RunTimeLimit(seconds),
  }),
];

const folder = {
  doc: 'Where to write. Default: the folder of the run.',
  format: 'string',
  nullable: true,
  default: null,
} as const;

const loggers = [
  component({
    kind: loggerKind,
    name: 'TensorBoardLogger',
    aliases: ['lightning.pytorch.loggers.TensorBoardLogger'],
    schema: defineSchema('TensorBoardLogger', { folder }),
    create: ({ folder }) => new TensorBoardLogger(folder ?? '.'),
  }),
  component({
    kind: loggerKind,
    name: 'CsvLogger',
    aliases: ['lightning.pytorch.loggers.CSVLogger'],
    schema: defineSchema('CsvLogger', {
      folder,
      file: { doc: 'Name of the file.', format: 'string', default: 'metrics.csv' },
    }),
    create: ({ folder, file }) => new CsvLogger(join(folder ?? '.', file)),
  }),
  component({
    kind: loggerKind,
    name: 'JsonLinesLogger',
    schema: defineSchema('JsonLinesLogger', {
      folder,
      file: { doc: 'Name of the file.', format: 'string', default: 'metrics.jsonl' },
    }),
    create: ({ folder, file }) => new JsonLinesLogger(join(folder ?? '.', file)),
  }),
];

/** Every component of the training folder, for the composition root. */
export const trainingComponents: readonly ComponentDescriptor[] = [...callbacks, ...loggers];
