// One pass through evaluation sets: batches to the model's evaluators, metrics out under monitor names.
import type { Interval } from '../config/index.js';
import { type Engine, nextTurn } from '../engine/index.js';
import type { BatchSource, EvaluatedSample, Evaluator, TrainableModel } from '../model/index.js';
import { batchesOf } from './fit/rank-batches.js';
import { Ranks } from './fit/ranks.js';
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
    /** Which share the batches. Default: this one is alone. */
    readonly ranks?: Ranks;
  },
): Promise<Evaluation> {
  const started = performance.now();
  const metrics: Record<string, number> = {};
  const samples: EvaluatedSample[] = [];
  for (const source of sources) {
    const evaluator = model.evaluator(engine);
    const total = countOf(options.limit, source.batchesInEpoch(0));
    const evaluated = (done: number) => {
      options.view.evaluating(`${options.label ?? ''}${source.name}`, done, total);
      return options.interrupted?.() ?? false;
    };
    await evaluateBatches(evaluator, source, total, evaluated, options.ranks ?? new Ranks());
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

/** @param isInterrupted told how many batches are done; whether to leave the others out */
async function evaluateBatches(
  evaluator: Evaluator,
  source: BatchSource,
  total: number,
  isInterrupted: (done: number) => boolean,
  ranks: Ranks,
): Promise<void> {
  if (total === 0) return;
  if (ranks.areSeveral && evaluator.find && evaluator.take) {
    await shareBatches(evaluator as Required<Evaluator>, source, total, isInterrupted, ranks);
    return;
  }
  let done = 0;
  for await (const batch of source.epoch(0)) {
    await evaluator.add(batch);
    await nextTurn();
    const stop = isInterrupted(++done);
    // Of several ranks each evaluates all, and all end alike.
    if (done >= total || ranks.exchange(stop, 'evaluation').includes(true)) return;
  }
}

/** Each rank evaluates a batch, then all take all findings in the order of batches, and so on. */
async function shareBatches(
  evaluator: Required<Evaluator>,
  source: BatchSource,
  total: number,
  isInterrupted: (done: number) => boolean,
  ranks: Ranks,
): Promise<void> {
  const rounds = Math.ceil(total / ranks.size);
  const numbers = Array.from({ length: rounds }, (_, round) => round * ranks.size + ranks.rank);
  const own = batchesOf(
    source,
    0,
    numbers.filter((number) => number < total),
  );
  try {
    for (let round = 0; round < rounds; round++) {
      const { value: batch } = await own.next();
      const finding = batch ? await evaluator.find(batch) : undefined;
      await nextTurn();
      const stop = isInterrupted(Math.min(total, (round + 1) * ranks.size));
      const all = ranks.exchange({ finding, stop }, `evaluation of ${source.name}`);
      for (const { finding } of all) if (finding !== undefined) evaluator.take(finding);
      if (all.some(({ stop }) => stop)) return;
    }
  } finally {
    await own.return();
  }
}

/** Reference over hypothesis, for logs. */
export function describeSample({ name, reference, hypothesis }: EvaluatedSample): string {
  return `${name}\n  reference:  ${reference}\n  hypothesis: ${hypothesis}`;
}
