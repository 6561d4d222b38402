// A language model for the commands that use one: of a checkpoint, an archive, a folder of Hugging Face, or a GGUF file.
import type { Engine } from '../engine/index.js';
import type {
  ExportedModel,
  ExportType,
  Generated,
  GenerateOptions,
  LanguageNetwork,
  RoundingError,
  TextPart,
  WeightBits,
} from '../lm/index.js';
import type { ChatTemplate, Tokenizer } from '../text/index.js';
import type { Trainer } from '../training/index.js';
import { tell } from './print.js';
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
  /** Writes it as the archive of a NeMo model. */
  saveNemo(file: string): Promise<void>;
  generate(prompts: readonly string[], options: GenerateOptions): Promise<Generated[]>;
  stream(prompts: readonly string[], options: GenerateOptions): AsyncIterable<TextPart>;
}

/** How one is opened. */
export interface LanguageModelOptions extends TrainedModelOptions {
  readonly overrides: readonly string[];
  /** Of weights in generation. */
  readonly bits?: WeightBits | undefined;
  /** A folder of PEFT, whose adapter is added to the weights. */
  readonly adapter?: string | undefined;
  /** Whether low-rank adapters are added to the weights beside which they stand, which must then be there. Default: they stay. */
  readonly merges?: boolean | undefined;
}

/** @throws AnemoneError `cli.no-language-model`, `cli.override`, and what opening throws */
export async function openLanguageModel(path: string, options: LanguageModelOptions): Promise<LanguageModel> {
  const { isPeftFolder, peftBasePath, PretrainedLanguageModel } = await import('../lm/index.js');
  const { AnemoneError } = await import('../errors/index.js');
  if (isPeftFolder(path)) {
    const message = `${path} is itself an adapter`;
    if (options.adapter !== undefined)
      throw new AnemoneError({ code: 'cli.option', path: '--adapter', message });
    return openLanguageModel(await peftBasePath(path), { ...options, adapter: path });
  }
  return PretrainedLanguageModel.isAt(path) ? pretrained(path, options) : trained(path, options);
}

/** Whether a path is that of a language model from elsewhere, or of an adapter for one. */
export async function isForeign(path: string): Promise<boolean> {
  const { isPeftFolder, PretrainedLanguageModel } = await import('../lm/index.js');
  return PretrainedLanguageModel.isAt(path) || isPeftFolder(path);
}

/** @throws AnemoneError `cli.no-adapter` */
async function checkMerges(merges: boolean | undefined, hasAdapters: boolean): Promise<void> {
  const { AnemoneError } = await import('../errors/index.js');
  if (merges === undefined || merges === hasAdapters) return;
  const message = hasAdapters ? 'the model has adapters, which have no place in what is written' : 'the model has no adapters'; // biome-ignore format: one line
  throw new AnemoneError({ code: 'cli.no-adapter', path: '--merge', message, ...(hasAdapters && { hint: 'give --merge' }) }); // biome-ignore format: one line
}

/** The model of a checkpoint or archive. */
async function trained(path: string, options: LanguageModelOptions): Promise<LanguageModel> {
  const { AnemoneError } = await import('../errors/index.js');
  const { MegatronGPTModel, MegatronGPTSFTModel, mergePeft, PretrainedLanguageModel } = await import(
    '../lm/index.js'
  );
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
  const { network, tokenizer } = model;
  try {
    await checkMerges(options.merges, model.adapters.names.length > 0 || options.adapter !== undefined);
    if (options.adapter !== undefined) await mergePeft(network, options.adapter, trainer.engine);
    if (options.merges) await model.mergeAdapters(undefined, { engine: trainer.engine });
  } catch (error) {
    await trainer.dispose();
    throw error;
  }
  const { engine } = trainer;
  const rounded = options.bits ? new PretrainedLanguageModel(network, { tokenizer, config: {} }, engine, { bits: options.bits, onRounded }) : undefined; // biome-ignore format: one line
  await rounded?.prepare();
  return {
    trainer,
    engine: trainer.engine,
    network,
    tokenizer,
    addsBos: false,
    storedAs: 'F32',
    exported: { network, tokenizer },
    saveNemo: (file) => model.saveTo(file, { engine: trainer.engine }),
    generate: (prompts, asked) => (rounded ?? model).generate(prompts, { ...asked, engine }),
    stream: (prompts, asked) => (rounded ?? model).stream(prompts, { ...asked, engine }),
  };
}

/** The model of a folder or file of others, which has no config of ours to change. */
async function pretrained(path: string, options: LanguageModelOptions): Promise<LanguageModel> {
  const { AnemoneError } = await import('../errors/index.js');
  const { PretrainedLanguageModel, saveGptArchive } = await import('../lm/index.js');
  const { Trainer } = await import('../training/index.js');
  const { overrides, engine, bits, adapter, merges } = options;
  if (overrides.length > 0) {
    const message = `${path} has no config that could be changed`;
    throw new AnemoneError({ code: 'cli.override', message, position: { file: `override ${overrides[0]}` } });
  }
  if (options.weights === 'ema') {
    const message = 'such a model has one set of weights';
    throw new AnemoneError({ code: 'cli.option', path: '--weights', message });
  }
  await checkMerges(merges, adapter !== undefined);
  const trainer = new Trainer(engine === undefined ? {} : { engine: { name: engine } });
  try {
    const model = await PretrainedLanguageModel.open(path, trainer.engine, { bits, adapter, onRounded });
    await model.prepare();
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
      saveNemo: (file) => saveGptArchive(file, { network, tokenizer }, trainer.engine),
      generate: (prompts, asked) => model.generate(prompts, asked),
      stream: (prompts, asked) => model.stream(prompts, asked),
    };
  } catch (error) {
    await trainer.dispose();
    throw error;
  }
}

/** Users know then what fewer bits cost. */
function onRounded({ bits, error, worst }: RoundingError): void {
  const percent = (share: number): string => `${(100 * share).toPrecision(2)} %`;
  tell(`weights of ${bits} bits are off by ${percent(error)} (root mean square), most in ${worst.name}: ${percent(worst.error)}\n`);
} // biome-ignore format: one line reads better

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
