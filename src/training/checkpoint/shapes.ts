// What manifest.json and state.json of a checkpoint must hold. Keys that later versions add pass.
import { defineSchema, listOf, oneOf, recordOf } from '../../config/index.js';
import { spelledNumber, spelledValue } from '../nonfinite-json.js';

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
    units: { doc: 'Units consumed; absent in earlier checkpoints.', format: 'number', min: 0, default: 0 },
    emptyBatches: {
      doc: 'Batches without weight; absent in earlier checkpoints.',
      format: 'nat',
      default: 0,
    },
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
    state: { doc: 'What it remembers.', format: recordOf(spelledNumber) },
  },
  { extra: 'any' },
);

const optional = { nullable: true, default: null } as const;

/** See IntervalSums. */
const intervalShape = defineSchema(
  'interval',
  {
    steps: { doc: 'Steps.', format: 'nat' },
    examples: { doc: 'Examples.', format: 'number', min: 0 },
    units: { doc: 'Units.', format: 'number', min: 0 },
    seconds: { doc: 'Seconds.', format: 'number', min: 0 },
    waitSeconds: { doc: 'Seconds of them that were spent waiting for data.', format: 'number', min: 0 },
    loss: { doc: 'Sum of the finite losses.', format: spelledNumber },
    losses: { doc: 'Finite losses.', format: 'nat' },
  },
  { extra: 'any' },
);

const loggedShape = defineSchema(
  'logged',
  {
    rows: { doc: 'Rows.', format: 'nat' },
    values: { doc: 'Metrics of these rows.', format: 'nat' },
    texts: { doc: 'Texts.', format: 'nat' },
  },
  { extra: 'any' },
);

const rowShape = defineSchema(
  'row',
  { metrics: { doc: 'A row of metrics.', format: recordOf(spelledNumber) } },
  { extra: 'any' },
);

const textShape = defineSchema(
  'text',
  {
    tag: { doc: 'What the text is of.', format: 'string' },
    text: { doc: 'The text.', format: 'string' },
  },
  { extra: 'any' },
);

const nonfiniteShape = defineSchema(
  'nonfinite',
  {
    skipped: { doc: 'Steps skipped.', format: 'nat' },
    norms: { doc: 'Latest gradient norms.', format: listOf('number') },
  },
  { extra: 'any' },
);

const dataShape = defineSchema(
  'data',
  {
    batches: { doc: 'Batches of the epoch.', format: 'nat' },
    digest: { doc: 'Of the examples.', format: 'string', ...optional },
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
    callbacks: { doc: 'States of the callbacks by name.', format: recordOf(spelledValue) },
    metrics: { doc: 'Latest metrics.', format: recordOf(spelledNumber) },
    // Checkpoints of earlier versions lack the keys from here on.
    interval: { doc: 'Sums since the last log row.', format: intervalShape, ...optional },
    logged: { doc: 'What the loggers had got.', format: loggedShape, ...optional },
    unlogged: { doc: 'What they could not take.', format: listOf(oneOf(rowShape, textShape)), ...optional },
    nonfinite: { doc: 'Of steps that were not finite.', format: nonfiniteShape, ...optional },
    data: { doc: 'Of the training data.', format: dataShape, ...optional },
  },
  { extra: 'any' },
);
