// NeMo's MegatronGPTSFTModel: a restored language model, tuned on prompts and answers, whole or by LoRA. Of a model with an adapter,
// checkpoints hold the adapter alone.
import { type ConfigNode, configFromValues, toYaml, withKeys } from '../../config/index.js';
import type { Container } from '../../container/index.js';
import type { ChatText } from '../../data/index.js';
import { ENGINE, type Engine, type State, type Tensors } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import { openWeights } from '../../formats/index.js';
import {
  type BatchSource,
  buildModel,
  type Evaluator,
  Model,
  type ModelContext,
  modelScope,
  type Section,
  type StepOutput,
} from '../../model/index.js';
import { type ArchivedConfig, restoreConfig, saveArchive } from '../../nemo/index.js';
import { loadWeights, type Pass, type ReadState } from '../../nn/index.js';
import { HuggingFaceTokenizer, type Tokenizer } from '../../text/index.js';
import { saveGptArchive } from '../archived-gpt.js';
import { brickComponents } from '../bricks.js';
import type { TextPart } from '../generation/generate.js';
import { type GptGenerateOptions, ModelWriter } from '../generation/model-writer.js';
import type { Generated } from '../generation/options.js';
import { LanguageNetwork } from '../network.js';
import { meanLoss, PerplexityEvaluators } from '../perplexity.js';
import { stillGroups } from '../still-groups.js';
import { type BaseModel, digestOf, openBase } from './base-model.js';
import { loadPeft, peftConfig, savePeft } from './peft-folder.js';
import { openRows } from './rows.js';
import { type TuningConfig, type TuningSection, tuningSchema } from './tuning-schema.js';

/** What NeMo calls the class. */
export const TUNED_TARGET =
  'nemo.collections.nlp.models.language_modeling.megatron_gpt_sft_model.MegatronGPTSFTModel';
const ADAPTER = 'lora';
const NETWORK = 'model';

/**
 * A restored language model that is tuned on prompts and answers, as NeMo's MegatronGPTSFTModel (1.23) configures it: whole, or
 * with `peft.peft_scheme: lora` a low-rank adapter alone.
 */
export class MegatronGPTSFTModel extends Model<TuningConfig & { readonly adapters: null }> {
  readonly tokenizer: Tokenizer;
  readonly network: LanguageNetwork;
  /** Micro-batches of a step: `global_batch_size` / `micro_batch_size`. */
  readonly batchesPerStep: number;
  private readonly evaluators: PerplexityEvaluators;
  private readonly writer: ModelWriter;
  private readonly baseSection: Section | undefined;

  /** Use `open`. */
  constructor(
    node: ConfigNode,
    settings: TuningConfig,
    scope: Container,
    base: BaseModel,
    private readonly digest: string,
  ) {
    super(node, { ...settings, adapters: null }, scope, brickComponents);
    this.tokenizer = base.tokenizer;
    this.baseSection = base.section;
    const { hidden_dropout: hiddenDropout, attention_dropout: attentionDropout, ffn_dropout: innerDropout } = settings; // biome-ignore format: one line
    const architecture = { ...base.architecture, hiddenDropout, attentionDropout, innerDropout };
    this.network = this.child(NETWORK, new LanguageNetwork(architecture, base.naming, settings));
    this.writer = new ModelWriter(this.network, this.tokenizer);
    this.evaluators = new PerplexityEvaluators(this.network);
    const train = settings.data?.train_ds;
    const global = train?.global_batch_size ?? settings.global_batch_size;
    this.batchesPerStep = global / (train?.micro_batch_size ?? settings.micro_batch_size);
  }

  /**
   * The model of a section, its weights in the engine of the context.
   * @throws AnemoneErrors with all mistakes of the section; AnemoneError `lm.base`, `adapter.*`, and what is wrong with files
   */
  static async open(node: TuningSection, context: ModelContext): Promise<MegatronGPTSFTModel> {
    const scope = modelScope(context, brickComponents);
    const settings = tuningSchema.parse(node, { lookup: scope.components, path: 'model' });
    const { restore_from_path: path, restore_from_digest: expected, peft } = settings;
    const digest = await digestIfReadable(path);
    if (expected !== null && digest !== undefined && digest !== expected) throw anotherBase(path);
    const adapter = peft?.peft_scheme === 'lora' ? await adapterSection(peft) : undefined;
    const base = await openBase(path, scope);
    try {
      const model = buildModel(
        scope,
        brickComponents,
        (scope, options) =>
          new MegatronGPTSFTModel(node as ConfigNode, tuningSchema.parse(node, options), scope, base, digest ?? ''),
      ); // biome-ignore format: one expression
      const engine = scope.resolve(ENGINE);
      await loadWeights([...model.network.parameters()], base.weights(`${NETWORK}.`), engine);
      if (!adapter) return model;
      model.addAdapter(ADAPTER, adapter as never);
      model.freeze();
      model.unfreezeEnabledAdapters();
      if (typeof peft?.restore_from_path === 'string')
        await loadPeft(peft.restore_from_path, model.adapters.mapsOf(ADAPTER), engine, model.network.options);
      return model;
    } finally {
      await base.close();
    }
  }

  /**
   * A model that `saveTo` wrote: with an adapter, the model that was tuned is opened from where it was.
   * @throws AnemoneError; see `open`, `initFrom`
   */
  static async restore(
    path: string,
    context: ModelContext,
    overrides: readonly string[] = [],
  ): Promise<MegatronGPTSFTModel> {
    const scope = modelScope(context, brickComponents);
    const { model: node } = await restoreConfig(path, overrides);
    const model = await MegatronGPTSFTModel.open(node as TuningSection, scope);
    const weights = await openWeights(path);
    try {
      await loadWeights(model.checkpointStates(), weights, scope.resolve(ENGINE));
    } finally {
      await weights.close();
    }
    return model;
  }

  /** The `model` section, which knows the restored model by its digest; its adapter stands under `peft`. */
  override get config(): Section {
    const config = super.config;
    return withKeys(config, {
      adapters: undefined,
      ...(this.digest !== '' && { restore_from_digest: this.digest }),
      optim_param_groups: config['optim_param_groups'] ?? stillGroups(this.parameters()),
    });
  }

  /** What checkpoints hold: with an adapter, nothing else. */
  checkpointStates(): readonly State[] {
    const all = [...this.stateDict().values()];
    const { names } = this.adapters;
    return names.length === 0 ? all : all.filter(({ name }) => names.some((own) => name.includes(`.adapter_layer.${own}.`))); // biome-ignore format: one line
  }

  /** The key of the config that names rows of a kind (`train`, `validation`, `test`), for messages. */
  dataKeyOf(kind: string): string {
    return `model.data.${kind}_ds.file_names`;
  }

  override async trainingSource(): Promise<BatchSource | undefined> {
    return (await this.rows('train_ds', true))[0];
  }

  override validationSources(): Promise<readonly BatchSource[]> {
    return this.rows('validation_ds', false);
  }

  override testSources(): Promise<readonly BatchSource[]> {
    return this.rows('test_ds', false);
  }

  /** The mean loss of what is to be learned. inputs: those of `AnswerSource`. */
  override trainingStep(inputs: Tensors, pass: Pass): StepOutput {
    return meanLoss(this.network, inputs, pass);
  }

  override evaluator(engine: Engine): Evaluator {
    return this.evaluators.on(engine);
  }

  /**
   * Goes on with each prompt; see `MegatronGPTModel.generate`.
   * @throws AnemoneError `lm.prompt`, `lm.option`, `engine.cancelled`, `asr.no-engine`
   */
  async generate(prompts: readonly string[], options: GptGenerateOptions = {}): Promise<Generated[]> {
    return this.writer.generate(this.engineFor(options.engine, 'generate'), prompts, options);
  }

  /** See `MegatronGPTModel.stream`. */
  stream(prompts: readonly string[], options: GptGenerateOptions = {}): AsyncIterable<TextPart> {
    return this.writer.stream(this.engineFor(options.engine, 'generate'), prompts, options);
  }

  /**
   * Writes the adapter as a folder of Hugging Face's PEFT: adapter_config.json and adapter_model.safetensors.
   * @throws AnemoneError `adapter.none`, `asr.no-engine`
   */
  async savePeft(folder: string, options: { readonly engine?: Engine } = {}): Promise<void> {
    const engine = this.engineFor(options.engine, 'savePeft');
    if (this.adapters.names.length === 0)
      throw new AnemoneError({ code: 'adapter.none', message: 'the model has no adapter to save' });
    const { options: network } = this.network;
    const base = this.settings.restore_from_path;
    await savePeft(folder, this.adapters.mapsOf(ADAPTER), { base, network }, engine);
  }

  override async artifacts(): Promise<ReadonlyMap<string, Uint8Array>> {
    return new Map();
  }

  /**
   * Of a model with an adapter, the archive holds the adapter alone, as NeMo's; of one without (merged, or trained as a whole) it is
   * that of a `MegatronGPTModel`, which needs no other file.
   * @throws AnemoneError `lm.no-nemo` for a network that NeMo's keys do not describe
   */
  override async saveTo(
    path: string,
    options: { readonly engine?: Engine; readonly instead?: ReadState } = {},
  ): Promise<void> {
    if (this.adapters.names.length === 0) {
      const { network, tokenizer, baseSection: section } = this;
      return saveGptArchive(path, { network, tokenizer, section }, this.engineFor(options.engine, 'saveTo'), options.instead); // biome-ignore format: one line
    }
    const states = new Map(this.checkpointStates().map((state) => [state.name, state]));
    const part = Object.create(this, { stateDict: { value: () => states } }) as this;
    await saveArchive(part, path, this.engineFor(options.engine, 'saveTo'), options.instead);
  }

  override nemoConfig(): ArchivedConfig {
    const { optim_param_groups: _, data: __, ...config } = this.config;
    const written = { ...config, target: TUNED_TARGET, nemo_version: config['nemo_version'] ?? '1.23.0' };
    return { yaml: toYaml(configFromValues(written)), artifacts: new Map() };
  }

  protected override networkChanged(): void {
    this.evaluators.forget();
    this.writer.forget();
  }

  private rows(section: 'train_ds' | 'validation_ds' | 'test_ds', training: boolean): Promise<BatchSource[]> {
    const { data, micro_batch_size, seed, answer_only_loss } = this.settings;
    const config = data?.[section];
    if (!config) return Promise.resolve([]);
    const { positions } = this.network.options;
    const shared = { seed, positions, batchSize: config.micro_batch_size ?? micro_batch_size, chat: chatOf(this.tokenizer) }; // biome-ignore format: one line
    return openRows(config, { ...shared, section, training, answerOnly: answer_only_loss, tokenizer: this.tokenizer }); // biome-ignore format: one line
  }
}

/** How the tokenizer's template writes chats; undefined where it has none. */
function chatOf(tokenizer: Tokenizer): ChatText | undefined {
  if (!(tokenizer instanceof HuggingFaceTokenizer) || !tokenizer.chatTemplate) return undefined;
  return (turns, addGenerationPrompt) =>
    tokenizer.applyChatTemplate(
      turns.map((turn) => ({ ...turn })),
      { addGenerationPrompt },
    );
}

/** LoRA as a component: what `lora_tuning` says, or what a folder of PEFT was made with. */
async function adapterSection(peft: NonNullable<TuningConfig['peft']>): Promise<Section> {
  const { adapter_dim: dim, adapter_dropout: dropout, ...rest } = peft.lora_tuning as Section;
  const own = { _target_: 'LoRA', dim, dropout, ...rest };
  const { restore_from_path: folder } = peft;
  return typeof folder === 'string' ? { ...own, ...(await peftConfig(folder)) } : own;
}

/** Undefined where there is nothing to read: opening says what is wrong. */
async function digestIfReadable(path: string): Promise<string | undefined> {
  const { existsSync } = await import('node:fs');
  return existsSync(path) ? digestOf(path) : undefined;
}

function anotherBase(path: string): AnemoneError {
  return new AnemoneError({
    code: 'lm.base',
    path: 'model.restore_from_path',
    position: { file: path },
    message: 'the adapter was trained on another model than this file holds',
    hint: 'name the right one: model.restore_from_path=PATH',
  });
}
