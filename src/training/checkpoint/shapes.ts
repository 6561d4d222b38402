// What manifest.json and state.json of a checkpoint must hold. Keys that later versions add pass.
import { defineSchema, listOf, recordOf } from '../../config/index.js';

const fileRecord = defineSchema('file', {
  bytes: { doc: 'Size of the file.', format: 'nat' },
  sha256: { doc: 'Hash of its bytes, in hexadecimal.', format: 'string' },
});

export const manifestShape = defineSchema(
  'manifest.json',
  {
    format: { doc: 'What wrote it.', format: 'string' },
    version: { doc: 'Version of the format.', format: 'int' },
    created: { doc: 'Date and time, ISO 8601.', format: 'string' },
    files: { doc: 'Size and hash of every other file.', format: recordOf(fileRecord) },
  },
  { extra: 'any' },
);

/** Counters of a run; see RunProgress. */
const progressShape = defineSchema(
  'progress',
  {
    epoch: { doc: 'Epochs completed.', format: 'nat' },
    batch: { doc: 'Batches consumed in the epoch.', format: 'nat' },
    batches: { doc: 'Batches consumed in the run.', format: 'nat' },
    step: { doc: 'Optimizer steps taken or skipped.', format: 'nat' },
    updates: { doc: 'Optimizer steps that changed the weights.', format: 'nat' },
    validationPending: { doc: 'Whether a validation is due.', format: 'boolean' },
    seconds: { doc: 'Seconds spent in fit.', format: 'number', min: 0 },
    examples: { doc: 'Examples consumed.', format: 'nat' },
  },
  { extra: 'any' },
);

const optimizerShape = defineSchema(
  'optimizer',
  {
    name: { doc: 'Name of the optimizer.', format: 'string' },
    groups: { doc: 'Names of its parameter groups.', format: listOf('string') },
  },
  { extra: 'any' },
);

const schedulerShape = defineSchema(
  'scheduler',
  {
    name: { doc: 'Name of the schedule.', format: 'string' },
    state: { doc: 'What it remembers.', format: recordOf('number') },
  },
  { extra: 'any' },
);

export const stateShape = defineSchema(
  'state.json',
  {
    progress: { doc: 'How far the run has come.', format: progressShape },
    seed: { doc: 'Seed of every random stream.', format: 'int' },
    engine: { doc: 'Name of the engine.', format: 'string' },
    optimizer: { doc: 'The optimizer.', format: optimizerShape },
    scheduler: { doc: 'The learning rate schedule.', format: schedulerShape },
    callbacks: { doc: 'States of the callbacks by name.', format: recordOf('any') },
    metrics: { doc: 'Latest metrics.', format: recordOf('number') },
  },
  { extra: 'any' },
);
