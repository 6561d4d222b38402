// Conversations with a language model: a line is what the user says, and the model's template writes the turns.
import { createInterface } from 'node:readline';
import type { GenerateOptions } from '../lm/index.js';
import type { ChatMessage, ChatTemplate } from '../text/index.js';
import { chatTemplateOf, type LanguageModel } from './language-model.js';
import { show, tell } from './print.js';

/** How a conversation goes. */
export interface ChatOptions extends GenerateOptions {
  /** What the model is told before the first turn. */
  readonly system?: string | undefined;
}

/** Turns that the model still knows. */
export class Conversation {
  private turns: ChatMessage[] = [];

  constructor(
    private readonly model: LanguageModel,
    private readonly template: ChatTemplate,
    private readonly options: ChatOptions,
  ) {}

  /** @throws AnemoneError `cli.no-chat-template` */
  static async with(model: LanguageModel, options: ChatOptions): Promise<Conversation> {
    return new Conversation(model, await chatTemplateOf(model), options);
  }

  /** The model's answer, part by part. The oldest turns are forgotten where there is no room for all. */
  async *answer(content: string): AsyncGenerator<string, void> {
    this.turns.push({ role: 'user', content });
    const { system: _, ...options } = this.options;
    let answer = '';
    for await (const { text } of this.model.stream([this.prompt()], options)) {
      answer += text;
      if (text !== '') yield text;
    }
    this.turns.push({ role: 'assistant', content: answer });
  }

  forget(): void {
    this.turns = [];
  }

  private prompt(): string {
    const { positions } = this.model.network.options;
    const { tokensToGenerate = 30 } = this.options;
    for (;;) {
      const text = this.written();
      const length = this.model.tokenizer.textToIds(text).length;
      if (this.turns.length < 3 || length + tokensToGenerate <= positions) return text;
      this.turns.splice(0, 2);
    }
  }

  private written(): string {
    const { system } = this.options;
    const before = system === undefined ? [] : [{ role: 'system', content: system }];
    return this.template.apply([...before, ...this.turns], { addGenerationPrompt: true });
  }
}

/** A line a turn, until the input ends or says `/exit`; `/reset` forgets what was said. */
export async function chat(model: LanguageModel, options: ChatOptions): Promise<void> {
  const conversation = await Conversation.with(model, options);
  const { stdin } = process;
  const lines = createInterface({ input: stdin, terminal: false });
  const ask = (): void => {
    if (stdin.isTTY) tell('> ');
  };
  if (stdin.isTTY) tell('A line is a turn. /reset forgets them, /exit or Ctrl-D ends.\n');
  ask();
  for await (const line of lines) {
    if (line.trim() === '/exit') break;
    if (line.trim() === '/reset') conversation.forget();
    else if (line.trim() !== '') {
      for await (const text of conversation.answer(line)) show(text);
      show('\n');
    }
    ask();
  }
  lines.close();
}
