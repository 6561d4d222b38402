// The Trainer. Longer than other files because it is the whole public interface of training; the work is done in fit/.
import { join } from 'node:path';
import {
  type ConfigNode,
  type ConfigWarning,
  EMPTY_SECTION,
  isMapping,
  positionOf,
  toYaml,
} from '../config/index.js';
import { CONFIG_WARNINGS, Container, LOG, SEED } from '../container/index.js';
import { cancellable, ENGINE, type Engine } from '../engine/index.js';
import { AnemoneError, outliveReaders } from '../errors/index.js';
import type { BatchSource, EvaluatedSample, TrainableModel } from '../model/index.js';
import { type AssembledParts, assembleParts, noData, precisionLines } from './assemble.js';
import type { Callback, Outcome } from './callbacks/callback.js';
import { resolveCheckpoint } from './checkpoint/folder.js';
import type { Checkpoint } from './checkpoint/reader.js';
import { restoreWeights, type WeightChoice } from './checkpoint/weights.js';
import { callbackKind, trainingComponents } from './components.js';
import { dumpFolder, NonfiniteHandler } from './diagnosis/nonfinite.js';
import { enterWorld } from './enter-world.js';
import { type Evaluation, evaluate } from './evaluate.js';
import { FitRun } from './fit/fit-run.js';
import { measureGemmRate } from './fit/gemm-rate.js';
import { trainLoop } from './fit/loop.js';
import type { Lever } from './fit/memory-levers.js';
import { fitsInto, type MemoryPlan } from './fit/memory-plan.js';
import { type GivenData, listOf } from './fit/open-data.js';
import { Ranks } from './fit/ranks.js';
import { resume } from './fit/resume.js';
import { requireSameRun } from './fit/same-run.js';
import type { MetricsLogger } from './loggers/logger.js';
import { describePrecision } from './precision.js';
import { PROGRESS_VIEW, type ProgressView } from './progress/progress-view.js';
import { TeeView } from './progress/tee-view.js';
import { RUN_FOLDER } from './run-folder.js';
import type { RunLock } from './run-lock.js';
import { freshProgress, type RunProgress } from './run-progress.js';
import { listenForStop } from './signals.js';
import { type TrainerOptions, type TrainerSection, trainerOptions } from './trainer-options.js';
import { type GivenServices, trainerServices } from './trainer-services.js';

/** What a fit would do, and what it would take. */
export interface RunPlan {
  /** Undefined where the data or the engine cannot tell. */
  readonly memory: MemoryPlan | undefined;
  /** Whether `memory` fits into what is free. */
  readonly fits: boolean;
  /** What would take less. */
  readonly levers: readonly Lever[];
  /** Numbers that are trained or frozen. */
  readonly parameters: number;
  readonly batchesInEpoch: number;
  /** Undefined where nothing ends the run. */
  readonly totalSteps: number | undefined;
  /** Data sets that were opened, by name. */
  readonly sets: readonly string[];
}

/** What is given here wins over what is registered in the container, and this over the config. */
export interface TrainerDependencies extends GivenServices {
  readonly callbacks?: readonly Callback[];
  readonly loggers?: readonly MetricsLogger[];
  /** Knows the components that configs may name, default: those of this library; and services that replace ours. */
  readonly container?: Container;
}

/** How a fit ended, and where. */
export interface FitResult {
  readonly outcome: Outcome;
  readonly progress: Readonly<RunProgress>;
  /** Latest value of everything logged. */
  readonly metrics: Readonly<Record<string, number>>;
  /** The test sets that wait for `test`, by name. */
  readonly testSets: readonly string[];
}

/**
 * The Trainer: options, engine, callbacks and loggers around the loop of fit/, and the shorter ways through
 * evaluation. What a run is made of is assembled here; nothing is computed here. Source: the Trainer of PyTorch
 * Lightning.
 */
export class Trainer {
  readonly options: TrainerOptions;
  /** Services by token, and components: a scope of the container given, with what follows from the trainer's config. */
  readonly services: Container;
  readonly callbacks: Callback[];
  readonly loggers: MetricsLogger[];
  /** Checkpoint that the next fit goes on from when it is given none; set by `expManager`. */
  resumeFrom: Checkpoint | undefined;
  /** Those before it, used in turn when it turns out to be damaged; set by `expManager`. */
  resumeInstead: readonly Checkpoint[] = [];
  /** Keep other processes out of the folders written to; set by `expManager`, given back by `dispose`. */
  readonly locks: RunLock[] = [];
  /** Further sections that checkpoints keep; set by `expManager`. */
  readonly recorded: Record<string, ConfigNode> = {};
  private shown: ProgressView | undefined;
  /** Keeps what is said in the folder of the run. */
  private folderView: TeeView | undefined;
  private folder: string | undefined;
  private made: Engine | undefined;
  /** Test sets that a fit opened, for the test of its model. */
  private testData: { readonly model: TrainableModel; readonly sources: readonly BatchSource[] } | undefined;
  private entered: Ranks | undefined;
  /** The latest fit: metrics of a test of its model belong to it. */
  private ended: FitRun | undefined;

  /**
   * @param config the `trainer` section, or plain values of its keys
   * @throws AnemoneError for unknown keys, wrong types and values that are not supported
   */
  constructor(
    config: TrainerSection = {},
    private readonly dependencies: TrainerDependencies = {},
  ) {
    const warnings: ConfigWarning[] = [];
    const container = dependencies.container ?? new Container().registerAll(trainingComponents);
    this.services = trainerServices(container, dependencies, {
      trainer: this,
      owns: (engine) => {
        this.made = engine;
      },
      keep: (text) => this.folderView?.keep(text),
      folder: () => this.folder,
    });
    this.options = trainerOptions(config, warnings, container.components);
    this.callbacks = [
      ...(dependencies.callbacks ?? []),
      ...(this.options.callbacks ?? []).map((node) => this.services.instantiate(node, callbackKind)),
    ];
    this.loggers = [...(dependencies.loggers ?? [])];
    this.warn(warnings);
    this.recorded['trainer'] = section(config);
  }

  /** Of the initial weights and of the data's order, unless a run goes on from a checkpoint. */
  get seed(): number {
    return this.services.resolve(SEED);
  }

  /** What the config of a model made with this trainer may name, when the trainer was given a container. */
  get container(): Container | undefined {
    return this.dependencies.container;
  }

  /** The engine of all runs of this trainer. */
  get engine(): Engine {
    return this.services.resolve(ENGINE);
  }

  /** Shows the progress of runs. */
  get view(): ProgressView {
    this.shown ??= this.services.resolve(PROGRESS_VIEW);
    return this.shown;
  }

  set view(view: ProgressView) {
    this.shown = view;
  }

  /** Where a run's files go; that of the container, or set by `expManager`. */
  get logFolder(): string | undefined {
    return this.folder ?? this.services.resolve(RUN_FOLDER).path;
  }

  set logFolder(folder: string | undefined) {
    this.folder = folder;
  }

  /**
   * The ranks that train; `fit` and `expManager` come here first. With `trainer.devices` above 1 this starts them, unless a
   * launcher has: processes that run this program again, which come here too. The process that started them only waits for
   * them, and ends with them: what follows runs in the ranks.
   * @throws AnemoneError `trainer.devices`, `trainer.num-nodes`, `distributed.*`
   */
  async ranks(): Promise<Ranks> {
    this.entered ??= await enterWorld(this.options);
    return this.entered;
  }

  /** Tells of keys without effect. */
  warn(warnings: readonly ConfigWarning[]): void {
    if (warnings.length > 0) this.services.resolve(CONFIG_WARNINGS)(warnings);
  }

  /** Tells the user something. */
  say(text: string): void {
    this.services.resolve(LOG)(text);
  }

  /**
   * Trains until a limit, a callback or a signal ends it.
   * @param options.checkpoint path to go on from, everything included (weights, optimizer, data order)
   * @param options.train data instead of that of the model's config; `batchesOf` makes a source of a list of examples
   * @param options.validation the same for validation: one set or several
   * @param options.test the same for the test after it. The test set of the config is opened before the first step, and
   *   kept for `test`; with `options.train` it is not, and `[]` leaves it alone
   * @param options.signal ends the run when it is aborted, in the middle of a step: what the last whole step left is what
   *   callbacks save and the model keeps, and the outcome is `interrupted`
   */
  async fit(model: TrainableModel, options: FitOptions = {}): Promise<FitResult> {
    const ranks = await this.ranks();
    const ends = [outliveReaders(), ranks.begin(), ...this.locks.map((lock) => lock.begin())];
    try {
      return await this.fitAmong(ranks, model, options);
    } catch (error) {
      ranks.leave(error);
      throw error;
    } finally {
      for (const end of ends) end();
    }
  }

  private async fitAmong(ranks: Ranks, model: TrainableModel, options: FitOptions): Promise<FitResult> {
    const checkpoints = options.checkpoint
      ? [await resolveCheckpoint(options.checkpoint)]
      : this.resumeFrom
        ? [this.resumeFrom, ...this.resumeInstead]
        : [];
    const run = await ranks.together(
      () => this.prepare(ranks, model, checkpoints, options),
      'start of the run',
    );
    requireSameRun(ranks, {
      config: run.config,
      seed: run.seed,
      train: run.parts.source,
      validation: run.parts.validation,
      progress: run.parts.progress,
    });
    const { signal } = options;
    const onAbort = () => run.stop({ kind: 'interrupted', reason: ABORTED });
    if (signal?.aborted) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    const unlisten = this.options.handle_signals
      ? listenForStop((signal) => {
          run.say(`${signal}: finishing the step and saving; once more to stop at once`);
          run.stop({ kind: 'interrupted', reason: signal });
        })
      : () => {};
    try {
      await this.drive(run);
    } finally {
      unlisten();
      signal?.removeEventListener('abort', onAbort);
      await this.close(run);
    }
    this.ended = run;
    return {
      outcome: run.outcome ?? { kind: 'finished', reason: 'done' },
      progress: run.progress,
      metrics: run.metrics,
      testSets: this.testData?.sources.map(({ name }) => name) ?? [],
    };
  }

  /**
   * What `fit` would do, and what memory it would take: checks the config, opens all data and traces a step of the largest
   * batch. Nothing is trained and nothing is written.
   * @throws AnemoneError what `fit` would throw before its first step, but for `trainer.memory`
   */
  async plan(model: TrainableModel, options: FitOptions = {}): Promise<RunPlan> {
    const ready = await this.ready(model, options, this.seed, new Ranks());
    const { memory, plan, source, validation } = ready;
    const test = this.testData?.sources ?? [];
    try {
      const memoryPlan = memory.plan();
      return {
        memory: memoryPlan,
        fits: memoryPlan === undefined || fitsInto(memoryPlan),
        levers: memoryPlan ? memory.levers(memoryPlan) : [],
        parameters: model.module.parameterCount(),
        batchesInEpoch: plan.batchesIn(0),
        totalSteps: plan.totalSteps,
        sets: [source, ...validation, ...test].map(({ name }) => name),
      };
    } finally {
      ready.programs.dispose();
      for (const opened of [source, ...validation]) await opened.close();
      await this.closeTest();
    }
  }

  /** Metrics of the validation sets, under `val/*`. */
  async validate(model: TrainableModel, options: EvaluationOptions = {}): Promise<Evaluation> {
    const sources = options.data ? listOf(options.data) : await model.validationSources();
    return this.evaluateOn(model, sources, 'val', this.options.limit_val_batches, options);
  }

  /** Metrics of the test sets, under `test/*`; after a fit of the same model they are also logged, and in its report. */
  async test(model: TrainableModel, options: EvaluationOptions = {}): Promise<Evaluation> {
    const sources = options.data ? listOf(options.data) : await this.testSourcesOf(model);
    const { limit_test_batches: limit } = this.options;
    const evaluation = await this.evaluateOn(model, sources, 'test', limit, options);
    const run = this.ended;
    if (run?.model === model) {
      await run.logAfterwards({ ...evaluation.metrics, 'test/seconds': evaluation.seconds });
      await run.tell((callback) => callback.onTestEnd(run, evaluation));
      run.throwFailure();
    }
    return evaluation;
  }

  /** What the model says about every example of the given sets. */
  async predict(
    model: TrainableModel,
    sources: readonly BatchSource[],
    options: EvaluationOptions = {},
  ): Promise<readonly EvaluatedSample[]> {
    const limit = this.options.limit_predict_batches;
    return (await this.evaluateOn(model, sources, 'predict', limit, options)).samples;
  }

  /** Makes `folder` the place of this run's files; what is said is also written to its log. */
  enterFolder(folder: string): void {
    this.folder = folder;
    this.folderView = new TeeView(this.view, join(folder, 'anemone_log.txt'));
    this.view = this.folderView;
  }

  /** Frees the engine this trainer made, and its folder for other processes. */
  async dispose(): Promise<void> {
    for (const lock of this.locks.splice(0)) lock.release();
    await this.closeTest();
    await this.made?.dispose();
    this.made = undefined;
    // A later run makes another.
    this.services.forget(ENGINE);
  }

  /** Those that the fit of the model opened, once; they are closed after a test. */
  private async testSourcesOf(model: TrainableModel): Promise<readonly BatchSource[]> {
    const { testData } = this;
    if (testData?.model !== model || testData.sources.length === 0) return model.testSources();
    this.testData = undefined;
    return testData.sources;
  }

  private async closeTest(): Promise<void> {
    for (const source of this.testData?.sources ?? []) await source.close();
    this.testData = undefined;
  }

  private async evaluateOn(
    model: TrainableModel,
    sources: readonly BatchSource[],
    prefix: string,
    limit: TrainerOptions['limit_val_batches'],
    options: EvaluationOptions,
  ): Promise<Evaluation> {
    await describePrecision(this.options.precision, this.engine, undefined);
    if (sources.length === 0) throw noData(model, prefix === 'val' ? 'validation' : prefix);
    if (options.checkpoint) {
      const checkpoint = await resolveCheckpoint(options.checkpoint);
      await restoreWeights(checkpoint, model, this.engine, options.weights ?? 'auto');
    }
    const { view, entered: ranks } = this;
    const endWork = ranks?.begin();
    try {
      const pass = () =>
        evaluate(model, this.engine, sources, { prefix, limit, view, ...(ranks && { ranks }) });
      return await cancellable(options.signal, pass);
    } catch (error) {
      ranks?.leave(error);
      throw error;
    } finally {
      endWork?.();
      this.view.end();
      for (const source of sources) await source.close();
    }
  }

  /** @param checkpoints to go on from: the first that is whole */
  private async prepare(
    ranks: Ranks,
    model: TrainableModel,
    checkpoints: readonly Checkpoint[],
    data: FitOptions,
  ): Promise<FitRun> {
    const { options, engine, view } = this;
    // Before the data is opened: its order and augmentation follow the same seed.
    const seed = checkpoints[0]?.state.seed ?? this.seed;
    const ready = await this.ready(model, data, seed, ranks);
    const { optimizer, scheduler, source } = ready;
    ready.memory.beforeRun();
    // The checkpoint holds what the other callbacks know after a validation, so it is saved after them.
    const callbacks = [...this.callbacks].sort((a, b) => Number(a.savesRun) - Number(b.savesRun));
    const say = (text: string) => this.say(text);
    const skip = options.nonfinite === 'skip' || model.config['skip_nan_grad'] === true;
    const config = toYaml({ model: section(model.config), ...this.recorded });
    const isGiven =
      this.services.isRegistered(SEED) || section(this.recorded['trainer'])['seed'] !== undefined;
    const resumed = await resume(checkpoints, {
      now: {
        config,
        seed: isGiven ? this.seed : undefined,
        engine: engine.name,
        source,
        artifacts: await model.artifacts(),
      },
      parts: { model, engine, optimizer, scheduler, callbacks, convertPrecision: options.convert_precision },
      say,
    });
    const nonfinite = new NonfiniteHandler(skip ? 'skip' : 'stop', dumpFolder(this.logFolder));
    if (resumed?.state.nonfinite) nonfinite.restore(resumed.state.nonfinite);
    if (resumed?.state.lossScale) ready.lossScale?.restore(resumed.state.lossScale);
    for (const line of await precisionLines(options, engine, ready.lossScale)) say(line);
    const ranksLine = ranks.describe(ready.sizes.at({ epoch: 0, examples: 0 }));
    if (ranksLine !== undefined) say(ranksLine);
    return new FitRun({
      ...ready,
      gemmRate: ready.source.measuresRate ? await measureGemmRate(engine) : undefined,
      callbacks,
      loggers: ranks.isFirst ? this.loggers : [],
      ranks,
      view,
      say,
      nonfinite,
      config,
      progress: { ...freshProgress(), ...resumed?.state.progress },
      metrics: resumed ? { ...resumed.state.metrics } : {},
      seed,
      resumed,
      signal: data.signal,
    });
  }

  /** What a run needs of config, data and engine. */
  private ready(
    model: TrainableModel,
    data: FitOptions,
    seed: number,
    ranks: Ranks,
  ): Promise<AssembledParts> {
    return assembleParts({
      model,
      data,
      seed,
      ranks,
      options: this.options,
      engine: this.engine,
      container: this.container && this.services,
      budgetPosition: positionOf(section(this.recorded['trainer']), 'memory_budget'),
      beforeData: () => this.closeTest(),
      opened: (sources) => {
        this.testData = { model, sources };
      },
      say: (text) => this.say(text),
    });
  }

  private async drive(run: FitRun): Promise<void> {
    // Until all are ready the run is what it goes on from: there is nothing to save.
    await run.startLoggers();
    for (const callback of run.callbacks) await callback.onFitStart(run);
    run.throwFailure();
    try {
      await trainLoop(run);
    } catch (error) {
      // The weights are those of the last whole step: save them before giving up.
      const reason = error instanceof Error ? error.message : String(error);
      await finish(run, { kind: 'failed', reason }).catch((second: unknown) => {
        if (codeOf(second) !== undefined && codeOf(second) === codeOf(error)) return; // the same full disk
        run.say(`and saving failed too: ${second instanceof Error ? second.message : String(second)}`);
      });
      throw error;
    }
    // Ranks leave together: one that is still saving is not alone among those that have gone.
    const outcome: Outcome = run.outcome ?? { kind: 'finished', reason: 'done' };
    await run.parts.ranks.together(() => finish(run, outcome), 'end of the run');
  }

  private async close(run: FitRun): Promise<void> {
    this.view.end();
    await run.closeStream();
    run.parts.programs.dispose();
    for (const source of [run.parts.source, ...run.parts.validation]) await source.close();
    for (const logger of this.loggers) await logger.close();
  }
}

/**
 * Sources given here are closed when the fit ends, as those of the model's config are; those of `test` are kept for
 * `Trainer.test`, and closed by it or by `dispose`.
 */
export interface FitOptions extends GivenData {
  readonly checkpoint?: string;
  /** Ends the run when it is aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** What `validate` and `test` evaluate: which sets, with which weights. */
export interface EvaluationOptions {
  /** One set or several, instead of those of the model's config. */
  readonly data?: BatchSource | readonly BatchSource[];
  /** Path of a checkpoint, or a folder of some; default: the weights the model has. */
  readonly checkpoint?: string | undefined;
  /** Which weights of it; default `auto`. */
  readonly weights?: WeightChoice;
  /** Ends the evaluation with `engine.cancelled` when it is aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** The reason of an outcome, where the program itself has ended a run. */
const ABORTED = 'aborted';

async function finish(run: FitRun, outcome: Outcome): Promise<void> {
  await run.tell((callback) => callback.onFitEnd(run, outcome));
  run.throwFailure();
  if (outcome.kind !== 'failed') run.say(`${outcome.kind}: ${outcome.reason}`);
}

function codeOf(error: unknown): string | undefined {
  return error instanceof AnemoneError ? error.code : undefined;
}

function section(value: unknown): ConfigNode {
  return isMapping(value) ? value : EMPTY_SECTION;
}
