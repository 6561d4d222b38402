// Steps that keep the gradient instead of using it: what an optimizer is given for one or several batches.
import { type Engine, float32, State, type Tensor } from '../../src/engine/index.js';
import type { Batch, TrainableModel } from '../../src/model/index.js';
import type { Parameter } from '../../src/nn/index.js';
import type { Optimizer } from '../../src/optim/index.js';
import { CounterRandom } from '../../src/random/index.js';
import type { Accumulation } from '../../src/training/fit/accumulation.js';
import type { LossScale } from '../../src/training/fit/loss-scale.js';
import { type Clipping, StepPrograms } from '../../src/training/fit/step-programs.js';
import type { StepResult } from '../../src/training/step.js';

export interface ProbeOptions {
  readonly accumulation?: Accumulation | undefined;
  readonly clipping?: Clipping;
  readonly lossScale?: LossScale | undefined;
}

export class GradientProbe {
  private readonly programs: StepPrograms;
  private readonly slots: readonly State[];
  private readonly parameters: readonly Parameter[];

  constructor(
    private readonly engine: Engine,
    model: TrainableModel,
    { accumulation, clipping = { algorithm: 'norm', limit: undefined }, lossScale }: ProbeOptions = {},
  ) {
    this.parameters = [...model.module.parameters()].filter(({ trainable }) => trainable);
    this.slots = this.parameters.map(({ name, shape }) => new State(`kept/${name}`, shape));
    const keeper: Optimizer = {
      name: 'keeper',
      groups: [],
      parameters: this.parameters,
      slots: this.slots,
      scalars: () => float32([0], [1]),
      update: (grads: readonly Tensor[]) => {
        for (const [i, grad] of grads.entries()) this.slots[i].assign(grad);
      },
    };
    this.programs = new StepPrograms(engine, model, keeper, clipping, accumulation, lossScale);
  }

  /** @param whole batches of a whole step, where these are fewer */
  async run(
    batches: readonly Batch[],
    whole?: number,
  ): Promise<{ result: StepResult; gradients: ReadonlyMap<string, Float32Array> }> {
    const steps = batches.map((batch, i) => ({ batch, random: new CounterRandom(1, i) }));
    const result = await this.programs.run(steps, float32([0], [1]), whole);
    const gradients = new Map<string, Float32Array>();
    for (const [i, slot] of this.slots.entries()) {
      gradients.set(this.parameters[i].name, (await this.engine.read(slot)).slice() as Float32Array);
    }
    return { result, gradients };
  }

  dispose(): void {
    this.programs.dispose();
  }
}
