// The callback that writes the report.
import { cpus } from 'node:os';
import { join } from 'node:path';
import { type EvaluatedSample, type HeatMap, isReportContributor } from '../../model/index.js';
import {
  Callback,
  fieldsOf,
  type Outcome,
  type TrainingRun,
  type ValidationReport,
} from '../callbacks/callback.js';
import type { JsonValue } from '../checkpoint/content.js';
import { type MetricRow, readMetricRows } from '../loggers/json-lines.js';
import { formatDuration } from '../progress/progress-view.js';
import { replaceFile } from '../replace-file.js';
import { reportPage, summaryFacts } from './page.js';
import { MOST_SAMPLES } from './sample-table.js';

/** Keeps report.html of a run up to date: after every validation and at the end. */
export class ReportCallback extends Callback {
  readonly name = 'report';
  private samples: readonly EvaluatedSample[] = [];
  private rows: MetricRow[] = [];

  /**
   * @param folder of the run; its metrics.jsonl supplies what earlier, cut-off runs logged
   * @param title usually the experiment's name
   */
  constructor(
    private readonly folder: string,
    private readonly title: string,
  ) {
    super();
  }

  /** Where the report is written. */
  get path(): string {
    return join(this.folder, 'report.html');
  }

  override async onValidationEnd(run: TrainingRun, report: ValidationReport): Promise<void> {
    this.samples = report.samples.slice(0, MOST_SAMPLES);
    await this.write(run);
  }

  override async onTestEnd(run: TrainingRun): Promise<void> {
    await this.write(run);
  }

  override async onFitEnd(run: TrainingRun, outcome: Outcome): Promise<void> {
    if (outcome.kind !== 'failed') await this.write(run);
  }

  /** The samples that are shown: a start that validates no more would lose them. */
  override state(): JsonValue {
    return {
      samples: this.samples.map(({ name, reference, hypothesis }) => ({ name, reference, hypothesis })),
    };
  }

  override check(state: JsonValue): string | undefined {
    const { samples } = fieldsOf(state);
    return Array.isArray(samples) && samples.every(isSample) ? undefined : 'its samples are none';
  }

  override restore(state: JsonValue): void {
    this.samples = fieldsOf(state)['samples'] as unknown as readonly EvaluatedSample[];
  }

  private async write(run: TrainingRun): Promise<void> {
    this.rows = await readMetricRows(join(this.folder, 'metrics.jsonl'));
    const html = reportPage({
      title: this.title,
      facts: [...facts(run), ...summaryFacts(this.rows)],
      rows: this.rows,
      samples: this.samples,
      pictures: await pictures(run),
    });
    await replaceFile(this.path, html);
  }
}

function isSample(value: JsonValue): boolean {
  const { name, reference, hypothesis } = fieldsOf(value);
  return [name, reference, hypothesis].every((text) => typeof text === 'string');
}

function facts(run: TrainingRun): [string, string][] {
  const { step, epoch, seconds } = run.progress;
  const size = run.model.module.parameterCount();
  return [
    ['step', String(step)],
    ['epochs done', String(epoch)],
    ['time', formatDuration(seconds)],
    ['parameters', size.toLocaleString('en')],
    ['engine', run.engine.name],
    ['machine', `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}`],
  ];
}

/** What the model offers; a picture that fails must not end the run. */
async function pictures(run: TrainingRun): Promise<readonly HeatMap[]> {
  if (!isReportContributor(run.model)) return [];
  try {
    return await run.model.reportContributions(run.engine, () => run.validationBatch());
  } catch (error) {
    run.say(`no pictures in the report: ${error instanceof Error ? error.message : String(error)}`);
    return [];
  }
}
