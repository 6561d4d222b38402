// The callback that averages weights.
import { type Engine, numbersOfType, type Program, State, tf } from '../../engine/index.js';
import type { TrainableModel } from '../../model/index.js';
import type { Parameter } from '../../nn/index.js';
import type { JsonValue } from '../checkpoint/content.js';
import { Callback, fieldsOf, type StepReport, type TrainingRun } from './callback.js';

/** NeMo's arguments of EMA. */
export interface EmaOptions {
  /** Share of the old average that stays at each update. */
  readonly decay: number;
  readonly everyNSteps: number;
  /** Validate the weights themselves instead of their average. */
  readonly validateOriginalWeights: boolean;
}

interface Averaged {
  readonly parameter: Parameter;
  readonly average: State;
}

/**
 * Exponential moving average of the weights (NeMo's EMA callback): validation and inference use the average,
 * training goes on from the weights themselves.
 */
export class EmaCallback extends Callback {
  readonly name = 'ema';
  private pairs: readonly Averaged[] = [];
  private update: Program | undefined;
  private swap: Program | undefined;
  private started = false;
  private swapped = false;

  constructor(readonly options: EmaOptions) {
    super();
  }

  override async onFitStart(run: TrainingRun): Promise<void> {
    this.compile(run.engine, run.model);
    if (!this.started) await this.copyWeights(run.engine);
    this.started = true;
  }

  override async onStep(run: TrainingRun, step: StepReport): Promise<void> {
    if (step.committed && run.progress.step % this.options.everyNSteps === 0) await this.update?.run({});
  }

  override async onValidationStart(): Promise<void> {
    if (!this.options.validateOriginalWeights) await this.exchange();
  }

  override async onValidationEnd(): Promise<void> {
    await this.restoreWeights();
  }

  override async onFitEnd(): Promise<void> {
    // A validation that failed half-way must not leave the average where training goes on.
    await this.restoreWeights();
    this.update?.dispose();
    this.swap?.dispose();
  }

  override state(): { started: boolean } {
    return { started: this.started };
  }

  override check(_state: JsonValue, checkpoint: { has(group: string): boolean }): string | undefined {
    return checkpoint.has(this.name) ? undefined : 'there are no averages';
  }

  override restore(state: JsonValue): void {
    this.started = fieldsOf(state)['started'] === true;
  }

  override tensors(run: Pick<TrainingRun, 'model'>): readonly State[] {
    return this.pairsOf(run.model).map(({ average }) => average);
  }

  private async exchange(): Promise<void> {
    await this.swap?.run({});
    this.swapped = !this.swapped;
  }

  private async restoreWeights(): Promise<void> {
    if (this.swapped) await this.exchange();
  }

  private pairsOf(model: TrainableModel): readonly Averaged[] {
    if (this.pairs.length === 0) {
      this.pairs = [...model.module.parameters()]
        .filter((parameter) => parameter.trainable)
        .map((parameter) => ({ parameter, average: new State(`ema/${parameter.name}`, parameter.shape) }));
    }
    return this.pairs;
  }

  private compile(engine: Engine, model: TrainableModel): void {
    const pairs = this.pairsOf(model);
    const take = 1 - this.options.decay;
    this.update = engine.compile('ema-update', () => {
      for (const { parameter, average } of pairs) {
        const oldAverage = average.tensor();
        average.assign(tf.add(oldAverage, tf.mul(tf.sub(parameter.tensor(), oldAverage), take)));
      }
      return {};
    });
    this.swap = engine.compile('ema-swap', () => {
      for (const { parameter, average } of pairs) {
        // Both are read before either is assigned; the products keep both values apart from their states' buffers.
        const [weights, mean] = [tf.mul(parameter.tensor(), 1), tf.mul(average.tensor(), 1)];
        parameter.assign(mean);
        average.assign(weights);
      }
      return {};
    });
  }

  private async copyWeights(engine: Engine): Promise<void> {
    for (const { parameter, average } of this.pairs) {
      await engine.write(average, numbersOfType(parameter.dtype, await engine.read(parameter)));
    }
  }
}
