// Texts that go on from prompts: those of a batch grow together, a token at a time.

import { nextTurn, throwIfCancelled } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import type { Tokenizer } from '../../text/index.js';
import { beamSearch } from './beam-search.js';
import type { CacheRunner } from './cache-runner.js';
import { GrowingText, type WritingContext } from './growing-text.js';
import { checkOptions, type Generated, type GenerateOptions } from './options.js';

const DEFAULT_TOKENS = 30;
const DEFAULT_BATCH = 16;

/** What writes, and in which tokens. */
export interface Writer {
  readonly runner: CacheRunner;
  readonly tokenizer: Tokenizer;
  /** Tokens that end a text. Default: the tokenizer's. */
  readonly ends?: readonly number[];
  /** Whether prompts begin with the tokenizer's beginning of text. Default false. */
  readonly addsBos?: boolean;
}

/** A part of a text that has been written. */
export interface TextPart {
  /** Number of the text: samples of a prompt follow each other. */
  readonly row: number;
  /** What was added; never half a character. */
  readonly text: string;
  /** The whole, when it has ended. */
  readonly result?: Generated;
}

/**
 * Texts after prompts; the samples of a prompt follow each other.
 * @throws AnemoneError `lm.prompt`, `lm.option`, `engine.cancelled`
 */
export async function generate(
  writer: Writer,
  prompts: readonly string[],
  options: GenerateOptions = {},
): Promise<Generated[]> {
  const results: Generated[] = [];
  for await (const { row, text, result } of generateParts(writer, prompts, options)) {
    if (text !== '') options.onText?.(row, text);
    if (result) results[row] = result;
  }
  return results;
}

/** The same as it is written: who stops reading ends the writing. @throws AnemoneError as `generate` */
export async function* generateParts(
  writer: Writer,
  prompts: readonly string[],
  options: GenerateOptions = {},
): AsyncGenerator<TextPart, void> {
  const { samples = 1, numBeams = 1, batchSize = DEFAULT_BATCH } = options;
  const { tokenizer, runner } = writer;
  checkOptions(options, runner.network.options.vocabulary);
  const context: WritingContext = { tokenizer, ends: writer.ends ?? endsOf(tokenizer), options };
  const most = options.tokensToGenerate ?? DEFAULT_TOKENS;
  const { positions } = runner.network.options;
  const read = prompts.map((prompt) => promptTokens(writer, prompt, options, positions));
  if (numBeams > 1) {
    for (const [i, prompt] of read.entries()) {
      const texts = await beamSearch(runner, context, prompt, Math.min(most, positions - prompt.length));
      for (const [j, result] of texts.entries()) yield { row: i * samples + j, text: result.text, result };
    }
    return;
  }
  const atOnce = Math.max(1, Math.floor(batchSize / samples));
  for (let first = 0; first < read.length; first += atOnce) {
    const batch = read.slice(first, first + atOnce);
    for await (const part of writeBatch(runner, context, batch, most))
      yield { ...part, row: first * samples + part.row };
  }
}

/** Texts of one batch, of unequal lengths. */
async function* writeBatch(
  runner: CacheRunner,
  context: WritingContext,
  prompts: readonly (readonly number[])[],
  most: number,
): AsyncGenerator<TextPart, void> {
  const { samples = 1, signal } = context.options;
  const { positions, vocabulary } = runner.network.options;
  const usable = Math.min(vocabulary, context.tokenizer.vocabSize);
  const room = Math.min(Math.max(...prompts.map(({ length }) => length)) + most, positions);
  const { sequences, logits } = await runner.start(prompts, room, signal);
  const origins = prompts.flatMap((_, row) => new Array<number>(samples).fill(row));
  const texts = origins.map((row, i) => new GrowingText(context, prompts[row], i % samples));
  sequences.reorder(origins);
  let current = rowsOf(logits, vocabulary, origins);
  for (let step = 1; ; step++) {
    throwIfCancelled(signal);
    for (const [row, text] of texts.entries()) {
      if (text.isDone) continue;
      const added = text.grow(current.subarray(row * vocabulary, row * vocabulary + usable));
      if (step === most || text.length >= positions) text.end('length');
      if (!text.isDone) {
        if (added !== '') yield { row, text: added };
      } else yield { row, text: added + text.rest(), result: text.result() };
    }
    if (texts.every(({ isDone }) => isDone)) return;
    current = await sequences.advance(
      texts.map(({ last }) => last),
      (row) => texts[row].isDone,
      signal,
    );
    await nextTurn();
  }
}

function rowsOf(logits: Float32Array, vocabulary: number, rows: readonly number[]): Float32Array {
  const out = new Float32Array(rows.length * vocabulary);
  for (const [i, row] of rows.entries())
    out.set(logits.subarray(row * vocabulary, (row + 1) * vocabulary), i * vocabulary);
  return out;
}

function endsOf({ eosId }: Tokenizer): readonly number[] {
  return eosId >= 0 ? [eosId] : [];
}

/** @throws AnemoneError `lm.prompt` */
function promptTokens(
  { tokenizer, addsBos = false, runner }: Writer,
  prompt: string,
  options: GenerateOptions,
  most: number,
): readonly number[] {
  const ids = tokenizer.textToIds(prompt);
  const startId = tokenizer.bosId >= 0 ? tokenizer.bosId : tokenizer.eosId;
  const isGiven = ids.length > 0 && ids[0] === startId;
  const needsStart = ids.length === 0 || ((options.addBos ?? addsBos) && !isGiven);
  const tokens = needsStart && startId >= 0 ? [startId, ...ids] : ids;
  const { vocabulary } = runner.network.options;
  const beyond = tokens.find((id) => id >= vocabulary);
  if (beyond !== undefined) {
    throw new AnemoneError({
      code: 'lm.tokenizer',
      message: `the tokenizer does not fit: it has a token ${beyond}, the model ${vocabulary} tokens`,
    });
  }
  if (tokens.length > 0 && tokens.length < most) return tokens;
  throw new AnemoneError({
    code: 'lm.prompt',
    message: `the prompt has ${tokens.length} tokens; the model has positions for ${most}, with what it adds`,
    hint: tokens.length === 0 ? 'write a prompt' : 'shorten it',
  });
}
