// `anemone test` of a language model over files: perplexity and bits per byte, through a window that moves over each text.
import { splitOverrides } from './file-lists.js';
import { show, showJson } from './print.js';

interface Options {
  readonly manifest?: readonly string[] | undefined;
  readonly batchSize?: string;
  readonly weights: string;
  readonly engine?: string;
  readonly context?: number;
  readonly stride?: number;
  readonly tokens?: number;
  readonly adapter?: string;
  readonly json?: boolean;
  readonly import: readonly string[];
}

/** @throws AnemoneError `cli.option`, `lm.window`, and what opening and reading throw */
export async function measureTexts(
  path: string,
  overrides: readonly string[],
  options: Options,
): Promise<void> {
  const { AnemoneError, printable } = await import('../errors/index.js');
  const { metricsOf, SlidingWindow } = await import('../lm/index.js');
  const { readTexts } = await import('./texts.js');
  const { openLanguageModel } = await import('./language-model.js');
  const { files, overrides: after } = splitOverrides([...(options.manifest ?? [])]);
  if (files.length === 0) {
    const message = 'nothing says which texts';
    throw new AnemoneError({
      code: 'cli.option',
      path: '--manifest',
      message,
      hint: 'give --manifest FILE …',
    });
  }
  const batchSize = options.batchSize === undefined ? undefined : Number(options.batchSize);
  if (batchSize !== undefined && !(Number.isInteger(batchSize) && batchSize > 0))
    throw new AnemoneError({ code: 'cli.option', path: '--batch-size', message: 'expected a whole number from 1 on' }); // biome-ignore format: one line
  const texts = new Map<string, readonly string[]>();
  for (const file of files) texts.set(file, await readTexts(file));
  const { weights, engine, adapter, import: modules, context, stride, tokens: mostTokens } = options;
  const all = [...overrides, ...after];
  const model = await openLanguageModel(path, { overrides: all, weights, engine, modules, adapter });
  try {
    const given = Object.entries({ context, stride, mostTokens, batchSize }).filter(
      ([, value]) => value !== undefined,
    );
    const window = new SlidingWindow(model.network, model.tokenizer, model.engine, {
      addBos: model.addsBos,
      ...Object.fromEntries(given),
    });
    const found = [];
    for (const [file, documents] of texts) {
      const losses = [];
      for (const text of documents) losses.push(await window.measure(text, file));
      found.push({ file, tokens: losses.reduce((sum, { targets }) => sum + targets, 0), losses });
    }
    const whole = metricsOf(found.flatMap(({ losses }) => losses));
    if (options.json) {
      const each = found.map(({ file, tokens, losses }) => ({ file, tokens, ...metricsOf(losses) }));
      showJson(`${JSON.stringify({ metrics: whole, files: each }, null, 2)}\n`);
      return;
    }
    const line = (name: string, metrics: ReturnType<typeof metricsOf>, count: number): string =>
      `${name}: loss ${metrics.loss.toFixed(4)}, perplexity ${metrics.perplexity.toPrecision(5)}, ` +
      `bits per byte ${metrics.bits_per_byte.toFixed(4)}, ${count} tokens\n`;
    for (const { file, tokens, losses } of found) show(line(printable(file), metricsOf(losses), tokens));
    const count = found.reduce((sum, { tokens }) => sum + tokens, 0);
    if (found.length > 1) show(line('together', whole, count));
  } finally {
    await model.trainer.dispose();
  }
}
