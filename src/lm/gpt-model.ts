// NeMo's MegatronGPTModel: a causal language model, pre-trained on text.
import { type ConfigNode, withKeys } from '../config/index.js';
import type { Container } from '../container/index.js';
import type { Engine, Tensors } from '../engine/index.js';
import {
  type BatchSource,
  buildModel,
  type DataLimits,
  type Evaluator,
  Model,
  type ModelContext,
  type Section,
  type StepOutput,
} from '../model/index.js';
import type { ArchivedConfig } from '../nemo/index.js';
import type { Pass } from '../nn/index.js';
import type { Tokenizer } from '../text/index.js';
import { archivedGpt } from './archived-gpt.js';
import { brickComponents } from './bricks.js';
import type { TextPart } from './generation/generate.js';
import { type GptGenerateOptions, ModelWriter } from './generation/model-writer.js';
import type { Generated } from './generation/options.js';
import { gptArchitecture } from './gpt-architecture.js';
import { type GptModelConfig, type GptModelSection, gptModelSchema } from './gpt-schema.js';
import { LanguageNetwork } from './network.js';
import { meanLoss, PerplexityEvaluators } from './perplexity.js';
import { stillGroups } from './still-groups.js';
import { TextData } from './text-data.js';
import { modelTokenizer } from './tokenizer.js';

/**
 * A GPT of Megatron, as NeMo's MegatronGPTModel (1.23) configures it: trained on text, evaluated by perplexity, and able to write.
 */
export class MegatronGPTModel extends Model<GptModelConfig> {
  readonly tokenizer: Tokenizer;
  readonly network: LanguageNetwork;
  /** Micro-batches of a step: `global_batch_size` / `micro_batch_size`. */
  readonly batchesPerStep: number;
  /** Where they grow (`rampup_batch_size`): of the step after so many samples. */
  readonly batchesOfStep: ((examples: number) => number) | undefined;
  private readonly data: TextData;
  private readonly evaluators: PerplexityEvaluators;
  private readonly writer: ModelWriter;

  /** Use `fromConfig`. */
  constructor(node: ConfigNode, settings: GptModelConfig, scope: Container) {
    super(node, settings, scope, brickComponents);
    this.tokenizer = modelTokenizer(settings.tokenizer, scope);
    const architecture = gptArchitecture(settings, this.tokenizer.vocabSize);
    const naming = settings.mcore_gpt ? 'core' : 'legacy';
    this.network = this.child('model', new LanguageNetwork(architecture, naming, settings));
    this.batchesPerStep = settings.global_batch_size / settings.micro_batch_size;
    this.writer = new ModelWriter(this.network, this.tokenizer);
    this.evaluators = new PerplexityEvaluators(this.network);
    this.batchesOfStep = rampUp(settings);
    this.data = new TextData(settings, this.tokenizer);
  }

  /**
   * A model from the `model` section of a config.
   * @throws AnemoneErrors with all mistakes of the section
   */
  static fromConfig(node: GptModelSection, context: ModelContext = {}): MegatronGPTModel {
    return buildModel(
      context,
      brickComponents,
      (scope, options) => new this(node as ConfigNode, gptModelSchema.parse(node, options), scope),
    );
  }

  /** The `model` section, with the groups of Megatron: norms and biases do not decay. */
  override get config(): Section {
    const config = super.config;
    const groups = config['optim_param_groups'] ?? stillGroups(this.parameters());
    return groups ? withKeys(config, { optim_param_groups: groups }) : config;
  }

  /** The key of the config that names text of a kind (`train`, `validation`, `test`), for messages. */
  dataKeyOf(kind: string): string {
    return `model.data.data_prefix.${kind}`;
  }

  override async trainingSource(limits: DataLimits = {}): Promise<BatchSource | undefined> {
    return this.data.open('train', limits);
  }

  override async validationSources(): Promise<readonly BatchSource[]> {
    const source = await this.data.open('validation');
    return source ? [source] : [];
  }

  override async testSources(): Promise<readonly BatchSource[]> {
    const source = await this.data.open('test');
    return source ? [source] : [];
  }

  /** The mean loss of the targets. inputs: `tokens` and `labels` int32 [B,T], `lossMask` [B,T]; see `TokenSource`. */
  override trainingStep(inputs: Tensors, pass: Pass): StepOutput {
    return meanLoss(this.network, inputs, pass);
  }

  override evaluator(engine: Engine): Evaluator {
    return this.evaluators.on(engine);
  }

  /**
   * Goes on with each prompt; the samples of a prompt follow each other.
   * @throws AnemoneError `lm.prompt` for a prompt that has more tokens than the model has positions, `lm.option`,
   *   `engine.cancelled`, `asr.no-engine`
   */
  async generate(prompts: readonly string[], options: GptGenerateOptions = {}): Promise<Generated[]> {
    return this.writer.generate(this.engineFor(options.engine, 'generate'), prompts, options);
  }

  /** The same as it is written; who stops reading ends the writing. @throws AnemoneError as `generate` */
  stream(prompts: readonly string[], options: GptGenerateOptions = {}): AsyncIterable<TextPart> {
    return this.writer.stream(this.engineFor(options.engine, 'generate'), prompts, options);
  }

  override async artifacts(): Promise<ReadonlyMap<string, Uint8Array>> {
    return this.tokenizer.files();
  }

  override nemoConfig(name: (file: string, bytes: Uint8Array) => string): ArchivedConfig {
    return archivedGpt(this.config, this.tokenizer, name);
  }

  protected override networkChanged(): void {
    this.evaluators.forget();
    this.writer.forget();
  }
}

/** Megatron's ramp-up of the batch size: one increment after each equal share of its samples. */
function rampUp({
  rampup_batch_size: ramp,
  global_batch_size: global,
  micro_batch_size: micro,
}: GptModelConfig): ((examples: number) => number) | undefined {
  if (ramp === null) return undefined;
  const [start, added, samples] = ramp;
  const perIncrement = (samples * added) / Math.max(global - start, 1);
  return (examples) => Math.min(start + added * Math.floor(examples / perIncrement), global) / micro;
}
