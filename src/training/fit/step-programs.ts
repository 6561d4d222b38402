// The compiled programs of one optimizer step: a single fused one, or micro-steps that add up gradients
// followed by an apply step. Neither commits anything when the loss or the gradient is not finite.
import {
  type Engine,
  float32,
  type HostTensors,
  type Program,
  State,
  type Tensor,
  type TensorSpec,
  type Tensors,
  tf,
  valueAndGrads,
} from '../../engine/index.js';
import type { TrainableModel } from '../../model/index.js';
import { trainingPass } from '../../nn/index.js';
import { clipByNorm, clipByValue, globalNorm, type Optimizer } from '../../optim/index.js';
import type { MicroStep, StepResult } from '../step.js';

export interface Clipping {
  readonly algorithm: 'norm' | 'value';
  /** undefined: no clipping. */
  readonly limit: number | undefined;
}

/** Program inputs of ours beside those of the batch; a batch has no names with a dollar sign. */
const SCALARS = '$scalars';
const KEEP = '$keep';

/** Bytes of a step. */
export interface StepMemory {
  /** Of the values between the batch and the update, as far as they are alive at once. */
  readonly live: number;
  /** Of weights, optimizer state and accumulated gradients, old and new value. */
  readonly states: number;
}

const SCALAR: TensorSpec = { dtype: 'float32', shape: [] };
const STATE_COPIES = 2;
const FLOAT_BYTES = 4;

export class StepPrograms {
  private readonly fused: Program;
  private readonly micro: Program;
  private readonly apply: Program;
  private readonly accumulators: readonly State[];

  constructor(
    private readonly engine: Engine,
    private readonly model: TrainableModel,
    private readonly optimizer: Optimizer,
    private readonly clipping: Clipping,
  ) {
    this.accumulators = optimizer.parameters.map((p) => new State(`gradient/${p.name}`, p.shape));
    this.fused = engine.compile('train-step', (inputs) => this.fusedStep(inputs));
    this.micro = engine.compile('train-micro-step', (inputs) => this.microStep(inputs));
    this.apply = engine.compile('train-apply-step', (inputs) => this.applyStep(inputs));
  }

  /** One optimizer step over one or more batches. `scalars` are the optimizer's numbers for it. */
  async run(steps: readonly MicroStep[], scalars: HostTensors[string]): Promise<StepResult> {
    return steps.length === 1 ? this.runFused(steps[0], scalars) : this.runAccumulated(steps, scalars);
  }

  /** Bytes that a step takes for a batch of these shapes; undefined where the engine cannot tell. */
  memoryOf(batch: Readonly<Record<string, TensorSpec>>, accumulates: boolean): StepMemory | undefined {
    const [program, extra] = accumulates
      ? [this.micro, { [KEEP]: SCALAR }]
      : [this.fused, { [SCALARS]: this.optimizer.scalars(1, (lr) => lr) }];
    if (!program.peakBytes) return undefined;
    const states = [...this.optimizer.parameters, ...this.optimizer.slots];
    const all = accumulates ? [...states, ...this.accumulators] : states;
    return {
      live: program.peakBytes({ ...batch, ...extra }),
      states: STATE_COPIES * FLOAT_BYTES * all.reduce((sum, state) => sum + state.size, 0),
    };
  }

  dispose(): void {
    for (const program of [this.fused, this.micro, this.apply]) program.dispose();
    this.engine.release(this.accumulators);
  }

  private async runFused(step: MicroStep, scalars: HostTensors[string]): Promise<StepResult> {
    const inputs = { ...step.batch.inputs, [SCALARS]: scalars };
    const out = await this.fused.run(inputs, { random: step.random, commitIf: allFinite });
    const committed = allFinite(out);
    return { ...scalarsOf(out), committed, refused: committed ? [] : [step] };
  }

  private async runAccumulated(
    steps: readonly MicroStep[],
    scalars: HostTensors[string],
  ): Promise<StepResult> {
    const refused: MicroStep[] = [];
    const results: ReturnType<typeof scalarsOf>[] = [];
    let accepted = 0;
    for (const step of steps) {
      const keep = float32([accepted === 0 ? 0 : 1], []);
      const out = await this.micro.run(
        { ...step.batch.inputs, [KEEP]: keep },
        { random: step.random, commitIf: allFinite },
      );
      results.push(scalarsOf(out));
      if (allFinite(out)) accepted++;
      else refused.push(step);
    }
    const logs = meanOf(results.map((result) => result.logs));
    const loss = results.reduce((sum, result) => sum + result.loss, 0) / results.length;
    const unusable = { loss, logs, gradNorm: Number.NaN, committed: false };
    if (accepted === 0) return { ...unusable, refused };
    const keep = float32([1 / accepted], []);
    const out = await this.apply.run({ [SCALARS]: scalars, [KEEP]: keep }, { commitIf: allFinite });
    const gradNorm = out['gradNorm'].data[0];
    if (!allFinite(out)) return { ...unusable, gradNorm, refused: steps };
    return { loss, gradNorm, logs, committed: true, refused };
  }

  private fusedStep(inputs: Tensors): Tensors {
    const { [SCALARS]: scalars, ...batch } = inputs;
    const { loss, grads, logs } = this.gradients(batch);
    const gradNorm = globalNorm(grads);
    this.optimizer.update(this.clip(grads, gradNorm), scalars);
    return { ...logs, loss, gradNorm };
  }

  private microStep(inputs: Tensors): Tensors {
    const { [KEEP]: keep, ...batch } = inputs;
    const { loss, grads, logs } = this.gradients(batch);
    this.accumulators.forEach((sum, i) => {
      sum.assign(tf.add(tf.mul(sum.tensor(), keep), grads[i]));
    });
    return { ...logs, loss, gradNorm: globalNorm(grads) };
  }

  private applyStep({ [SCALARS]: scalars, [KEEP]: share }: Tensors): Tensors {
    const grads = this.accumulators.map((sum) => tf.mul(sum.tensor(), share));
    const gradNorm = globalNorm(grads);
    this.optimizer.update(this.clip(grads, gradNorm), scalars);
    return { gradNorm };
  }

  private gradients(batch: Tensors): { loss: Tensor; grads: Tensor[]; logs: Tensors } {
    const kept: Tensors = {};
    const { value, grads } = valueAndGrads(() => {
      const output = this.model.trainingStep(batch, trainingPass);
      // Differentiation closes a memory scope of its own, which the scalars for the log must outlive.
      for (const [key, scalar] of Object.entries(output.logs ?? {})) {
        kept[`log:${key}`] = tf.keep(tf.clone(scalar));
      }
      return output.loss;
    }, this.optimizer.parameters);
    const logs: Tensors = {};
    for (const [key, scalar] of Object.entries(kept)) {
      logs[key] = tf.clone(scalar);
      scalar.dispose();
    }
    return { loss: value, grads, logs };
  }

  private clip(grads: readonly Tensor[], norm: Tensor): readonly Tensor[] {
    const { algorithm, limit } = this.clipping;
    if (limit === undefined) return grads;
    return algorithm === 'norm' ? clipByNorm(grads, norm, limit) : clipByValue(grads, limit);
  }
}

function allFinite(outputs: HostTensors): boolean {
  return ['loss', 'gradNorm'].every(
    (key) => outputs[key] === undefined || Number.isFinite(outputs[key].data[0]),
  );
}

function scalarsOf(outputs: HostTensors): { loss: number; gradNorm: number; logs: Record<string, number> } {
  const logs: Record<string, number> = {};
  for (const [key, value] of Object.entries(outputs)) {
    if (key.startsWith('log:')) logs[key.slice(4)] = value.data[0];
  }
  return { loss: outputs['loss'].data[0], gradNorm: outputs['gradNorm'].data[0], logs };
}

function meanOf(records: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const mean: Record<string, number> = {};
  for (const key of Object.keys(records[0] ?? {})) {
    mean[key] = records.reduce((sum, record) => sum + record[key], 0) / records.length;
  }
  return mean;
}
