// Chat templates: the Jinja that tokenizer_config.json and GGUF files carry, which writes the turns of a conversation as a
// model has learned them. Templates come from strangers: they run in an interpreter that reaches nothing outside, for a
// bounded number of steps and time, and may write a bounded text.
import { AnemoneError } from '../../errors/index.js';
import { withinTime } from '../bounded.js';
import { BoundedInterpreter, MOST_ITEMS } from './bounded-interpreter.js';
import { Environment, parse, tokenize } from './jinja.js';

/** A turn of a conversation. Templates may read further keys, such as `tool_calls`. */
export interface ChatMessage {
  /** `system`, `user`, `assistant`, or what the template knows besides. */
  readonly role: string;
  /** Text, or parts as some templates want them: `[{ type: 'text', text }]`. */
  readonly content?: string | null | readonly Readonly<Record<string, unknown>>[];
  readonly [key: string]: unknown;
}

/** How a conversation is written out. */
export interface ChatTemplateOptions {
  /** The beginning of an answer is written at the end, for the model to go on from. Default false. */
  readonly addGenerationPrompt?: boolean;
  /** Tools as JSON schemas, where the template knows them. */
  readonly tools?: readonly unknown[];
  /** Further variables of the template, such as `enable_thinking`. */
  readonly variables?: Readonly<Record<string, unknown>>;
}

/** What a template knows besides the conversation, and where it stands. */
export interface ChatTemplateContext {
  /** Special tokens by their names in templates: `bos_token`, `eos_token`, ... */
  readonly tokens?: Readonly<Record<string, string>>;
  /** The file, for messages. Default `the chat template`. */
  readonly file?: string;
}

const MOST_TEMPLATE = 2 ** 20;
const MOST_MILLISECONDS = 5_000;

/** A template that writes conversations. */
export class ChatTemplate {
  /** @param source Jinja, as transformers has it */
  constructor(
    readonly source: string,
    private readonly context: ChatTemplateContext = {},
  ) {}

  /**
   * The conversation as the model has learned it, with its special tokens.
   * @throws AnemoneError `text.chat-template` for a template that fails, refuses the conversation, or does not end;
   *   `text.no-generation-prompt` where one is asked for and the template has none; `text.chat-message`
   */
  apply(messages: readonly ChatMessage[], options: ChatTemplateOptions = {}): string {
    checkMessages(messages);
    const { addGenerationPrompt = false } = options;
    const text = this.render(messages, options, addGenerationPrompt);
    if (addGenerationPrompt && text === this.render(messages, options, false)) this.checkAnswer(messages, options, text); // biome-ignore format: one line
    return text;
  }

  private render(messages: readonly ChatMessage[], options: ChatTemplateOptions, prompts: boolean): string {
    const otherwise = {
      code: 'text.chat-template',
      message: `the chat template has not ended after ${MOST_MILLISECONDS / 1000} s`,
      position: this.position,
    };
    try {
      return withinTime(MOST_MILLISECONDS, otherwise, () => this.interpret(messages, options, prompts));
    } catch (cause) {
      if (cause instanceof AnemoneError) throw cause;
      throw new AnemoneError({
        code: 'text.chat-template',
        message: `the chat template fails: ${(cause as Error).message || String(cause)}`,
        position: this.position,
        cause,
      });
    }
  }

  private interpret(
    messages: readonly ChatMessage[],
    options: ChatTemplateOptions,
    prompts: boolean,
  ): string {
    if (this.source.length > MOST_TEMPLATE) throw new Error(`it has ${this.source.length} characters`);
    const program = parse(tokenize(this.source, { lstrip_blocks: true, trim_blocks: true }));
    const environment = new Environment();
    const variables: Record<string, unknown> = {
      false: false,
      true: true,
      none: null,
      False: false,
      True: true,
      None: null,
      raise_exception: (message: unknown) => {
        throw new Error(String(message));
      },
      range: boundedRange,
      strftime_now: (format: string) => formattedDate(new Date(), format),
      ...options.variables,
      ...this.context.tokens,
      messages,
      ...(options.tools && { tools: options.tools }),
      add_generation_prompt: prompts,
    };
    for (const [name, value] of Object.entries(variables)) environment.set(name, value);
    return String(new BoundedInterpreter(environment).run(program).value);
  }

  /**
   * Some templates need no generation prompt: an answer follows at once. Whether this is one is seen by an answer that it
   * writes.
   */
  private checkAnswer(messages: readonly ChatMessage[], options: ChatTemplateOptions, text: string): void {
    const answer = 'The answer.';
    let withAnswer: string;
    try {
      withAnswer = this.render([...messages, { role: 'assistant', content: answer }], options, false);
    } catch {
      return;
    }
    const at = withAnswer.lastIndexOf(answer);
    const isContinued = withAnswer.startsWith(text) && at >= text.length;
    const start = isContinued ? withAnswer.slice(text.length, at) : '';
    if (start.trim() === '') return;
    throw new AnemoneError({
      code: 'text.no-generation-prompt',
      message: `the chat template has no generation prompt, though it begins answers with ${JSON.stringify(start)}`,
      position: this.position,
      hint: 'end it with {% if add_generation_prompt %}…{% endif %}, or add that text to the prompt yourself',
      details: { answerStart: start },
    });
  }

  private get position(): { readonly file: string } | undefined {
    return this.context.file === undefined ? undefined : { file: this.context.file };
  }
}

function checkMessages(messages: readonly ChatMessage[]): void {
  const wrong = (message: string, at?: number): AnemoneError =>
    new AnemoneError({ code: 'text.chat-message', message, ...(at !== undefined && { path: `messages[${at}]` }) }); // biome-ignore format: one line
  if (!Array.isArray(messages) || messages.length === 0)
    throw wrong('a conversation has at least one message');
  for (const [i, message] of (messages as readonly unknown[]).entries()) {
    const { role, content } = (message ?? {}) as Partial<ChatMessage>;
    if (typeof role !== 'string') throw wrong('a message has a role, such as user, and content', i);
    const isContent = content === undefined || content === null || typeof content === 'string' || Array.isArray(content); // biome-ignore format: one line
    if (!isContent) throw wrong('the content of a message is text or a list of parts', i);
  }
}

/** Python's range, of a length that fits in memory. */
function boundedRange(start: number, stop?: number, step = 1): number[] {
  const [from, to] = stop === undefined ? [0, start] : [start, stop];
  const count = Math.max(0, Math.ceil((to - from) / step));
  if (!(count <= MOST_ITEMS)) throw new Error(`range() of ${count} numbers`);
  return Array.from({ length: count }, (_, i) => from + i * step);
}

const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December']; // biome-ignore format: a table
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

/** Python's strftime in English, for the codes that templates use. */
function formattedDate(date: Date, format: string): string {
  const two = (n: number): string => String(n).padStart(2, '0');
  const parts: Readonly<Record<string, string>> = {
    Y: String(date.getFullYear()),
    y: two(date.getFullYear() % 100),
    m: two(date.getMonth() + 1),
    d: two(date.getDate()),
    b: MONTHS[date.getMonth()].slice(0, 3),
    B: MONTHS[date.getMonth()],
    a: DAYS[date.getDay()].slice(0, 3),
    A: DAYS[date.getDay()],
    H: two(date.getHours()),
    M: two(date.getMinutes()),
    S: two(date.getSeconds()),
    '%': '%',
  };
  return format.replace(/%([A-Za-z%])/g, (code, letter: string) => parts[letter] ?? code);
}
