// The BatchSource of speech.
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { AnemoneError, type SourcePosition } from '../../errors/index.js';
import type { Batch, BatchOutline, BatchSource } from '../../model/index.js';
import { type PrefetchGauges, prefetch } from '../prefetch.js';
import { WorkerPool, workerModule } from '../workers/index.js';
import { batchInputs } from './batch-inputs.js';
import {
  type BatchingConfig,
  BatchPlanner,
  type EpochEstimate,
  estimateEpoch,
  type PlannedBatch,
} from './batching/index.js';
import type { SpeechDataset } from './dataset.js';
import { outlineOf } from './largest-batch.js';
import { pipelineRecipe } from './pipeline/recipe.js';
import type {
  BatchFeatures,
  BatchTask,
  PipelineConfig,
  PipelineRecipe,
  UtteranceRef,
} from './pipeline/task.js';
import { UtterancePipeline } from './pipeline/utterance-pipeline.js';

/** A batch that also says which utterances of the data set its rows are. */
export interface SpeechBatch extends Batch {
  readonly indices: readonly number[];
}

/** How batches are made ahead of whoever takes them. */
export interface LoaderConfig {
  /** Worker threads; 0 makes batches in the main thread. */
  readonly workers: number;
  /** Batches under way or ready, at most. Default 2 a worker. */
  readonly prefetchBatches?: number;
  /** Bytes of features these may hold. Default 256 MiB. */
  readonly prefetchBytes?: number;
  /** What an unusable recording does: end the run, or be left out and counted. Default `skip`. */
  readonly onBadAudio?: 'skip' | 'fail';
  /** End the run where nothing seems to be usable any more (an unmounted disk). Default true. */
  readonly givesUp?: boolean;
  /** Seconds after which a batch counts as hung. Default 300. */
  readonly timeoutSeconds?: number;
  /** Bytes the feature cache may still grow by. Default: no bound. */
  readonly cacheBudget?: number | undefined;
}

/** An utterance that could not be used. */
export interface BadUtterance {
  readonly index: number;
  readonly name: string;
  readonly code: string;
  /** Ready to be printed: manifest line, file, reason. */
  readonly message: string;
}

/** What a source of speech batches is made of. */
export interface SpeechSourceOptions {
  readonly name: string;
  readonly dataset: SpeechDataset;
  readonly batching: BatchingConfig;
  readonly pipeline: PipelineConfig;
  readonly loader: LoaderConfig;
  /** Where a key of the data section was written, for messages. */
  readonly positionOf?: ((key: string) => SourcePosition | undefined) | undefined;
  /** Fills targets after their end. Default 0. */
  readonly padId?: number | undefined;
  /** Told of each unusable utterance once. */
  readonly onBad?: ((bad: BadUtterance) => void) | undefined;
  /** Gets a line where batches are made in the main thread although threads were asked for. */
  readonly log?: ((line: string) => void) | undefined;
}

/** So many utterances in a row without a usable one are no longer bad luck (an unmounted disk). */
const HOPELESS = 32;

/**
 * The BatchSource of speech: plans an epoch, has its batches made in worker threads ahead of the consumer, and hands
 * them out in order. What a batch holds does not depend on how many threads made it.
 */
export class SpeechSource implements BatchSource {
  readonly names = { example: 'utt', unit: 'audio-s' };
  readonly name: string;
  readonly dataset: SpeechDataset;
  private readonly planner: BatchPlanner;
  /** For worker threads; undefined where batches are made in the main one. */
  private readonly recipe: PipelineRecipe | undefined;
  private readonly plans = new Map<number, readonly PlannedBatch[]>();
  private readonly prefetched: PrefetchGauges = { ready: 0, running: 0, waitSeconds: 0 };
  private readonly bad = new Map<number, BadUtterance>();
  private readonly counts = { cacheHits: 0, cacheBytes: 0, unusableInARow: 0 };
  private pool: WorkerPool | undefined;
  private inline: UtterancePipeline | undefined;
  private hashed: string | undefined;
  private closed = false;

  constructor(private readonly options: SpeechSourceOptions) {
    this.name = options.name;
    this.dataset = options.dataset;
    this.recipe = travelling(options);
    this.planner = new BatchPlanner(options.dataset, options.batching, options.pipeline.seed);
    if (this.plan(0).length === 0) {
      throw new AnemoneError({
        code: 'data.no-batch',
        path: this.name,
        message: `${this.dataset.length} utterances do not fill one batch`,
        hint: 'lower batch_size or set drop_last: false',
      });
    }
  }

  batchesInEpoch(epoch: number): number {
    return this.plan(epoch).length;
  }

  /** Shapes, padding and the largest batch of an epoch, before it is run. */
  estimate(epoch = 0): EpochEstimate {
    return estimateEpoch(this.planner, this.dataset, epoch);
  }

  largestBatch(): BatchOutline {
    const { width: bins } = this.options.pipeline.frontEnd.config;
    const { promptTokens, promptIndices } = this.dataset;
    const perRow = [...(promptTokens ? ['promptLengths'] : []), ...(promptIndices ? ['promptIndex'] : [])];
    const threads = this.recipe ? this.options.loader.workers : 0;
    const { count: batches, bytes } = this.ahead(threads);
    const parts = { bins, perRow, loader: { threads, batches, bytes }, positionOf: this.options.positionOf };
    return outlineOf(this.name, this.options.batching, this.estimate(), parts);
  }

  /** Of names, times and tokens of all utterances; where their files lie does not matter. */
  digest(): string {
    this.hashed ??= digestOf(this.dataset);
    return this.hashed;
  }

  /** Utterances found unusable so far. */
  badUtterances(): readonly BadUtterance[] {
    return [...this.bad.values()];
  }

  gauges(): Readonly<Record<string, number>> {
    return {
      queue: this.prefetched.ready,
      running: this.prefetched.running,
      waitSeconds: this.prefetched.waitSeconds,
      skipped: this.bad.size,
      cacheHits: this.counts.cacheHits,
    };
  }

  /**
   * Batches of an epoch from number `from` on.
   * @throws AnemoneError `data.bad-audio` (as configured), `data.unusable`, `data.worker-lost`,
   *   `data.worker-timeout`, `data.cache-write`, `data.closed`
   */
  async *epoch(epoch: number, from = 0): AsyncGenerator<SpeechBatch, void, undefined> {
    const count = Math.max(0, this.plan(epoch).length - from);
    const numbers = Array.from({ length: count }, (_, i) => from + i);
    let yielded = 0;
    for await (const batch of this.batches(epoch, numbers)) {
      yielded++;
      yield batch;
    }
    if (yielded === 0 && from === 0 && this.givesUp) throw this.hopeless();
  }

  /** The batches with these numbers; one without a usable recording is left out where nothing may stand in for it. */
  async *batches(epoch: number, numbers: readonly number[]): AsyncGenerator<SpeechBatch, void, undefined> {
    const plan = this.plan(epoch);
    const workers = this.recipe ? this.options.loader.workers : 0;
    const { width: bins } = this.options.pipeline.frontEnd.config;
    const madeBatches = prefetch(
      numbers,
      (number, signal) => this.make(plan, number, epoch, signal),
      {
        ...this.ahead(workers),
        bytesOf: (number) => plan[number].indices.length * plan[number].frames * bins * 4,
      },
      this.prefetched,
    );
    for await (const batch of madeBatches) if (batch) yield batch;
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.pool?.close();
  }

  /** What may be made ahead: batches, and bytes of features. */
  private ahead(workers: number): { readonly count: number; readonly bytes: number } {
    const { prefetchBatches, prefetchBytes } = this.options.loader;
    return {
      count: workers === 0 ? 1 : (prefetchBatches ?? 2 * workers),
      bytes: prefetchBytes ?? 256 * 2 ** 20,
    };
  }

  private get givesUp(): boolean {
    return this.options.loader.givesUp ?? true;
  }

  private plan(epoch: number): readonly PlannedBatch[] {
    let plan = this.plans.get(epoch);
    if (!plan) {
      plan = this.planner.plan(epoch);
      this.plans.set(epoch, plan);
      // The running epoch and its neighbour are enough.
      if (this.plans.size > 2) this.plans.delete([...this.plans.keys()][0]);
    }
    return plan;
  }

  /** One batch; undefined when none of its utterances can be used and nothing may stand in for them. */
  private async make(
    plan: readonly PlannedBatch[],
    number: number,
    epoch: number,
    signal: AbortSignal,
  ): Promise<SpeechBatch | undefined> {
    const refill = this.options.pipeline.training;
    // In training another batch stands in, so that an epoch has the announced number of steps.
    const candidates = refill ? plan.length : 1;
    for (let k = 0; k < candidates; k++) {
      const plannedBatch = plan[(number + k) % plan.length];
      const result = await this.compute(this.task(plannedBatch, epoch, refill), signal);
      this.note(plannedBatch, result);
      if (result.rows.length > 0) {
        this.counts.unusableInARow = 0;
        return this.assemble(plannedBatch, result);
      }
      this.counts.unusableInARow += result.failures.length;
      if (this.counts.unusableInARow >= HOPELESS && this.givesUp) throw this.hopeless();
    }
    return undefined;
  }

  private task(plannedBatch: PlannedBatch, epoch: number, refill: boolean): BatchTask {
    const { cacheBudget } = this.options.loader;
    return {
      items: Array.from(plannedBatch.indices, (i) => sendable(this.dataset.utterances[i].ref)),
      epoch,
      frames: plannedBatch.frames,
      rungs: this.planner.rungs,
      refill,
      cacheWrite: this.counts.cacheBytes < (cacheBudget ?? Number.POSITIVE_INFINITY),
    };
  }

  private compute(task: BatchTask, signal: AbortSignal): Promise<BatchFeatures> {
    const { pipeline, loader } = this.options;
    if (this.closed) {
      return Promise.reject(
        new AnemoneError({ code: 'data.closed', path: this.name, message: 'the data source was closed' }),
      );
    }
    const { recipe } = this;
    if (!recipe) {
      this.inline ??= new UtterancePipeline(pipeline);
      return this.inline.batch(task);
    }
    this.pool ??= new WorkerPool({
      module: workerModule('speech/pipeline/batch-worker'),
      threads: loader.workers,
      data: recipe,
      timeoutSeconds: loader.timeoutSeconds,
    });
    return this.pool.run<BatchFeatures>(task, this.labelOf(task), signal);
  }

  /** A batch as errors name it: its first utterances, with where they are listed. */
  private labelOf({ items }: BatchTask): string {
    const itemNames = items
      .slice(0, 3)
      .map(({ index, path }) => `${path} (${this.dataset.utterances[index].origin})`);
    const moreText = items.length > itemNames.length ? ` and ${items.length - itemNames.length} more` : '';
    return `a batch with ${itemNames.join(', ') || 'nothing'}${moreText}`;
  }

  /** Books failures and cache use; throws where a bad recording is to end the run. */
  private note(plannedBatch: PlannedBatch, result: BatchFeatures): void {
    this.counts.cacheHits += result.cacheHits;
    this.counts.cacheBytes += result.cacheBytes;
    for (const { item, code, message } of result.failures) {
      const index = plannedBatch.indices[item];
      const { name, origin } = this.dataset.utterances[index];
      const badUtterance: BadUtterance = { index, name, code, message: `${origin}: ${message}` };
      if (this.options.loader.onBadAudio === 'fail') {
        throw new AnemoneError({
          code: 'data.bad-audio',
          message: badUtterance.message,
          hint: 'repair or remove the line, or set on_bad_audio: skip',
        });
      }
      if (this.bad.has(index)) continue;
      this.bad.set(index, badUtterance);
      this.options.onBad?.(badUtterance);
    }
  }

  private assemble(plannedBatch: PlannedBatch, result: BatchFeatures): SpeechBatch {
    const indices = result.rows.map((row) => plannedBatch.indices[row]);
    const size = indices.length;
    const { promptTokens, promptIndices } = this.dataset;
    const inputs = batchInputs(result, {
      ids: indices.map((index) => this.dataset.tokenIds(index)),
      width: plannedBatch.tokens,
      padId: this.options.padId,
      promptLengths: promptTokens && indices.map((index) => promptTokens[index]),
      promptIndices: promptIndices && indices.map((index) => promptIndices[index]),
    });
    const utterances = indices.map((index) => this.dataset.utterances[index]);
    return {
      inputs,
      size,
      units: result.seconds,
      names: utterances.map((u) => u.name),
      texts: utterances.map((u) => u.text),
      indices,
    };
  }

  private hopeless(): AnemoneError {
    return new AnemoneError({
      code: 'data.unusable',
      path: this.name,
      message: `no utterance could be used, ${this.bad.size} were tried; the last reason: ${[...this.bad.values()].at(-1)?.message}`,
      hint: 'run `anemone manifest check` on the manifest',
    });
  }
}

/** The pipeline for worker threads, where there are to be any and all of its bricks can go there. */
function travelling({ pipeline, loader, log }: SpeechSourceOptions): PipelineRecipe | undefined {
  if (loader.workers === 0) return undefined;
  const recipe = pipelineRecipe(pipeline);
  if (!isList(recipe)) return recipe;
  log?.(
    `features are computed in the main thread: ${recipe.join(', ')} cannot be made in a worker (toWorker)`,
  );
  return undefined;
}

function isList(recipe: PipelineRecipe | readonly string[]): recipe is readonly string[] {
  return Array.isArray(recipe);
}

function digestOf(dataset: SpeechDataset): string {
  const hash = createHash('sha256');
  for (const [i, { ref, seconds }] of dataset.utterances.entries()) {
    const tokens = dataset.tokenIds(i);
    hash.update(`${basename(ref.path)}\n${ref.offset} ${seconds} ${tokens.length}\n`);
    hash.update(new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength));
  }
  return hash.digest('hex');
}

/** A message to a thread takes the whole buffer of a view along: a view on a part gets a buffer of its own. */
function sendable(ref: UtteranceRef): UtteranceRef {
  const { samples } = ref;
  return samples && samples.byteLength < samples.buffer.byteLength
    ? { ...ref, samples: samples.slice() }
    : ref;
}
