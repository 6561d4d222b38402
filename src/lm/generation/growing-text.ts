// One text under way: its tokens, its characters, and why it ends.
import { CounterRandom } from '../../random/index.js';
import type { Tokenizer } from '../../text/index.js';
import { likeliest, logSumExp } from './likeliest.js';
import type { Generated, GenerateOptions, ScoredToken } from './options.js';
import { nextToken } from './sampling.js';
import { heldBack, stopIn, WrittenText } from './written-text.js';

/** What a text is made with. */
export interface WritingContext {
  readonly tokenizer: Tokenizer;
  /** Tokens that end a text. */
  readonly ends: readonly number[];
  readonly options: GenerateOptions;
}

export class GrowingText {
  private readonly seen: number[];
  private readonly written: WrittenText;
  private readonly stream: CounterRandom;
  private readonly logProbs: number[] = [];
  private readonly likeliest: ScoredToken[][] = [];
  private text = '';
  private shown = 0;
  private reason: Generated['reason'] | undefined;

  /** @param sample number of the text among those after its prompt */
  constructor(
    private readonly context: WritingContext,
    private readonly prompt: readonly number[],
    sample: number,
  ) {
    this.seen = [...prompt];
    this.written = new WrittenText(context.tokenizer, prompt);
    this.stream = streamOf(context.options.seed ?? 0, prompt, sample);
  }

  get isDone(): boolean {
    return this.reason !== undefined;
  }

  /** Tokens, the prompt's included. */
  get length(): number {
    return this.seen.length;
  }

  /** The token that goes in next. */
  get last(): number {
    return this.seen[this.seen.length - 1];
  }

  end(reason: Generated['reason']): void {
    this.reason ??= reason;
  }

  /** Adds a token. @param logits [V], which are changed. @returns what is certain of the text now and was not before */
  grow(logits: Float32Array): string {
    const { ends, options } = this.context;
    const { minTokens = 0, logProbs = false } = options;
    const place = this.seen.length - this.prompt.length;
    const before = logProbs === false ? undefined : logits.slice();
    if (place < minTokens) for (const end of ends) logits[end] = Number.NEGATIVE_INFINITY;
    const id = nextToken(logits, options, this.seen, place, this.stream);
    if (ends.includes(id)) {
      this.reason = 'end';
      return this.rest();
    }
    this.seen.push(id);
    if (before) this.score(before, id, Number(logProbs));
    this.written.add(id);
    return this.update();
  }

  /** What has not been shown; call when the text has ended. */
  rest(): string {
    const { stop = [] } = this.context.options;
    if (this.reason !== 'stop') {
      const whole = this.written.text + this.written.pending;
      const at = stopIn(whole, stop, this.shown);
      this.text = at < 0 ? whole : whole.slice(0, at);
    }
    return this.show(this.text.length);
  }

  result(): Generated {
    const { logProbs = false } = this.context.options;
    return {
      text: this.text,
      tokens: this.seen.slice(this.prompt.length),
      reason: this.reason ?? 'length',
      ...(logProbs === false ? {} : { logProbs: this.logProbs }),
      ...(typeof logProbs === 'number' ? { likeliest: this.likeliest } : {}),
    };
  }

  private update(): string {
    const { stop = [] } = this.context.options;
    const before = this.text.length;
    this.text = this.written.text;
    const at = stop.length > 0 ? stopIn(this.text + this.written.pending, stop, before) : -1;
    if (at < 0) return this.show(this.text.length - heldBack(this.text, stop));
    this.text = (this.text + this.written.pending).slice(0, at);
    this.reason = 'stop';
    return this.show(at);
  }

  private show(end: number): string {
    const added = this.text.slice(this.shown, end);
    this.shown = Math.max(this.shown, end);
    return added;
  }

  private score(logits: Float32Array, id: number, count: number): void {
    const total = logSumExp(logits);
    this.logProbs.push(logits[id] - total);
    if (typeof this.context.options.logProbs !== 'number') return;
    let highest = Number.NEGATIVE_INFINITY;
    for (const logit of logits) highest = Math.max(highest, logit);
    const first = likeliest(logits, highest, ({ length }) => length >= count).subarray(0, count);
    this.likeliest.push([...first].map((id) => ({ id, logProb: logits[id] - total })));
  }
}

/** What is drawn is a function of seed, prompt and sample, not of what else is generated or where it stands among that. */
function streamOf(seed: number, prompt: readonly number[], sample: number): CounterRandom {
  return new CounterRandom(seed).derive('token', ...prompt, 'sample', sample);
}
