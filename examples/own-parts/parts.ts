// Parts of your own that a config names: a callback and a logger. `--import ./parts.ts` gives them to the commands.
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineSchema } from '../../src/config/index.js';
import { component } from '../../src/container/index.js';
import {
  Callback,
  callbackKind,
  loggerKind,
  type MetricsLogger,
  type TrainingRun,
  type ValidationReport,
} from '../../src/training/index.js';

/** Ends a run once a metric is good enough. */
class GoodEnough extends Callback {
  readonly name = 'good_enough';

  constructor(
    private readonly metric: string,
    private readonly limit: number,
  ) {
    super();
  }

  override async onValidationEnd(run: TrainingRun, report: ValidationReport): Promise<void> {
    const value = report.metrics[this.metric];
    if (value <= this.limit) run.stop({ kind: 'stopped', reason: `${this.metric} is ${value}` });
  }
}

export const goodEnough = component({
  kind: callbackKind,
  name: 'GoodEnough',
  schema: defineSchema('GoodEnough', {
    metric: { doc: 'Which metric to look at.', format: 'string', default: 'val/loss' },
    limit: { doc: 'At which value the run ends.', format: 'number' },
  }),
  create: ({ metric, limit }) => new GoodEnough(metric, limit),
});

/** Writes one metric as plain text. */
class PlainLogger implements MetricsLogger {
  constructor(
    private readonly file: string,
    private readonly metric: string,
  ) {}

  async start(): Promise<void> {}

  async log(step: number, metrics: Readonly<Record<string, number>>): Promise<void> {
    const value = metrics[this.metric];
    if (value !== undefined) appendFileSync(this.file, `${step} ${value}\n`);
  }

  async text(): Promise<void> {}
  async close(): Promise<void> {}
}

export const plainLogger = component({
  kind: loggerKind,
  name: 'PlainLogger',
  schema: defineSchema('PlainLogger', {
    folder: { doc: 'Default: the folder of the run.', format: 'string', nullable: true, default: null },
    metric: { doc: 'Which metric to write.', format: 'string', default: 'train/loss' },
  }),
  create: ({ folder, metric }) => new PlainLogger(join(folder ?? '.', 'loss.txt'), metric),
});
