// A language model as others have trained it: a network, its weights in an engine, its tokenizer.
import type { Engine } from '../../engine/index.js';
import { fileSource, readGguf } from '../../formats/index.js';
import { loadWeights } from '../../nn/index.js';
import type { Tokenizer } from '../../text/index.js';
import { CacheRunner } from '../generation/cache-runner.js';
import { generate, generateParts, type TextPart, type Writer } from '../generation/generate.js';
import type { Generated, GenerateOptions } from '../generation/options.js';
import { networkWeights } from '../huggingface/weights.js';
import { LanguageNetwork } from '../network.js';
import { ggufArchitecture, ggufTokenizer, ggufWeights } from './gguf-model.js';

/** A network and tokenizer from a file of others, which can write. */
export class PretrainedLanguageModel {
  private runner: CacheRunner | undefined;

  constructor(
    readonly network: LanguageNetwork,
    readonly tokenizer: Tokenizer,
    private readonly engine: Engine,
  ) {}

  /**
   * The model of a GGUF file (llama; F32, F16, BF16, Q8_0, Q4_0, Q4_1), its weights as float32 in `engine`.
   * @throws AnemoneError `gguf.*`, `lm.huggingface`
   */
  static async fromGguf(path: string, engine: Engine): Promise<PretrainedLanguageModel> {
    const source = await fileSource(path, 'gguf');
    try {
      const file = await readGguf(source);
      const architecture = ggufArchitecture(file);
      const tokenizer = ggufTokenizer(file);
      const network = new LanguageNetwork(architecture, 'core');
      const weights = networkWeights(ggufWeights(file, architecture), architecture);
      await loadWeights([...network.parameters()], weights, engine);
      return new PretrainedLanguageModel(network, tokenizer, engine);
    } finally {
      await source.close();
    }
  }

  /** See `MegatronGPTModel.generate`. Special tokens in prompts stand for themselves, such as those of a chat's turns. */
  generate(prompts: readonly string[], options: GenerateOptions = {}): Promise<Generated[]> {
    return generate(this.writer(), prompts, options);
  }

  /** See `MegatronGPTModel.stream`. */
  stream(prompts: readonly string[], options: GenerateOptions = {}): AsyncIterable<TextPart> {
    return generateParts(this.writer(), prompts, options);
  }

  private writer(): Writer {
    this.runner ??= new CacheRunner(this.engine, this.network);
    return { runner: this.runner, tokenizer: this.tokenizer };
  }
}
