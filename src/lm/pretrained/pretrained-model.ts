// A language model as others have trained it: a network, its weights in an engine, its tokenizer.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Engine } from '../../engine/index.js';
import { fileSource, readGguf } from '../../formats/index.js';
import { loadWeights } from '../../nn/index.js';
import { ggufTokenizer, type Tokenizer } from '../../text/index.js';
import { CacheRunner } from '../generation/cache-runner.js';
import { generate, generateParts, type TextPart, type Writer } from '../generation/generate.js';
import type { Generated, GenerateOptions } from '../generation/options.js';
import { architectureOf, type HuggingFaceConfig } from '../huggingface/architecture.js';
import { openHuggingFace } from '../huggingface/folder.js';
import { folderTokenizer } from '../huggingface/tokenizer.js';
import { networkWeights } from '../huggingface/weights.js';
import { LanguageNetwork } from '../network.js';
import { mergePeft, peftBasePath } from '../tuning/merge-peft.js';
import { isPeftFolder } from '../tuning/peft-folder.js';
import { ggufConfig } from './gguf-config.js';
import { ggufEnds, ggufWeights } from './gguf-model.js';
import { type RoundingError, type WeightBits, weightOnly } from './weight-only.js';

/** How a model of others is opened. */
export interface OpenPretrainedOptions {
  /** Products of generation with weights of 8 or 4 bits (MatMulNBits). Default: as they are. */
  readonly bits?: WeightBits | undefined;
  /** Is told what rounding to `bits` costs. */
  readonly onRounded?: (error: RoundingError) => void;
  /** A folder of PEFT, whose adapter is added to the weights. Default: none. */
  readonly adapter?: string | undefined;
}

/** What a model is beside its network. */
export interface PretrainedParts {
  readonly tokenizer: Tokenizer;
  /** Its config.json, as a folder has it or as one would. */
  readonly config: HuggingFaceConfig;
  /** Tokens that end a text. Default: the tokenizer's. */
  readonly ends?: readonly number[];
  /** Whether texts begin with the tokenizer's beginning of text. Default false. */
  readonly addsBos?: boolean;
  /** What its weights were stored as. Default: float32. */
  readonly storedAs?: 'F32' | 'F16' | 'BF16';
}

/** A network and tokenizer from files of others, which can write. */
export class PretrainedLanguageModel {
  private runner: Promise<CacheRunner> | undefined;

  constructor(
    readonly network: LanguageNetwork,
    readonly parts: PretrainedParts,
    readonly engine: Engine,
    private readonly options: OpenPretrainedOptions = {},
  ) {}

  /** Whether a path is that of such a model: a folder with config.json, or a .gguf file. A folder of PEFT is not, but can be opened. */
  static isAt(path: string): boolean {
    return path.endsWith('.gguf') || existsSync(join(path, 'config.json'));
  }

  /**
   * A folder of Hugging Face (config.json, safetensors, tokenizer), a GGUF file, or a folder of PEFT that says which of these its
   * adapter is for.
   * @throws AnemoneError `lm.huggingface`, `gguf.*`, `tokenizer.*`, `weights.*`, `lm.peft`
   */
  static async open(
    path: string,
    engine: Engine,
    options: OpenPretrainedOptions = {},
  ): Promise<PretrainedLanguageModel> {
    if (options.adapter === undefined && isPeftFolder(path))
      return PretrainedLanguageModel.open(await peftBasePath(path), engine, { ...options, adapter: path });
    const isGguf = path.endsWith('.gguf');
    return PretrainedLanguageModel[isGguf ? 'fromGguf' : 'fromFolder'](path, engine, options);
  }

  /**
   * The model of a folder of Hugging Face: GPT-2, Llama, Mistral, Qwen 2 and 3, Gemma 1 to 3.
   * @throws AnemoneError `lm.huggingface`, `tokenizer.*`, `weights.*`
   */
  static async fromFolder(
    folder: string,
    engine: Engine,
    options: OpenPretrainedOptions = {},
  ): Promise<PretrainedLanguageModel> {
    const { config, architecture, weights } = await openHuggingFace(folder);
    try {
      const parts = { config, ...(await folderTokenizer(folder, config)) };
      const network = new LanguageNetwork(architecture, 'core');
      await loadWeights([...network.parameters()], networkWeights(weights, architecture), engine);
      if (options.adapter !== undefined) await mergePeft(network, options.adapter, engine);
      const types = new Set([...weights.entries.values()].map(({ dtype }) => dtype));
      const [only] = types.size === 1 ? types : [];
      const storedAs = only === 'F16' || only === 'BF16' ? only : 'F32';
      return new PretrainedLanguageModel(network, { ...parts, storedAs }, engine, options);
    } finally {
      await weights.close();
    }
  }

  /**
   * The model of a GGUF file (llama, qwen2, qwen3, gemma, gemma2, gemma3; F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q4_K, Q5_K, Q6_K), its weights as float32 in `engine`.
   * @throws AnemoneError `gguf.*`, `lm.huggingface`
   */
  static async fromGguf(
    path: string,
    engine: Engine,
    options: OpenPretrainedOptions = {},
  ): Promise<PretrainedLanguageModel> {
    const source = await fileSource(path, 'gguf');
    try {
      const file = await readGguf(source);
      const config = await ggufConfig(file);
      const architecture = architectureOf(config, file.name);
      const tokenizer = ggufTokenizer(file);
      const network = new LanguageNetwork(architecture, 'core');
      const weights = networkWeights(ggufWeights(file, architecture), architecture);
      await loadWeights([...network.parameters()], weights, engine);
      if (options.adapter !== undefined) await mergePeft(network, options.adapter, engine);
      const parts = { tokenizer, config, ...ggufEnds(file, tokenizer) };
      return new PretrainedLanguageModel(network, parts, engine, options);
    } finally {
      await source.close();
    }
  }

  /** Its tokenizer. */
  get tokenizer(): Tokenizer {
    return this.parts.tokenizer;
  }

  /** See `MegatronGPTModel.generate`. Special tokens in prompts stand for themselves, such as those of a chat's turns. */
  async generate(prompts: readonly string[], options: GenerateOptions = {}): Promise<Generated[]> {
    return generate(await this.writer(), prompts, options);
  }

  /** See `MegatronGPTModel.stream`. */
  async *stream(prompts: readonly string[], options: GenerateOptions = {}): AsyncGenerator<TextPart, void> {
    yield* generateParts(await this.writer(), prompts, options);
  }

  /** Rounds weights now, where `bits` are asked for, and not before the first text. */
  async prepare(): Promise<void> {
    await this.writer();
  }

  private async writer(): Promise<Writer> {
    this.runner ??= this.newRunner();
    return { runner: await this.runner, ...this.parts };
  }

  private async newRunner(): Promise<CacheRunner> {
    const { network, engine } = this;
    const { bits, onRounded } = this.options;
    if (bits === undefined) return new CacheRunner(engine, network);
    const rounded = await weightOnly(network, engine, bits);
    onRounded?.(rounded);
    return new CacheRunner(engine, network, rounded.tracing);
  }
}
