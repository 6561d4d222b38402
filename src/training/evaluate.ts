// One pass through evaluation sets: batches to the model's evaluators, metrics out under monitor names.
import type { Interval } from '../config/index.js';
import type { Engine } from '../engine/index.js';
import type { BatchSource, EvaluatedSample, TrainableModel } from '../model/index.js';
import type { ProgressView } from './progress/progress-view.js';
import { countOf } from './trainer-options.js';

/** What one pass through the evaluation sets found. */
export interface Evaluation {
  /** `val/wer` is the first set's; with several sets each also has `val/wer/NAME`. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Samples of all sets, in order. */
  readonly samples: readonly EvaluatedSample[];
  readonly seconds: number;
}

/**
 * Runs the model's evaluators over all sources.
 * @param options `prefix` is the group of the metrics' names, `val` or `test`; `limit` bounds the batches of each
 *   set
 */
export async function evaluate(
  model: TrainableModel,
  engine: Engine,
  sources: readonly BatchSource[],
  options: {
    readonly prefix: string;
    readonly limit: Interval;
    readonly view: ProgressView;
    /** Put before the set's name in the progress. */
    readonly label?: string;
    /** Asked after each batch: leave the rest out. */
    readonly interrupted?: () => boolean;
  },
): Promise<Evaluation> {
  const started = performance.now();
  const metrics: Record<string, number> = {};
  const samples: EvaluatedSample[] = [];
  for (const source of sources) {
    const evaluator = model.evaluator(engine);
    const total = countOf(options.limit, source.batchesInEpoch(0));
    let done = 0;
    if (total > 0) {
      for await (const batch of source.epoch(0)) {
        await evaluator.add(batch);
        options.view.evaluating(`${options.label ?? ''}${source.name}`, ++done, total);
        if (done >= total || options.interrupted?.()) break;
      }
    }
    const summary = evaluator.summary();
    samples.push(...summary.samples);
    for (const [key, value] of Object.entries(summary.metrics)) {
      const name = `${options.prefix}/${key}`;
      if (sources.length > 1) metrics[`${name}/${source.name}`] = value;
      metrics[name] ??= value;
    }
  }
  return { metrics, samples, seconds: (performance.now() - started) / 1000 };
}

/** Reference over hypothesis, for logs. */
export function describeSample({ name, reference, hypothesis }: EvaluatedSample): string {
  return `${name}\n  reference:  ${reference}\n  hypothesis: ${hypothesis}`;
}
