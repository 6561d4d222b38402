// What a run is made of; the Trainer puts it together.
import type { Engine } from '../../engine/index.js';
import type { BatchSource, TrainableModel } from '../../model/index.js';
import type { Optimizer, Scheduler } from '../../optim/index.js';
import type { Callback } from '../callbacks/callback.js';
import type { CheckpointState } from '../checkpoint/content.js';
import type { NonfiniteHandler } from '../diagnosis/nonfinite.js';
import type { MetricsLogger } from '../loggers/logger.js';
import type { ProgressView } from '../progress/progress-view.js';
import type { RunProgress } from '../run-progress.js';
import type { TrainerOptions } from '../trainer-options.js';
import type { LossScale } from './loss-scale.js';
import type { MemoryCheck } from './memory-check.js';
import type { FitPlan } from './plan.js';
import type { Ranks } from './ranks.js';
import type { StepPrograms } from './step-programs.js';
import type { StepSizes } from './step-sizes.js';

/** Ready-made parts of a run. */
export interface FitParts {
  readonly model: TrainableModel;
  readonly engine: Engine;
  readonly options: TrainerOptions;
  readonly optimizer: Optimizer;
  readonly scheduler: Scheduler;
  readonly programs: StepPrograms;
  readonly ranks: Ranks;
  /** Where products are computed in float16. */
  readonly lossScale: LossScale | undefined;
  readonly plan: FitPlan;
  readonly sizes: StepSizes;
  readonly memory: MemoryCheck;
  readonly source: BatchSource;
  readonly validation: readonly BatchSource[];
  readonly callbacks: readonly Callback[];
  readonly loggers: readonly MetricsLogger[];
  readonly view: ProgressView;
  /** Tells the user something. */
  readonly say: (text: string) => void;
  readonly nonfinite: NonfiniteHandler;
  /** As YAML, for checkpoints. */
  readonly config: string;
  readonly progress: RunProgress;
  /** Metrics known so far. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Of initial weights and dropout: the checkpoint's when resumed. */
  readonly seed: number;
  /** The checkpoint that the run goes on from. */
  readonly resumed: { readonly path: string; readonly state: CheckpointState } | undefined;
  /** Ends the program that is run, and the run. */
  readonly signal: AbortSignal | undefined;
}
