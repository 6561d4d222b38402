// What a run is made of, from config, data and engine: optimizer, schedule, programs, plan, memory check. Nothing is computed here.
import {
  type ConfigNode,
  EMPTY_SECTION,
  isMapping,
  placeOf,
  positionOf,
  withPosition,
} from '../config/index.js';
import type { Container } from '../container/index.js';
import { type Engine, storeIn } from '../engine/index.js';
import { AnemoneError, type SourcePosition } from '../errors/index.js';
import type { BatchSource, DataLimits, TrainableModel } from '../model/index.js';
import { createOptimizer, createScheduler } from '../optim/index.js';
import type { FitParts } from './fit/fit-parts.js';
import { LossScale } from './fit/loss-scale.js';
import { keepWithin } from './fit/memory-budget.js';
import { MemoryCheck } from './fit/memory-check.js';
import { type GivenData, openData } from './fit/open-data.js';
import { FitPlan } from './fit/plan.js';
import type { Ranks } from './fit/ranks.js';
import { StepPrograms } from './fit/step-programs.js';
import { StepSizes } from './fit/step-sizes.js';
import { describePrecision, productTypeOf, storedTypeOf } from './precision.js';
import { optionsFor, type TrainerOptions } from './trainer-options.js';

/** The parts of a run that do not depend on what it goes on from. */
export type AssembledParts = Pick<
  FitParts,
  | 'engine'
  | 'lossScale'
  | 'memory'
  | 'model'
  | 'optimizer'
  | 'options'
  | 'plan'
  | 'programs'
  | 'scheduler'
  | 'sizes'
  | 'source'
  | 'validation'
>;

/** What they are made of. */
export interface Assembly {
  readonly model: TrainableModel;
  readonly data: GivenData;
  readonly seed: number;
  readonly ranks: Ranks;
  /** As the config has them. */
  readonly options: TrainerOptions;
  readonly engine: Engine;
  /** Knows optimizers and schedules; undefined: those of this library. */
  readonly container: Container | undefined;
  /** Where the config has `trainer.memory_budget`. */
  readonly budgetPosition: SourcePosition | undefined;
  /** Called before the data is opened. */
  beforeData(): Promise<void>;
  /** Gets the test sets, which wait for `Trainer.test`. */
  opened(test: readonly BatchSource[]): void;
  say(line: string): void;
}

/** An endless epoch is as long as the run. */
function limitsOf({ max_steps: maxSteps, max_epochs: epochs }: TrainerOptions): DataLimits {
  const isEndless = epochs === null || epochs === undefined || epochs < 0;
  return maxSteps >= 0 && isEndless ? { maxSteps } : {};
}

/**
 * Makes the parts. What is wrong in the config shows before any data is read.
 * @throws AnemoneError `trainer.no-data`, `trainer.memory-budget`, and what config and data are refused for
 */
export async function assembleParts(assembly: Assembly): Promise<AssembledParts> {
  const { model, engine, ranks, container, say } = assembly;
  const options = optionsFor(model, assembly.options);
  if (options !== assembly.options) requireWholeBatches(model, ranks);
  await describePrecision(options.precision, engine, undefined);
  const { optimizer, sched } = await optimizerOf(assembly, options);
  await assembly.beforeData();
  const { train: source, validation, test } = await openData(model, assembly.data, limitsOf(options));
  assembly.opened(test);
  if (!source) throw noData(model, 'train');
  const sizes = new StepSizes(model, options, ranks.size);
  const plan = new FitPlan(options, source, validation, ranks.size, sizes);
  if (plan.batchesIn(0) === 0) throw noData(model, 'train', 'the training set has no batches');
  const scheduler = withPosition(sched ?? EMPTY_SECTION, () =>
    createScheduler(sched, plan.totalSteps, container),
  );
  const { gradient_clip_val: limit, gradient_clip_algorithm: algorithm } = options;
  const clipping = { algorithm, limit: limit || undefined };
  const isScaled = productTypeOf(options.precision) === 'float16';
  const lossScale = isScaled ? LossScale.from(options.loss_scale) : undefined;
  const programs = new StepPrograms(engine, model, optimizer, clipping, options.accumulation, lossScale, ranks, { syncsBatchNorm: options.sync_batchnorm, overlaps: options.overlap_grad_sync }); // biome-ignore format: one line reads better
  const memory = new MemoryCheck({
    source,
    programs,
    module: model.module,
    mode: options.memory_check,
    accumulates: sizes.grow || sizes.at({ epoch: 0, examples: 0 }) > 1,
    say,
  });
  if (options.memory_budget !== null) {
    const budget = { bytes: options.memory_budget, position: assembly.budgetPosition };
    keepWithin({ ...budget, module: model.module, memory, programs, say });
  }
  return { model, engine, options, optimizer, scheduler, programs, lossScale, plan, sizes, memory, source, validation }; // biome-ignore format: a list
}

/** Megatron's rule: the batches of a step are divided among ranks without rest. */
function requireWholeBatches({ batchesPerStep = 1, config }: TrainableModel, ranks: Ranks): void {
  if (batchesPerStep % ranks.size === 0) return;
  const batches = `the ${batchesPerStep} micro-batch${batchesPerStep === 1 ? '' : 'es'} of a step`;
  const keys = ['data.train_ds.global_batch_size', 'global_batch_size'];
  const key = keys.find((key) => placeOf(config as ConfigNode, key)) ?? 'global_batch_size';
  throw new AnemoneError({
    code: 'trainer.indivisible',
    path: `model.${key}`,
    position: placeOf(config as ConfigNode, key)?.position ?? positionOf(config),
    message: `${ranks.size} ranks cannot divide ${batches} among them`,
    hint: 'make global_batch_size a multiple of micro_batch_size times ranks',
  });
}

/** The optimizer, whose moments and weights are stored in the bits that the precision says, and the section of its schedule. */
async function optimizerOf({ model, engine, seed, container }: Assembly, { precision }: TrainerOptions) {
  const optim = section(model.config['optim']);
  const sched = isMapping(optim['sched']) ? optim['sched'] : undefined;
  const groups = section(model.config['optim_param_groups']) as Record<string, Record<string, unknown>>;
  const optimizer = createOptimizer(optim, model.module.parameters(), groups, container);
  model.module.seed = seed;
  const stored = storedTypeOf(precision);
  if (stored) await storeIn(stored, [...model.module.parameters(), ...optimizer.slots], engine);
  return { optimizer, sched };
}

/** What is said of precision at the start of a run. */
export async function precisionLines(
  { precision, loss_scale: setting }: TrainerOptions,
  engine: Engine,
  lossScale: LossScale | undefined,
): Promise<readonly string[]> {
  const line = await describePrecision(precision, engine, lossScale?.describe());
  const isIdle = !lossScale && setting !== 'dynamic';
  return [
    ...(line === undefined ? [] : [line]),
    ...(isIdle ? [`trainer.loss_scale has no effect: with precision ${precision} nothing is float16`] : []),
  ];
}

/** The error of a model without data of some kind. */
export function noData(
  model: TrainableModel,
  kind: string,
  message = `the model's config names no ${kind} data`,
): AnemoneError {
  return new AnemoneError({
    code: 'trainer.no-data',
    message,
    hint: `set ${model.dataKeyOf?.(kind) ?? `model.${kind}_ds.manifest_filepath`}`,
  });
}

function section(value: unknown): ConfigNode {
  return isMapping(value) ? value : EMPTY_SECTION;
}
