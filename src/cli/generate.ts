// `anemone generate`: texts that a language model writes after prompts, or in conversation.
import type { Command } from 'commander';
import type { Generated, GenerateOptions } from '../lm/index.js';
import type { LanguageModel } from './language-model.js';
import { above, between, finite, oneOf, wholeNumber } from './option-number.js';
import { importOption } from './own-components.js';
import { show, showJson } from './print.js';

interface GenerateCommandOptions {
  readonly prompt: readonly string[];
  readonly file?: string;
  readonly chat?: boolean;
  readonly system?: string;
  readonly tokens: number;
  readonly minTokens: number;
  readonly greedy?: boolean;
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
  readonly presencePenalty?: number;
  readonly frequencyPenalty?: number;
  readonly samples: number;
  readonly beams?: number;
  readonly lengthPenalty?: number;
  readonly logProbs?: boolean | number;
  readonly batchSize?: number;
  readonly seed: number;
  readonly stop: readonly string[];
  readonly bits?: number;
  readonly adapter?: string;
  readonly weights: string;
  readonly engine?: string;
  readonly json?: boolean;
  readonly jsonl?: boolean;
  readonly import: readonly string[];
}

export function register(program: Command): void {
  const several = (value: string, before: readonly string[]) => [...before, value];
  program
    .command('generate')
    .description(
      'Writes on from prompts with a language model, or talks. The likeliest tokens, unless one says how to draw.',
    )
    .argument(
      '<model>',
      'a .ckpt folder, a .nemo or .gguf file, a folder of Hugging Face or PEFT, or a run: its best checkpoint is taken',
    )
    .argument('[overrides...]', 'key=value changes of the config the checkpoint was made with')
    .option('--prompt <text>', 'what to go on from; repeatable', several, [])
    .option('--file <path>', 'a prompt a line')
    .option('--chat', 'with the turns of the model’s template: of each prompt, or of lines that are typed')
    .option('--system <text>', 'with --chat: what the model is told first')
    .option('--tokens <n>', 'most new tokens', wholeNumber(1), 100)
    .option('--min-tokens <n>', 'fewest new tokens', wholeNumber(0), 0)
    .option('--greedy', 'the likeliest token each time')
    .option('--temperature <t>', 'draw; logits are divided by it', above(0))
    .option('--top-k <n>', 'draw among the n likeliest', wholeNumber(1))
    .option('--top-p <p>', 'draw among the likeliest that together have this probability', above(0, 1))
    .option(
      '--min-p <p>',
      'draw among those with this share of the likeliest one’s probability',
      between(0, 1),
    )
    .option('--repetition-penalty <r>', 'logits of tokens that occurred are divided by it', above(0))
    .option('--presence-penalty <r>', 'taken from the logits of tokens that were written', finite)
    .option('--frequency-penalty <r>', 'the same, once for each time', finite)
    .option('--samples <n>', 'texts after each prompt', wholeNumber(1), 1)
    .option('--beams <n>', 'search with so many beams for the likeliest text', wholeNumber(1))
    .option('--length-penalty <r>', 'with --beams: above 0 longer texts win (default 1)', finite)
    .option(
      '--log-probs [n]',
      'with --json: log-probabilities, and of the n likeliest tokens',
      wholeNumber(0),
    )
    .option('--batch-size <n>', 'texts at once (default 16)', wholeNumber(1))
    .option('--seed <n>', 'of what is drawn', wholeNumber(0), 0)
    .option('--stop <text>', 'end where this has been written; repeatable', several, [])
    .option('--adapter <folder>', 'an adapter of PEFT (LoRA) to add to the weights')
    .option('--bits <n>', 'weights of 8 or 4 bits: less memory to read, other texts', oneOf([8, 4]))
    .option('--weights <which>', 'auto (averaged if the run kept an average), raw or ema', 'auto')
    .option('--engine <name>', 'onnxruntime, tensorflow or reference')
    .option('--json', 'print texts, tokens and why each ended as JSON')
    .option('--jsonl', 'the same, a line for each text as soon as it has ended')
    .addOption(importOption())
    .action(generate);
}

async function generate(path: string, overrides: string[], options: GenerateCommandOptions): Promise<void> {
  const { openLanguageModel } = await import('./language-model.js');
  const prompts = [...options.prompt, ...(options.file === undefined ? [] : await linesOf(options.file))];
  await checkTogether(prompts, options);
  const { weights, engine, adapter, import: modules } = options;
  const bits = options.bits as 4 | 8 | undefined;
  const model = await openLanguageModel(path, { overrides, weights, engine, modules, bits, adapter });
  try {
    const asked = generateOptions(options);
    if (!options.chat) await writeAll(model, prompts, prompts, asked, options);
    else if (prompts.length > 0)
      await writeAll(model, prompts, await turnsOf(model, prompts, options), asked, options); // biome-ignore format: one line
    else {
      const { chat } = await import('./chat.js');
      await chat(model, { ...asked, system: options.system });
    }
  } finally {
    await model.trainer.dispose();
  }
}

/** @throws AnemoneError `cli.option` */
async function checkTogether(prompts: readonly string[], options: GenerateCommandOptions): Promise<void> {
  const { AnemoneError } = await import('../errors/index.js');
  const wrong = (path: string, message: string, hint?: string) =>
    new AnemoneError({ code: 'cli.option', path, message, hint });
  const { chat, system, beams, lengthPenalty, logProbs, json, jsonl, samples } = options;
  if (prompts.length === 0 && !chat)
    throw wrong('--prompt', 'nothing says what to go on from', 'give --prompt TEXT, --file PATH or --chat');
  if (system !== undefined && !chat) throw wrong('--system', 'only a conversation has one', 'add --chat');
  if (lengthPenalty !== undefined && (beams ?? 1) < 2) throw wrong('--length-penalty', 'only a search has one', 'add --beams N'); // biome-ignore format: one line
  if (logProbs !== undefined && !json && !jsonl) throw wrong('--log-probs', 'they are shown as JSON alone', 'add --json or --jsonl'); // biome-ignore format: one line
  if (json && jsonl) throw wrong('--jsonl', 'the results are one list, or a line each: give one of the two');
  if (prompts.length === 0 && (json || jsonl || samples > 1 || (beams ?? 1) > 1))
    throw wrong('--chat', 'a conversation is read as it is written: one text at a time, not as JSON', 'give --prompt'); // biome-ignore format: one line
}

/** Each prompt as the first turn of a conversation. */
async function turnsOf(
  model: LanguageModel,
  prompts: readonly string[],
  { system }: GenerateCommandOptions,
): Promise<string[]> {
  const { chatTemplateOf } = await import('./language-model.js');
  const template = await chatTemplateOf(model);
  const before = system === undefined ? [] : [{ role: 'system', content: system }];
  return prompts.map((content) =>
    template.apply([...before, { role: 'user', content }], { addGenerationPrompt: true }),
  );
}

/** @param shown what stands before the texts where they are printed, @param prompts what the model reads */
async function writeAll(
  model: LanguageModel,
  shown: readonly string[],
  prompts: readonly string[],
  asked: GenerateOptions,
  { samples, json, jsonl, chat, beams = 1 }: GenerateCommandOptions,
): Promise<void> {
  const withPrompt = (result: Generated, row: number) => ({
    prompt: shown[Math.floor(row / samples)],
    ...result,
  });
  const before = (row: number): string => (chat ? '' : shown[Math.floor(row / samples)]);
  if (json) {
    const results = await model.generate(prompts, asked);
    showJson(`${JSON.stringify(results.map(withPrompt), null, 2)}\n`);
    return;
  }
  const isLive = prompts.length === 1 && samples === 1 && beams === 1 && !jsonl;
  const count = prompts.length * samples;
  const results: Generated[] = [];
  let printed = 0;
  let begun = false;
  for await (const { row, text, result } of model.stream(prompts, asked)) {
    if (isLive) {
      show(`${begun ? '' : before(0)}${text}${result ? '\n' : ''}`);
      begun = true;
    }
    if (!result || isLive) continue;
    results[row] = result;
    // In the order of the prompts, whichever ends first.
    for (; results[printed]; printed++) {
      if (jsonl) showJson(`${JSON.stringify(withPrompt(results[printed], printed))}\n`);
      else show(`${before(printed)}${results[printed].text}\n${printed + 1 < count ? '\n' : ''}`);
    }
  }
}

/** What was asked for. */
function generateOptions(options: GenerateCommandOptions): GenerateOptions {
  const { greedy, temperature, topK, topP, minP, repetitionPenalty, presencePenalty, frequencyPenalty } =
    options;
  const { beams, lengthPenalty, batchSize, logProbs, tokens, minTokens, samples, seed, stop } = options;
  const given = {
    greedy,
    temperature,
    topK,
    topP,
    minP,
    repetitionPenalty,
    presencePenalty,
    frequencyPenalty,
    numBeams: beams,
    lengthPenalty,
    batchSize,
    logProbs,
  };
  return {
    tokensToGenerate: tokens,
    minTokens,
    samples,
    seed,
    stop,
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  };
}

async function linesOf(path: string): Promise<string[]> {
  const { decodeUtf8, readRegularFile } = await import('../formats/index.js');
  const text = decodeUtf8(await readRegularFile(path), path);
  return text.split(/\r?\n/).filter((line) => line !== '');
}
