// Texts that go on from prompts.
import { AnemoneError } from '../../errors/index.js';
import type { Tokenizer } from '../../text/index.js';
import type { CacheRunner } from './cache-runner.js';
import { nextToken, type SamplingOptions } from './sampling.js';

/** How much is written, when it ends, and how tokens are drawn. */
export interface GenerateOptions extends SamplingOptions {
  /** Most new tokens. Default 30, NeMo's. */
  readonly tokensToGenerate?: number;
  /** The end of text does not come before so many new tokens. Default 0. */
  readonly minTokens?: number;
  /** The tokenizer's beginning of text is put before prompts. Default false. */
  readonly addBos?: boolean;
  /** A text ends where one of these has been written; they are cut off. Default: none. */
  readonly stop?: readonly string[];
  /** Gets what has been added to the text number `row`, as it is known: a character is never cut in two. */
  readonly onText?: (row: number, text: string) => void;
}

/** A text that was written after a prompt. */
export interface Generated {
  /** What was added to the prompt. */
  readonly text: string;
  readonly tokens: readonly number[];
  /** Why it ended: the model said so, a stop text was written, or there is no more room. */
  readonly reason: 'end' | 'stop' | 'length';
}

/** @throws AnemoneError `lm.prompt` */
export async function generate(
  runner: CacheRunner,
  tokenizer: Tokenizer,
  prompts: readonly string[],
  options: GenerateOptions = {},
): Promise<Generated[]> {
  const { positions: most, vocabulary } = runner.network.options;
  const { tokensToGenerate = 30 } = options;
  if (prompts.length === 0) return [];
  const texts = prompts.map((prompt) => new GrowingText(tokenizer, prompt, options, most));
  const longest = Math.max(...texts.map(({ prompt }) => prompt.length));
  const room = Math.min(longest + tokensToGenerate, most);
  const { sequences, logits } = await runner.start(
    texts.map(({ prompt }) => prompt),
    room,
  );
  let current = logits;
  for (let step = 0; step < tokensToGenerate; step++) {
    for (const [row, text] of texts.entries()) {
      const own = current.slice(row * vocabulary, (row + 1) * vocabulary);
      text.choose(own, (added) => options.onText?.(row, added));
    }
    if (texts.every(({ isDone }) => isDone) || step + 1 === tokensToGenerate) break;
    if (texts.some((text) => !text.isDone && text.length >= most)) for (const text of texts) if (text.length >= most) text.end('length'); // biome-ignore format: one line
    if (texts.every(({ isDone }) => isDone)) break;
    current = await sequences.advance(texts.map(({ last }) => last));
  }
  return texts.map((text, row) => text.finished((added) => options.onText?.(row, added)));
}

/** One text under way. */
class GrowingText {
  readonly prompt: readonly number[];
  private readonly tokens: number[] = [];
  private shown = 0;
  private written = '';
  private reason: Generated['reason'] | undefined;

  constructor(
    private readonly tokenizer: Tokenizer,
    prompt: string,
    private readonly options: GenerateOptions,
    most: number,
  ) {
    const ids = tokenizer.textToIds(prompt);
    const startId = tokenizer.bosId >= 0 ? tokenizer.bosId : tokenizer.eosId;
    const needsStart = options.addBos || ids.length === 0;
    this.prompt = needsStart && startId >= 0 ? [startId, ...ids] : ids;
    if (this.prompt.length > 0 && this.prompt.length < most) return;
    throw new AnemoneError({
      code: 'lm.prompt',
      message: `the prompt has ${this.prompt.length} tokens; the model has positions for ${most}, with what it adds`,
      hint: this.prompt.length === 0 ? 'write a prompt' : 'shorten it',
    });
  }

  get isDone(): boolean {
    return this.reason !== undefined;
  }

  get length(): number {
    return this.prompt.length + this.tokens.length;
  }

  /** The token that goes in next; texts that are done only keep the others company. */
  get last(): number {
    return this.tokens[this.tokens.length - 1] ?? this.prompt[this.prompt.length - 1];
  }

  end(reason: Generated['reason']): void {
    this.reason ??= reason;
  }

  choose(logits: Float32Array, show: (added: string) => void): void {
    if (this.isDone) return;
    const { eosId } = this.tokenizer;
    const { minTokens = 0 } = this.options;
    if (eosId >= 0 && this.tokens.length < minTokens) logits[eosId] = Number.NEGATIVE_INFINITY;
    const seen = [...this.prompt, ...this.tokens];
    const id = nextToken(logits, this.options, seen, this.tokens.length);
    if (id === eosId) {
      this.reason = 'end';
      return;
    }
    this.tokens.push(id);
    this.update(show);
  }

  finished(show: (added: string) => void): Generated {
    this.show(this.written.length, show);
    return { text: this.written, tokens: this.tokens, reason: this.reason ?? 'length' };
  }

  private update(show: (added: string) => void): void {
    const { stop = [] } = this.options;
    // What a piece means may depend on those before it, such as the space of a first piece.
    const before = this.tokenizer.idsToText(this.prompt);
    const all = this.tokenizer.idsToText([...this.prompt, ...this.tokens]);
    this.written = all.startsWith(before) ? all.slice(before.length) : this.tokenizer.idsToText(this.tokens);
    const ends = stop.map((text) => this.written.indexOf(text)).filter((at) => at >= 0);
    if (ends.length > 0) {
      this.written = this.written.slice(0, Math.min(...ends));
      this.reason = 'stop';
    }
    const isWhole = !this.written.endsWith('\uFFFD');
    const longest = Math.max(0, ...stop.map((text) => text.length));
    if (isWhole) this.show(this.isDone ? this.written.length : this.written.length - longest, show);
  }

  private show(end: number, show: (added: string) => void): void {
    if (end <= this.shown) return;
    show(this.written.slice(this.shown, end));
    this.shown = end;
  }
}
