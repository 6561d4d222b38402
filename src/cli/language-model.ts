// A language model for the commands that use one: of a checkpoint, an archive, a folder of Hugging Face, or a GGUF file.
import type { Engine } from '../engine/index.js';
import type {
  ExportedModel,
  ExportType,
  Generated,
  GenerateOptions,
  LanguageNetwork,
  TextPart,
  WeightBits,
} from '../lm/index.js';
import type { ChatTemplate, Tokenizer } from '../text/index.js';
import type { Trainer } from '../training/index.js';
import type { TrainedModelOptions } from './trained-model-options.js';

/** What the commands use of a language model. */
export interface LanguageModel {
  readonly trainer: Trainer;
  readonly engine: Engine;
  readonly network: LanguageNetwork;
  readonly tokenizer: Tokenizer;
  /** Whether texts begin with the tokenizer's beginning of text. */
  readonly addsBos: boolean;
  /** What weights were stored as. */
  readonly storedAs: ExportType;
  readonly exported: ExportedModel;
  generate(prompts: readonly string[], options: GenerateOptions): Promise<Generated[]>;
  stream(prompts: readonly string[], options: GenerateOptions): AsyncIterable<TextPart>;
}

/** How one is opened. */
export interface LanguageModelOptions extends TrainedModelOptions {
  readonly overrides: readonly string[];
  /** Of weights in generation. */
  readonly bits?: WeightBits | undefined;
  /** Whether low-rank adapters are added to the weights beside which they stand, which must then be there. Default: they stay. */
  readonly merges?: boolean | undefined;
}

/** @throws AnemoneError `cli.no-language-model`, `cli.override`, and what opening throws */
export async function openLanguageModel(path: string, options: LanguageModelOptions): Promise<LanguageModel> {
  const { PretrainedLanguageModel } = await import('../lm/index.js');
  return PretrainedLanguageModel.isAt(path) ? pretrained(path, options) : trained(path, options);
}

/** The model of a checkpoint or archive. */
async function trained(path: string, options: LanguageModelOptions): Promise<LanguageModel> {
  const { AnemoneError } = await import('../errors/index.js');
  const { MegatronGPTModel, MegatronGPTSFTModel } = await import('../lm/index.js');
  const { loadTrainedModel } = await import('./trained-model.js');
  const { model, trainer } = await loadTrainedModel(path, options);
  if (!(model instanceof MegatronGPTModel || model instanceof MegatronGPTSFTModel)) {
    await trainer.dispose();
    throw new AnemoneError({
      code: 'cli.no-language-model',
      message: `${path} holds no language model`,
      hint: 'anemone transcribe is for speech models',
    });
  }
  const hasAdapters = model.adapters.names.length > 0;
  if (options.merges !== undefined && options.merges !== hasAdapters) {
    await trainer.dispose();
    const message = hasAdapters ? 'the model has adapters, which have no place in the folder' : 'the model has no adapters'; // biome-ignore format: one line
    throw new AnemoneError({ code: 'cli.no-adapter', path: '--merge', message, ...(hasAdapters && { hint: 'give --merge' }) }); // biome-ignore format: one line
  }
  if (options.merges) await model.mergeAdapters(undefined, { engine: trainer.engine });
  const { network, tokenizer } = model;
  const own = { engine: trainer.engine, ...(options.bits && { bits: options.bits }) };
  return {
    trainer,
    engine: trainer.engine,
    network,
    tokenizer,
    addsBos: false,
    storedAs: 'F32',
    exported: { network, tokenizer },
    generate: (prompts, asked) => model.generate(prompts, { ...asked, ...own }),
    stream: (prompts, asked) => model.stream(prompts, { ...asked, ...own }),
  };
}

/** The model of a folder or file of others, which has no config of ours to change. */
async function pretrained(path: string, options: LanguageModelOptions): Promise<LanguageModel> {
  const { AnemoneError } = await import('../errors/index.js');
  const { PretrainedLanguageModel } = await import('../lm/index.js');
  const { Trainer } = await import('../training/index.js');
  const { overrides, engine, bits } = options;
  if (overrides.length > 0) {
    const message = `${path} has no config that could be changed`;
    throw new AnemoneError({ code: 'cli.override', message, position: { file: `override ${overrides[0]}` } });
  }
  if (options.weights === 'ema') {
    const message = 'such a model has one set of weights';
    throw new AnemoneError({ code: 'cli.option', path: '--weights', message });
  }
  const trainer = new Trainer(engine === undefined ? {} : { engine: { name: engine } });
  try {
    const model = await PretrainedLanguageModel.open(path, trainer.engine, { bits });
    const { network, parts } = model;
    const { tokenizer, config, ends, addsBos = false, storedAs = 'F32' } = parts;
    return {
      trainer,
      engine: trainer.engine,
      network,
      tokenizer,
      addsBos,
      storedAs,
      exported: { network, tokenizer, config, ends },
      generate: (prompts, asked) => model.generate(prompts, asked),
      stream: (prompts, asked) => model.stream(prompts, asked),
    };
  } catch (error) {
    await trainer.dispose();
    throw error;
  }
}

/** How a model writes conversations. @throws AnemoneError `cli.no-chat-template` */
export async function chatTemplateOf({ tokenizer }: LanguageModel): Promise<ChatTemplate> {
  const { AnemoneError } = await import('../errors/index.js');
  const { HuggingFaceTokenizer } = await import('../text/index.js');
  if (tokenizer instanceof HuggingFaceTokenizer && tokenizer.chatTemplate) return tokenizer.chatTemplate;
  throw new AnemoneError({
    code: 'cli.no-chat-template',
    path: '--chat',
    message: 'the model has no chat template',
    hint: 'a model that was trained on conversations has one beside its tokenizer; write turns into --prompt otherwise',
  });
}
