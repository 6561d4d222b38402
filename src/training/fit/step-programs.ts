// The compiled programs of one optimizer step: a single fused one, or micro-steps that add up gradients
// followed by an apply step. Neither commits anything when the loss or the gradient is not finite.
import {
  type Engine,
  float32,
  type HostTensors,
  inPart,
  nextTurn,
  type Program,
  type ProgramMemory,
  State,
  type Tensor,
  type TensorSpec,
  type Tensors,
  tf,
  valueAndGrads,
} from '../../engine/index.js';
import {
  type Batch,
  BatchMeans,
  isEmpty,
  lossWeights,
  measuredTerms,
  measuredWeights,
  type StepOutput,
  scalarOutputs,
  scalarValues,
  type TrainableModel,
  termOutputs,
  weightOutputs,
} from '../../model/index.js';
import { evaluationPass, namingParts, type Pass, trainingPass } from '../../nn/index.js';
import { clipByNorm, clipByValue, globalNorm, type Optimizer } from '../../optim/index.js';
import type { MicroStep, StepResult } from '../step.js';
import {
  type Accumulation,
  countingAlike,
  summedLoss,
  type UnitWeights,
  unitTotal,
  type WeightRatios,
  weightRatios,
  weightsBy,
} from './accumulation.js';
import { GradientSums } from './gradient-sums.js';
import type { LossScale } from './loss-scale.js';
import { RankBuffers } from './rank-buffers.js';
import { type MeasuredStep, measuredByAll, unitsOfAll, weightsOfAll } from './rank-steps.js';
import { Ranks } from './ranks.js';
import { afterScaledStep } from './scaled-step.js';
import { SharedStatistics } from './shared-statistics.js';

export interface Clipping {
  readonly algorithm: 'norm' | 'value';
  /** undefined: no clipping. */
  readonly limit: number | undefined;
}

/** Program inputs of ours beside those of the batch; a batch has no names with a dollar sign. */
const SCALARS = '$scalars';
const KEEP = '$keep';
const SIZE = '$size';
const RATIO = '$ratio:';
const LOSS_SCALE = '$loss_scale';

/** How ranks compute a step together. */
export interface RankSettings {
  /** Batch norm takes the batches of all ranks together. Default false. */
  readonly syncsBatchNorm?: boolean;
  /** Gradients are sent while others are computed. Default true. */
  readonly overlaps?: boolean;
}

/** What a step takes. */
export interface StepMemory extends ProgramMemory {
  /** Bytes of the gradients that are added up over batches; 0 where each batch is a step. */
  readonly accumulatedBytes: number;
  /** Bytes of the gradients that are sent to other ranks, where they lie beside the others. */
  readonly sentBytes: number;
}

const SCALAR: TensorSpec = { dtype: 'float32', shape: [] };

/** Of a step in which nothing counted. */
const NOTHING = { loss: Number.NaN, gradNorm: 0, logs: {}, committed: false, refused: [] };

export class StepPrograms {
  private readonly fused: Program;
  private readonly micro: Program;
  private readonly apply: Program;
  private readonly weights: Program;
  private readonly accumulators: readonly State[];
  private readonly buffers: RankBuffers;
  /** Where gradients are sent while others are computed. */
  private readonly sums: GradientSums | undefined;
  /** Where batch norm takes the batches of all ranks together. */
  private readonly statistics: SharedStatistics | undefined;
  /** Of the weights of the loss, once they are known. */
  private units: readonly string[] | undefined;

  constructor(
    private readonly engine: Engine,
    private readonly model: TrainableModel,
    private readonly optimizer: Optimizer,
    private readonly clipping: Clipping,
    private readonly accumulation: Accumulation = 'large_batch',
    /** What the loss is multiplied by, and the gradients divided by. */
    private readonly lossScale?: LossScale,
    private readonly ranks = new Ranks(),
    { syncsBatchNorm = false, overlaps = true }: RankSettings = {},
  ) {
    this.statistics = syncsBatchNorm && ranks.areSeveral ? new SharedStatistics(ranks) : undefined;
    this.accumulators = optimizer.parameters.map((p) => new State(`gradient/${p.name}`, p.shape));
    if (ranks.sendMeanwhile)
      this.sums = new GradientSums(this.accumulators, () => ranks.separately(), overlaps);
    const { module } = model;
    this.buffers = new RankBuffers(engine, module, ranks, this.statistics !== undefined);
    this.fused = engine.compile('train-step', (inputs) => namingParts(module, () => this.fusedStep(inputs)));
    this.micro = engine.compile('train-micro-step', (inputs) =>
      namingParts(module, () => this.microStep(inputs)),
    );
    this.apply = engine.compile('train-apply-step', (inputs) => this.applyStep(inputs));
    this.weights = engine.compile('train-weights', (inputs) => weightOutputs(this.output(inputs, evaluationPass))); // biome-ignore format: one line reads better
  }

  /**
   * One optimizer step over one or more batches. `scalars` are the optimizer's numbers for it.
   * @param wholeStep batches that a step takes where the epoch does not end in it
   */
  async run(
    steps: readonly MicroStep[],
    scalars: HostTensors[string],
    wholeStep = steps.length,
  ): Promise<StepResult> {
    const isAlone = this.isAlone(steps, wholeStep);
    if (isAlone && !hasTargets(steps[0])) return { ...NOTHING, ...sizesOf(steps), empty: [...steps] };
    const result = isAlone
      ? await this.runFused(steps[0], scalars)
      : await this.buffers.during((combine) => this.runAccumulated(steps, scalars, wholeStep, combine));
    return this.lossScale ? afterScaledStep(result, this.lossScale) : result;
  }

  /** Whether one program makes the whole step. */
  private isAlone(steps: readonly MicroStep[], wholeStep: number): boolean {
    // Lightning divides the last step of an epoch as if it had all its batches.
    const isWhole = this.accumulation !== 'mean_of_batches' || steps.length === wholeStep;
    return steps.length === 1 && isWhole && !this.ranks.areSeveral;
  }

  /**
   * Floating-point operations of the products of a step that has been run; undefined where the engine does not count them.
   * Arguments are those of `run`.
   */
  flopsOf(steps: readonly MicroStep[], scalars: HostTensors[string], wholeStep: number): number | undefined {
    const { fused, micro } = this;
    if (!fused.flops || !micro.flops) return undefined;
    const isAlone = this.isAlone(steps, wholeStep);
    const ofStep = ({ batch }: MicroStep): number =>
      (isAlone
        ? fused.flops?.({ ...batch.inputs, ...this.scaleInput(), [SCALARS]: scalars })
        : micro.flops?.({ ...microInputs(batch, false), ...this.scaleInput() })) ?? 0;
    return steps.filter(hasTargets).reduce((sum, step) => sum + ofStep(step), 0);
  }

  /** Bytes that a step takes for a batch of these shapes; undefined where the engine cannot tell. */
  memoryOf(batch: Readonly<Record<string, TensorSpec>>, accumulates: boolean): StepMemory | undefined {
    const scalars = { [SCALARS]: this.optimizer.scalars(1, (lr) => lr) };
    const programs: readonly (readonly [Program, Readonly<Record<string, TensorSpec>>])[] = accumulates
      ? [
          [this.micro, { ...batch, ...this.scaleInput(), [KEEP]: SCALAR, [SIZE]: SCALAR }],
          [this.apply, { ...scalars, [KEEP]: SCALAR }],
        ]
      : [[this.fused, { ...batch, ...this.scaleInput(), ...scalars }]];
    const memories: ProgramMemory[] = [];
    for (const [program, inputs] of programs) {
      const memory = program.memory?.(inputs);
      if (!memory) return undefined;
      memories.push(memory);
    }
    const step = memories.reduce(togetherInStep);
    const accumulated = this.accumulators.map((sum) => step.states.get(sum) ?? 0);
    return {
      ...step,
      accumulatedBytes: accumulated.reduce((sum, bytes) => sum + bytes, 0),
      sentBytes: this.sums?.bytes ?? 0,
    };
  }

  /** Call when the model computes another way from now on. */
  forget(): void {
    for (const program of [this.fused, this.micro, this.weights]) program.forget?.();
  }

  dispose(): void {
    for (const program of [this.fused, this.micro, this.apply, this.weights]) program.dispose();
    this.engine.release(this.accumulators);
  }

  private async runFused(step: MicroStep, scalars: HostTensors[string]): Promise<StepResult> {
    const { inputs, size } = step.batch;
    const empty = (out: HostTensors) => isEmpty(measuredWeights(out, size));
    const out = await this.fused.run(
      { ...inputs, ...this.scaleInput(), [SCALARS]: scalars },
      { random: step.random, commitIf: (out) => !empty(out) && allFinite(out) },
    );
    const sizes = sizesOf([step]);
    if (empty(out)) return { ...NOTHING, ...sizes, empty: [step] };
    const { loss, ...logs } = scalarValues(out);
    const committed = allFinite(out);
    const refusedSteps = committed ? [] : [step];
    const gradNorm = out['gradNorm'].data[0];
    return { loss, logs, gradNorm, committed, refused: refusedSteps, empty: [], ...sizes };
  }

  private async runAccumulated(
    steps: readonly MicroStep[],
    scalars: HostTensors[string],
    wholeStep: number,
    combineBuffers: (counted: number) => Promise<void>,
  ): Promise<StepResult> {
    this.statistics?.beginStep(steps.length);
    this.sums?.beginStep(steps.length);
    const knownRatios = await this.ratiosOf(steps.filter(hasTargets));
    const own: MeasuredStep[] = [];
    let counted = 0;
    for (const [i, step] of steps.entries()) {
      this.statistics?.beginBatch(i);
      this.sums?.beginBatch(i === steps.length - 1);
      if (!hasTargets(step)) {
        own.push({ step, terms: [{ name: 'loss', unit: 'own', value: 0, weight: 0 }], finite: true });
        continue;
      }
      const out = await this.accumulate(step, counted > 0, knownRatios);
      await nextTurn();
      const measured = { step, terms: measuredTerms(out, step.batch.size), finite: allFinite(out) };
      if (measured.finite && !isEmpty(lossWeights(measured.terms))) counted++;
      own.push(measured);
    }
    const all = measuredByAll(this.ranks, own);
    await combineBuffers(counted);
    this.ranks.contributes = counted > 0;
    const acceptedWeights: UnitWeights[] = [];
    const refusedSteps: MicroStep[] = [];
    const empty: MicroStep[] = [];
    const means = new BatchMeans();
    for (const { step, terms, finite } of all) {
      const weights = lossWeights(terms);
      means.add(terms);
      if (isEmpty(weights)) empty.push(step);
      else if (finite) acceptedWeights.push(weights);
      else refusedSteps.push(step);
    }
    const sizes = sizesOf(all.map(({ step }) => step));
    this.sums?.endBatches(acceptedWeights.length === all.length);
    if (empty.length === all.length) return { ...NOTHING, ...sizes, empty };
    const { loss, ...logs } = means.summary();
    const unusable = { loss, logs, gradNorm: Number.NaN, committed: false, empty, ...sizes };
    // With another scale they will be finite: the step is not made without them.
    const isOverflow = refusedSteps.length > 0 && this.lossScale?.isDynamic;
    if (acceptedWeights.length === 0 || isOverflow) return { ...unusable, refused: refusedSteps };
    const missingBatches = this.accumulation === 'mean_of_batches' ? wholeStep - all.length : 0;
    const { reference } = knownRatios ?? weightRatios(acceptedWeights);
    const keep = float32([1 / (unitTotal(acceptedWeights, reference) + missingBatches)], []);
    const out = await this.apply.run({ [SCALARS]: scalars, [KEEP]: keep }, { commitIf: allFinite });
    const gradNorm = out['gradNorm'].data[0];
    const countedSteps = all.map(({ step }) => step).filter((step) => !empty.includes(step));
    if (!allFinite(out)) return { ...unusable, gradNorm, refused: countedSteps };
    return { loss, gradNorm, logs, committed: true, refused: refusedSteps, empty, ...sizes };
  }

  /** Adds the gradient of a batch to that of those before it, if there are any, unless it is empty or not finite. */
  private accumulate(step: MicroStep, keep: boolean, ratios: WeightRatios | undefined): Promise<HostTensors> {
    const { size } = step.batch;
    const commitIf = (out: HostTensors) => !isEmpty(lossWeights(measuredTerms(out, size))) && allFinite(out);
    const inputs = { ...microInputs(step.batch, keep, ratios?.ratios), ...this.scaleInput() };
    return this.micro.run(inputs, { random: step.random, commitIf });
  }

  /** A loss of several weights needs those of all batches before the first gradient; one of one weight does not. */
  private async ratiosOf(steps: readonly MicroStep[]): Promise<WeightRatios | undefined> {
    if (this.accumulation === 'mean_of_batches') return undefined;
    this.units ??= unitsOfAll(this.ranks, steps[0] && (await this.unitsOf(steps[0])));
    const { units } = this;
    if (units.length === 1) return undefined;
    const all: UnitWeights[] = [];
    for (const { batch } of steps) {
      const countedWeights = measuredWeights(await this.weights.run(batch.inputs), batch.size);
      all.push(weightsBy(units, countedWeights, batch.size));
    }
    return weightRatios(weightsOfAll(this.ranks, all));
  }

  /** What the loss is divided by, from a run that changes nothing: a program's outputs are known when it has run. */
  private async unitsOf(step: MicroStep): Promise<readonly string[]> {
    this.statistics?.beginBatch(0);
    const options = { random: step.random, commitIf: () => false };
    const inputs = { ...microInputs(step.batch, false), ...this.scaleInput() };
    const out = await this.micro.run(inputs, options);
    return Object.keys(lossWeights(measuredTerms(out, step.batch.size)));
  }

  private fusedStep(inputs: Tensors): Tensors {
    const { [SCALARS]: scalars, [LOSS_SCALE]: scale, ...batch } = inputs;
    const { grads, outputs } = this.gradients((keep) => {
      const output = this.model.trainingStep(batch, trainingPass);
      keep({ ...scalarOutputs(output), ...weightOutputs(output) });
      return output.loss;
    }, scale);
    return { ...outputs, gradNorm: this.update(grads, scalars) };
  }

  private microStep(inputs: Tensors): Tensors {
    const { [KEEP]: keep, [SIZE]: size, [LOSS_SCALE]: scale } = inputs;
    const batch = Object.fromEntries(Object.entries(inputs).filter(([name]) => !name.startsWith('$')));
    const { grads, outputs } = this.gradients((keep) => {
      const output = this.output(batch, this.statistics?.pass ?? trainingPass);
      keep({ ...scalarOutputs(output), ...termOutputs(output) });
      return summedLoss(output, size, (unit) => inputs[RATIO + unit]);
    }, scale);
    // It reads what was added up before.
    const sent = this.sums?.sending(grads, keep) ?? grads;
    this.accumulators.forEach((sum, i) => {
      sum.assign(tf.add(tf.mul(sum.tensor(), keep), grads[i]));
    });
    return { ...outputs, gradNorm: globalNorm(sent) };
  }

  private applyStep({ [SCALARS]: scalars, [KEEP]: share }: Tensors): Tensors {
    const gradients = this.accumulators.map((sum, i) => ({
      name: this.optimizer.parameters[i].name,
      tensor: sum.tensor(),
    }));
    const sums = this.sums?.summed(() => this.ranks.contributes) ?? this.ranks.sums(gradients);
    const grads = sums.map((sum) => tf.mul(sum, share));
    return { gradNorm: this.update(grads, scalars) };
  }

  /** Returns the norm of the gradients before clipping. */
  private update(grads: readonly Tensor[], scalars: Tensor): Tensor {
    return inPart('optimizer', () => {
      const gradNorm = globalNorm(grads);
      this.optimizer.update(this.clip(grads, gradNorm), scalars);
      return gradNorm;
    });
  }

  /** A step of a batch that is one of several. */
  private output(batch: Tensors, pass: Pass): StepOutput {
    const output = this.model.trainingStep(batch, pass);
    return this.accumulation === 'mean_of_batches' ? countingAlike(output) : output;
  }

  private scaleInput(): HostTensors {
    return this.lossScale ? { [LOSS_SCALE]: float32([this.lossScale.scale], []) } : {};
  }

  /**
   * Gradients of what `step` returns, and the outputs that it wants kept.
   * @param scale of the loss while it is differentiated, a scalar
   */
  private gradients(
    step: (keepOutputs: (outputs: Tensors) => void) => Tensor,
    scale: Tensor | undefined,
  ): { grads: readonly Tensor[]; outputs: Tensors } {
    const keptOutputs: Tensors = {};
    // Differentiation closes a memory scope of its own, which the outputs must outlive.
    const keep = (outputs: Tensors) => {
      for (const [key, scalar] of Object.entries(outputs)) keptOutputs[key] = tf.keep(tf.clone(scalar));
    };
    const loss = () => (scale ? tf.mul(step(keep), scale) : step(keep));
    const { grads: scaledGrads } = valueAndGrads(loss, this.optimizer.parameters);
    const grads = scale ? unscaled(scaledGrads, scale) : scaledGrads;
    const outputs: Tensors = {};
    for (const [key, scalar] of Object.entries(keptOutputs)) {
      outputs[key] = tf.clone(scalar);
      scalar.dispose();
    }
    return { grads, outputs };
  }

  private clip(grads: readonly Tensor[], norm: Tensor): readonly Tensor[] {
    const { algorithm, limit } = this.clipping;
    if (limit === undefined) return grads;
    return algorithm === 'norm' ? clipByNorm(grads, norm, limit) : clipByValue(grads, limit);
  }
}

/** A scale of a power of two leaves no trace. */
function unscaled(grads: readonly Tensor[], scale: Tensor): readonly Tensor[] {
  const share = tf.div(tf.scalar(1), scale);
  return grads.map((grad) => tf.mul(grad, share));
}

/** A batch of which it is known that nothing in it is to be predicted is not computed. */
function hasTargets({ batch }: MicroStep): boolean {
  return batch.targets !== 0;
}

function microInputs({ inputs, size }: Batch, keep: boolean, ratios: UnitWeights = {}): HostTensors {
  const scalar = (value: number) => float32([value], []);
  const ratioInputs = Object.entries(ratios).map(([unit, ratio]) => [RATIO + unit, scalar(ratio)] as const);
  return {
    ...inputs,
    [KEEP]: scalar(keep ? 1 : 0),
    [SIZE]: scalar(size),
    ...Object.fromEntries(ratioInputs),
  };
}

/** Examples and units of all batches of a step. */
function sizesOf(steps: readonly MicroStep[]): Pick<StepResult, 'examples' | 'units'> {
  return {
    examples: steps.reduce((sum, { batch }) => sum + batch.size, 0),
    units: steps.reduce((sum, { batch }) => sum + batch.units, 0),
  };
}

/** Loss and norm of the gradient, where they are among the outputs. */
function allFinite(outputs: HostTensors): boolean {
  const { loss } = scalarValues(outputs);
  return [loss, outputs['gradNorm']?.data[0]].every((value) => value === undefined || Number.isFinite(value));
}

/** Of two programs that run one after the other and are both kept. */
function togetherInStep(first: ProgramMemory, second: ProgramMemory): ProgramMemory {
  const larger = first.aliveBytes >= second.aliveBytes ? first : second;
  const states = new Map(first.states);
  for (const [state, bytes] of second.states) states.set(state, Math.max(bytes, states.get(state) ?? 0));
  return {
    aliveBytes: larger.aliveBytes,
    alive: larger.alive,
    planned: first.planned && second.planned,
    crossingBytes: first.crossingBytes + second.crossingBytes,
    inputBytes: first.inputBytes + second.inputBytes,
    outputBytes: first.outputBytes + second.outputBytes,
    constantBytes: first.constantBytes + second.constantBytes,
    nodes: first.nodes + second.nodes,
    states,
  };
}
