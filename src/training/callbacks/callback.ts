// The public interface of callbacks.
import type { Engine, State } from '../../engine/index.js';
import { AnemoneError, didYouMean } from '../../errors/index.js';
import type { Batch, EvaluatedSample, TrainableModel } from '../../model/index.js';
import type { Optimizer, Scheduler } from '../../optim/index.js';
import type { CheckpointContent, JsonValue } from '../checkpoint/content.js';
import { metricOf } from '../metric-names.js';
import type { RunProgress } from '../run-progress.js';
import type { TrainerOptions } from '../trainer-options.js';

/** Why a fit ended. */
export interface Outcome {
  readonly kind: 'finished' | 'stopped' | 'interrupted' | 'failed';
  /** One sentence part: `max_epochs reached`, `SIGINT`. */
  readonly reason: string;
}

/** What one optimizer step did. */
export interface StepReport {
  readonly loss: number;
  readonly gradNorm: number;
  readonly learningRate: number;
  readonly logs: Readonly<Record<string, number>>;
  readonly committed: boolean;
  readonly examples: number;
  readonly units: number;
  /** Floating-point operations of the products of this rank's batches, where they are counted. */
  readonly flops?: number | undefined;
  /** Wall-clock of the step, and of waiting for its data, in seconds. */
  readonly seconds: number;
  readonly waitSeconds: number;
}

/** What one pass over the validation sets, or the test sets, found. */
export interface ValidationReport {
  /** `val/loss`, `val/wer`, … */
  readonly metrics: Readonly<Record<string, number>>;
  readonly samples: readonly EvaluatedSample[];
  readonly seconds: number;
}

/** A fit in progress, as callbacks see it. */
export interface TrainingRun {
  readonly model: TrainableModel;
  readonly engine: Engine;
  readonly options: TrainerOptions;
  readonly optimizer: Optimizer;
  readonly scheduler: Scheduler;
  readonly progress: Readonly<RunProgress>;
  /** Latest value of everything logged: `train/loss`, `val/wer`, … */
  readonly metrics: Readonly<Record<string, number>>;
  /** Optimizer steps of the whole run, when known. */
  readonly totalSteps: number | undefined;
  /** Whether there is a validation set in use. */
  readonly validates: boolean;
  /** Path of the checkpoint that the run goes on from; undefined when it started anew. */
  readonly resumedFrom: string | undefined;
  /** The first batch of the validation sets, made anew; undefined when none is in use. */
  validationBatch(): Promise<Batch | undefined>;
  /** Adds metrics and writes them to the loggers under the current step. */
  log(metrics: Readonly<Record<string, number>>): Promise<void>;
  /** A line for the person who watches. */
  say(text: string): void;
  /** Ends the fit after the current step. The first reason counts. */
  stop(outcome: Outcome): void;
  /** What a checkpoint made now would hold. */
  snapshot(): Promise<CheckpointContent>;
}

/**
 * The latest value of a metric that `path` of the config names.
 * @throws AnemoneError `trainer.monitor` naming what there is
 */
export function monitored(run: Pick<TrainingRun, 'metrics'>, monitor: string, path: string): number {
  const value = metricOf(run.metrics, monitor);
  if (value !== undefined) return value;
  const knownNames = Object.keys(run.metrics);
  throw new AnemoneError({
    code: 'trainer.monitor',
    path,
    message: `there is no metric "${monitor}"`,
    hint: didYouMean(monitor, knownNames) ?? `logged so far: ${knownNames.join(', ')}`,
  });
}

/** The fields of a state that should be an object; none of anything else. */
export function fieldsOf(state: JsonValue): Readonly<Record<string, JsonValue | undefined>> {
  return typeof state === 'object' && state !== null && !Array.isArray(state)
    ? (state as Readonly<Record<string, JsonValue>>)
    : {};
}

/**
 * The public interface of callbacks. Every hook does nothing unless overridden; the Trainer calls them in the order
 * in which they were given and awaits each. Sources: the callbacks of PyTorch Lightning.
 */
export abstract class Callback {
  /** Key of its state in checkpoints; unique within a trainer. */
  abstract readonly name: string;
  /** Saves the state of all callbacks, and so comes after the others at each hook. */
  readonly savesRun: boolean = false;

  /** Before the first step, after a checkpoint's state is restored. */
  async onFitStart(_run: TrainingRun): Promise<void> {}
  /** After each optimizer step, whether its update was kept (`step.committed`) or refused. */
  async onStep(_run: TrainingRun, _step: StepReport): Promise<void> {}
  /** Before the batches of a validation, with the weights that training left. Not called for the sanity check. */
  async onValidationStart(_run: TrainingRun): Promise<void> {}
  /** After a validation that was not cut short; its metrics are logged by then. */
  async onValidationEnd(_run: TrainingRun, _report: ValidationReport): Promise<void> {}
  /** After the last batch of an epoch; `run.progress.epoch` counts it already. */
  async onEpochEnd(_run: TrainingRun): Promise<void> {}
  /** After `trainer.test` of the model that the trainer's latest fit trained; the metrics are logged by then. */
  async onTestEnd(_run: TrainingRun, _report: ValidationReport): Promise<void> {}
  /** Also after an error, with the weights as they were before the failing step. */
  async onFitEnd(_run: TrainingRun, _outcome: Outcome): Promise<void> {}

  /** What a checkpoint keeps of this callback besides tensors; undefined for nothing. */
  state(): JsonValue | undefined {
    return undefined;
  }

  /**
   * Asked before anything is restored: what is wrong with a state that this callback could not have written, or
   * undefined. A checkpoint that holds such a state is damaged.
   * @param _checkpoint says which groups of tensors there are
   */
  check(_state: JsonValue, _checkpoint: { has(group: string): boolean }): string | undefined {
    return undefined;
  }

  /** Takes up what `state` gave when the checkpoint was saved. Called before `onFitStart`. */
  restore(_state: JsonValue): void {}

  /** Tensors a checkpoint keeps of this callback, read after `onFitStart`, by file-wide unique names. */
  tensors(_run: Pick<TrainingRun, 'model'>): readonly State[] {
    return [];
  }
}
