// What writes with the weights of a network: programs that are compiled once for an engine.
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

/** A writer, and what gives back its memory. */
interface OpenWriter {
  readonly writer: Writer;
  readonly dispose: () => void;
}

/** The writers of a network, one for each engine. */
export class Writers {
  private readonly runners = new WeakMap<Engine, CacheRunner>();

  constructor(
    private readonly network: LanguageNetwork,
    private readonly tokenizer: Tokenizer,
  ) {}

  /** Goes on with each prompt; see `generate`. */
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

  /** The same as it is written; who stops reading ends the writing. */
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

  /** Rounded weights are those of now, and are not kept: training may go on. */
  private async open(engine: Engine, { bits }: GptGenerateOptions): Promise<OpenWriter> {
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
