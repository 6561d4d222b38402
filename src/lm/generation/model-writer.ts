// What writes with the weights of a model in training or restored: programs are kept by engine, rounded weights are not, since
// training may go on.
import type { Engine } from '../../engine/index.js';
import type { Tokenizer } from '../../text/index.js';
import type { LanguageNetwork } from '../network.js';
import { type WeightBits, weightOnly } from '../pretrained/weight-only.js';
import { CacheRunner } from './cache-runner.js';
import { generate, generateParts, type TextPart, type Writer } from './generate.js';
import type { Generated, GenerateOptions } from './options.js';

/** Options of generation, and what it is computed with. */
export interface GptGenerateOptions extends GenerateOptions {
  /** Default: the one that the model was given. */
  readonly engine?: Engine;
  /** Products with weights of 8 or 4 bits (MatMulNBits), as the weights are now. Default: as they are. */
  readonly bits?: WeightBits;
}

/** Writes with a network whose weights may change. */
export class ModelWriter {
  private runners = new WeakMap<Engine, CacheRunner>();

  constructor(
    private readonly network: LanguageNetwork,
    private readonly tokenizer: Tokenizer,
  ) {}

  /** @throws AnemoneError `lm.prompt`, `lm.option`, `engine.cancelled` */
  async generate(
    engine: Engine,
    prompts: readonly string[],
    options: GptGenerateOptions,
  ): Promise<Generated[]> {
    const { writer, dispose } = await this.open(engine, options);
    try {
      return await generate(writer, prompts, options);
    } finally {
      dispose();
    }
  }

  /** @throws AnemoneError as `generate` */
  async *stream(
    engine: Engine,
    prompts: readonly string[],
    options: GptGenerateOptions,
  ): AsyncGenerator<TextPart, void> {
    const { writer, dispose } = await this.open(engine, options);
    try {
      yield* generateParts(writer, prompts, options);
    } finally {
      dispose();
    }
  }

  /** Call when the network computes another way from now on. */
  forget(): void {
    this.runners = new WeakMap();
  }

  private async open(
    engine: Engine,
    { bits }: GptGenerateOptions,
  ): Promise<{ writer: Writer; dispose: () => void }> {
    const { network, tokenizer } = this;
    if (bits) {
      const rounded = await weightOnly(network, engine, bits);
      const runner = new CacheRunner(engine, network, rounded.tracing);
      const dispose = (): void => {
        runner.dispose();
        rounded.release();
      };
      return { writer: { runner, tokenizer }, dispose };
    }
    let runner = this.runners.get(engine);
    if (!runner) {
      runner = new CacheRunner(engine, network);
      this.runners.set(engine, runner);
    }
    return { writer: { runner, tokenizer }, dispose: () => {} };
  }
}
