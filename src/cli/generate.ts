// `anemone generate`: texts that a language model writes after prompts.
import type { Command } from 'commander';
import { above, wholeNumber } from './option-number.js';
import { importOption } from './own-components.js';
import { show, showJson } from './print.js';
import type { TrainedModelOptions } from './trained-model-options.js';

interface GenerateCommandOptions {
  readonly prompt: readonly string[];
  readonly file?: string;
  readonly tokens: number;
  readonly minTokens: number;
  readonly greedy?: boolean;
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly repetitionPenalty?: number;
  readonly seed: number;
  readonly stop: readonly string[];
  readonly weights: string;
  readonly engine?: string;
  readonly json?: boolean;
  readonly import: readonly string[];
}

export function register(program: Command): void {
  const several = (value: string, before: readonly string[]) => [...before, value];
  program
    .command('generate')
    .description(
      'Writes on from prompts with a language model. The likeliest tokens, unless one says how to draw.',
    )
    .argument('<checkpoint>', 'a .ckpt folder, a .nemo or .gguf file, or a run: its best checkpoint is taken')
    .argument('[overrides...]', 'key=value changes of the config the checkpoint was made with')
    .option('--prompt <text>', 'what to go on from; repeatable', several, [])
    .option('--file <path>', 'a prompt a line')
    .option('--tokens <n>', 'most new tokens', wholeNumber(1), 100)
    .option('--min-tokens <n>', 'fewest new tokens', wholeNumber(0), 0)
    .option('--greedy', 'the likeliest token each time')
    .option('--temperature <t>', 'draw; logits are divided by it', above(0))
    .option('--top-k <n>', 'draw among the n likeliest', wholeNumber(1))
    .option('--top-p <p>', 'draw among the likeliest that together have this probability', above(0, 1))
    .option('--repetition-penalty <r>', 'logits of tokens that occurred are divided by it', above(0))
    .option('--seed <n>', 'of what is drawn', wholeNumber(0), 0)
    .option('--stop <text>', 'end where this has been written; repeatable', several, [])
    .option('--weights <which>', 'auto (averaged if the run kept an average), raw or ema', 'auto')
    .option('--engine <name>', 'onnxruntime, tensorflow or reference')
    .option('--json', 'print texts, tokens and why each ended as JSON')
    .addOption(importOption())
    .action(generate);
}

async function generate(path: string, overrides: string[], options: GenerateCommandOptions): Promise<void> {
  const { AnemoneError } = await import('../errors/index.js');
  const prompts = [...options.prompt, ...(options.file === undefined ? [] : await linesOf(options.file))];
  if (prompts.length === 0) {
    const message = 'nothing says what to go on from';
    throw new AnemoneError({
      code: 'cli.option',
      path: '--prompt',
      message,
      hint: 'give --prompt TEXT or --file PATH',
    });
  }
  const { weights, engine, import: modules } = options;
  const { model, trainer } = path.endsWith('.gguf')
    ? await ggufModel(path, overrides, engine)
    : await trainedModel(path, { overrides, weights, engine, modules });
  try {
    const isLive = prompts.length === 1 && !options.json;
    const results = await model.generate(prompts, {
      ...given(options),
      engine: trainer.engine,
      tokensToGenerate: options.tokens,
      minTokens: options.minTokens,
      seed: options.seed,
      stop: options.stop,
      ...(isLive && { onText: printerAfter(prompts[0]) }),
    });
    if (options.json)
      showJson(`${JSON.stringify(results.map((result, i) => ({ prompt: prompts[i], ...result })), null, 2)}\n`); // biome-ignore format: one line
    else if (isLive) show(results[0].text === '' ? `${prompts[0]}\n` : '\n');
    else
      for (const [i, { text }] of results.entries())
        show(`${prompts[i]}${text}\n${i + 1 < results.length ? '\n' : ''}`);
  } finally {
    await trainer.dispose();
  }
}

/** The model of a checkpoint or archive. @throws AnemoneError `cli.no-language-model` */
async function trainedModel(path: string, options: TrainedModelOptions) {
  const { AnemoneError } = await import('../errors/index.js');
  const { MegatronGPTModel, MegatronGPTSFTModel } = await import('../lm/index.js');
  const { loadTrainedModel } = await import('./trained-model.js');
  const { model, trainer } = await loadTrainedModel(path, options);
  if (model instanceof MegatronGPTModel || model instanceof MegatronGPTSFTModel) return { model, trainer };
  await trainer.dispose();
  throw new AnemoneError({
    code: 'cli.no-language-model',
    message: `${path} holds no language model`,
    hint: 'anemone transcribe is for speech models',
  });
}

/** The model of a GGUF file, which has no config to change. @throws AnemoneError `cli.override`, `gguf.*` */
async function ggufModel(path: string, overrides: readonly string[], engine: string | undefined) {
  const { AnemoneError } = await import('../errors/index.js');
  const { PretrainedLanguageModel } = await import('../lm/index.js');
  const { Trainer } = await import('../training/index.js');
  if (overrides.length > 0) {
    const message = 'a .gguf file has no config that could be changed';
    throw new AnemoneError({ code: 'cli.override', message, position: { file: `override ${overrides[0]}` } });
  }
  const trainer = new Trainer(engine === undefined ? {} : { engine: { name: engine } });
  try {
    return { trainer, model: await PretrainedLanguageModel.fromGguf(path, trainer.engine) };
  } catch (error) {
    await trainer.dispose();
    throw error;
  }
}

/** Prints what is added, and the prompt before it: nothing is printed of a prompt that is refused. */
function printerAfter(prompt: string): (row: number, text: string) => void {
  let isFirst = true;
  return (_, text) => {
    show(isFirst ? prompt + text : text);
    isFirst = false;
  };
}

/** What was asked for of how tokens are drawn. */
function given(options: GenerateCommandOptions) {
  const { greedy, temperature, topK, topP, repetitionPenalty } = options;
  return {
    ...(greedy !== undefined && { greedy }),
    ...(temperature !== undefined && { temperature }),
    ...(topK !== undefined && { topK }),
    ...(topP !== undefined && { topP }),
    ...(repetitionPenalty !== undefined && { repetitionPenalty }),
  };
}

async function linesOf(path: string): Promise<string[]> {
  const { decodeUtf8, readRegularFile } = await import('../formats/index.js');
  const text = decodeUtf8(await readRegularFile(path), path);
  return text.split(/\r?\n/).filter((line) => line !== '');
}
