// Keeps report.html of a run up to date: after every validation and at the end.

import { cpus } from 'node:os';
import { join } from 'node:path';
import { type EvaluatedSample, type HeatMap, isReportContributor } from '../../nn/index.js';
import { Callback, type Outcome, type TrainingRun, type ValidationReport } from '../callbacks/callback.js';
import { type MetricRow, readMetricRows } from '../loggers/json-lines.js';
import { formatDuration } from '../progress/progress-view.js';
import { replaceFile } from '../replace-file.js';
import { reportPage, summaryFacts } from './page.js';

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

  get path(): string {
    return join(this.folder, 'report.html');
  }

  override async onValidationEnd(run: TrainingRun, report: ValidationReport): Promise<void> {
    this.samples = report.samples;
    await this.write(run);
  }

  override async onFitEnd(run: TrainingRun, outcome: Outcome): Promise<void> {
    if (outcome.kind !== 'failed') await this.write(run);
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
    return await run.model.reportContributions(run.engine);
  } catch (error) {
    run.say(`no pictures in the report: ${error instanceof Error ? error.message : String(error)}`);
    return [];
  }
}
