// The contract between models, data and the Trainer. Models (asr/, lm/) implement it, data/ makes the
// batches, training/ drives it; none of them knows more of the others than this file says.

import type { Engine, HostTensors, State, Tensor, TensorSpec, Tensors } from '../engine/index.js';
import type { SourcePosition } from '../errors/index.js';
import type { LossTerm, LossWeight, Module, Pass, ReadState } from '../nn/index.js';

/** What one step consumes, collated and padded, on the host. */
export interface Batch {
  /** Program inputs by name; their shapes are the signature a step is compiled for. */
  readonly inputs: HostTensors;
  /** Number of examples. */
  readonly size: number;
  /** Seconds of audio (or tokens, for text) in the batch, for throughput. */
  readonly units: number;
  /** How many targets its loss has, where that is known before: a batch without any is not computed. */
  readonly targets?: number;
  /** One readable name per example (audio path and offset), for error reports and replay. */
  readonly names: readonly string[];
  /** Reference texts, when there are any. */
  readonly texts?: readonly string[];
}

/** What is known of a batch before it is made. */
export interface BatchOutline {
  /** Shapes of `Batch.inputs`. */
  readonly inputs: Readonly<Record<string, TensorSpec>>;
  /** Number of examples. */
  readonly size: number;
  /** For messages: "8 × 1504 frames × 72 tokens". */
  readonly text: string;
  /** Shapes of a batch of `size` such examples. */
  inputsFor(size: number): Readonly<Record<string, TensorSpec>>;
  /** What to set in the config so that no batch has more than `size` such examples; 0: fewer than one must do. */
  advice(size: number): string;
  /** The same as a key and its value, `train_ds.batch_size: 4`. */
  setting?(size: number): string;
  /** The key of the data section that says how large batches are. */
  readonly key?: string;
  /** Where that was written. */
  readonly position?: SourcePosition | undefined;
  /** Threads that make batches, and what may wait to be taken: batches, and their bytes. Default: none. */
  readonly loader?: { readonly threads: number; readonly batches: number; readonly bytes: number };
}

/** A data set cut into batches. Order is a function of (seed, epoch) only, so that a run can be resumed. */
export interface BatchSource {
  readonly name: string;
  /** How the progress line calls examples and `Batch.units`; default `examples`, `units`. */
  readonly names?: { readonly example: string; readonly unit: string } | undefined;
  /** Number of batches of the epoch, counted from 0. */
  batchesInEpoch(epoch: number): number;
  /** Batches `from`, from+1, … of the epoch. Ending the iteration early frees what was prefetched. */
  epoch(epoch: number, from?: number): AsyncIterable<Batch>;
  /** The batches of the epoch with these numbers, ascending: those of one rank among several. Absent: all are made. */
  batches?(epoch: number, numbers: readonly number[]): AsyncIterable<Batch>;
  /** The batch that takes the most memory, known before it is made; absent where no such thing is known. */
  largestBatch?(): BatchOutline;
  /** Units of each batch, where all have as many; so the length of a run in units is one in steps. */
  readonly unitsPerBatch?: number;
  /** Whether the log tells how much of the machine's rate of products is used; best where all batches are alike. */
  readonly measuresRate?: boolean;
  /** What a mean loss comes to beside itself, for the log: `perplexity`. */
  figures?(loss: number): Readonly<Record<string, number>>;
  /** Of the examples: another data set has another one, whatever its files are called. Absent where nothing is known. */
  digest?(): string;
  /** Gauges for the log line: `queue` (batches ready), `waitSeconds` (spent waiting by the consumer so far). */
  gauges(): Readonly<Record<string, number>>;
  /** Ends worker threads and gives back files; a closed source gives no more batches. */
  close(): Promise<void>;
}

/**
 * What a training step computes of one batch: the mean loss, and the weight that its sum was divided by. Where several
 * batches make up one step, or one pass of validation, the Trainer adds sums (`loss` times `weight`) and weights and divides
 * once, so that they give the loss and the gradient of one large batch.
 *
 * `{ loss }` alone is the mean over the examples of the batch, such as `tf.mean` of a cost per example; it weighs
 * `Batch.size`. A mean over tokens says so: `{ loss: tf.div(sum, tokens), weight: tokens }`. A loss that is a sum has the
 * weight `undivided`. `tf.scalar(1)` lets all batches count alike, whatever their size.
 */
export interface StepOutput {
  /** Scalar to minimise: the loss of this batch alone. */
  readonly loss: Tensor;
  /**
   * What the sum behind `loss` was divided by: a scalar, `examples` (default) or `undivided`. It depends on `inputs` alone. A
   * batch of weight 0 changes nothing, whatever its `loss`, and is counted (`train/empty_batches` in the log).
   */
  readonly weight?: Tensor | Exclude<LossWeight, object>;
  /**
   * Further scalars for the log, which writes them as `train/NAME`: means over what `weight` counts, where that is a
   * scalar, and over the examples elsewhere.
   */
  readonly logs?: Tensors;
  /**
   * Of scalars that add up several means, or are divided otherwise than the rest: their terms, by name (`loss` or that of
   * a log). `weight` does not count for them. `weightedOutput` fills this in.
   */
  readonly terms?: Readonly<Record<string, readonly LossTerm[]>>;
}

/** One example decoded, for the human eye. */
export interface EvaluatedSample {
  readonly name: string;
  readonly reference: string;
  readonly hypothesis: string;
}

/** What an evaluator found in all batches it was given. */
export interface EvaluationSummary {
  /** Without their group: `loss`, `wer`, `cer` become `val/loss`, `test/wer`, … */
  readonly metrics: Readonly<Record<string, number>>;
  readonly samples: readonly EvaluatedSample[];
}

/** Accumulates over the batches of one pass through an evaluation set. */
export interface Evaluator {
  /** Takes one more batch into account. */
  add(batch: Batch): Promise<void>;
  /**
   * The two halves of `add`, for batches that several ranks evaluate: what is found in a batch, which JSON can hold, and taking
   * it into account, in the order of batches. Without them each rank evaluates all batches.
   */
  find?(batch: Batch): Promise<unknown>;
  /** Takes what `find` of another rank has returned, in the order of batches. */
  take?(finding: unknown): void;
  /** Metrics and samples of all batches so far. */
  summary(): EvaluationSummary;
}

/** How much training data a run takes, where that is known before it begins. */
export interface DataLimits {
  /** Optimizer steps of the whole run. */
  readonly maxSteps?: number | undefined;
}

/** What the Trainer needs of a model. `Model` fulfils most of it for models that a config describes. */
export interface TrainableModel {
  /** Root of the module tree: parameters and buffers that are trained and saved. */
  readonly module: Module;
  /** The resolved `model` section, as written into checkpoints. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Batches for fit; undefined when the config names no training data. Orders may depend on how much the run takes. */
  trainingSource(limits?: DataLimits): Promise<BatchSource | undefined>;
  /** Sources of `trainer.validate` and of the validations of a fit; none: nothing is validated. */
  validationSources(): Promise<readonly BatchSource[]>;
  /** Sources of `trainer.test`. */
  testSources(): Promise<readonly BatchSource[]>;
  /**
   * False where the test set is none of this run's, such as the one that an archive names as it was trained: a fit does not
   * open it then. Default true.
   */
  readonly testsOwnData?: boolean;
  /** The key of the config that names data of a kind (`train`, `validation`, `test`). Default: KIND_ds.manifest_filepath. */
  dataKeyOf?(kind: string): string;
  /** Batches of a step, of all ranks, where the trainer's `accumulate_grad_batches` is 1, as Megatron's configs say it. */
  readonly batchesPerStep?: number;
  /** Where steps grow up to `batchesPerStep`: batches of the one after so many examples (Megatron's `rampup_batch_size`). */
  readonly batchesOfStep?: ((examples: number) => number) | undefined;
  /**
   * Loss of one batch. Runs inside a program: pure tfjs ops, parameters through `parameter.tensor()`.
   * `inputs` are the tensors of `Batch.inputs`.
   */
  trainingStep(inputs: Tensors, pass: Pass): StepOutput;
  /** Fresh accumulators of validation/test metrics. */
  evaluator(engine: Engine): Evaluator;
  /** What a checkpoint holds, where that is not all of the module's state. */
  checkpointStates?(): readonly State[];
  /** Files that a checkpoint must carry to be self-contained (tokenizer model), by name. */
  artifacts(): Promise<ReadonlyMap<string, Uint8Array>>;
}

/** A model that can be saved as a single file with everything it needs. */
export interface ArchivableModel extends TrainableModel {
  /**
   * Writes the model as a .nemo archive, with the weights that the engine holds.
   * @param options.instead values that take the place of a state's own, such as averaged weights
   */
  saveTo(path: string, options: { readonly engine?: Engine; readonly instead?: ReadState }): Promise<void>;
}

/** Whether a model can be saved as a .nemo archive. */
export function isArchivable(model: TrainableModel): model is ArchivableModel {
  return 'saveTo' in model && typeof model.saveTo === 'function';
}
