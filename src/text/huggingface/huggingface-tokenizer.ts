// Tokenizers of Hugging Face's tokenizer.json, and of the files that can be written as one.
import { AnemoneError } from '../../errors/index.js';
import { type ChatMessage, ChatTemplate, type ChatTemplateOptions } from '../chat/chat-template.js';
import type { Tokenizer } from '../tokenizer.js';
import { TokenizerPipeline } from './tokenizer-json.js';

/** What stands beside a tokenizer.json. */
export interface TokenizerSetting {
  readonly bos?: string | undefined;
  readonly eos?: string | undefined;
  readonly pad?: string | undefined;
  readonly unk?: string | undefined;
  /** Jinja that writes conversations. */
  readonly chatTemplate?: string | undefined;
  /** What the tokenizer is made again from, by name. Default: tokenizer.json alone. */
  readonly files?: ReadonlyMap<string, Uint8Array>;
}

/** Names of the end of a text, where no file says which it is. */
const USUAL_ENDS = [
  '<|endoftext|>',
  '<|end_of_text|>',
  '</s>',
  '<eos>',
  '<｜end▁of▁sentence｜>',
  '<|im_end|>',
];
const USUAL_PADS = ['<pad>', '[PAD]', '<|pad|>'];

/** What is held as a map is written as a mapping. */
function mapsAsObjects(_: string, value: unknown): unknown {
  return value instanceof Map ? Object.fromEntries(value as Map<string, unknown>) : value;
}

/** A tokenizer of tokenizer.json: ids are those of Hugging Face's tokenizers. */
export class HuggingFaceTokenizer implements Tokenizer {
  readonly unkId: number;
  readonly bosId: number;
  readonly eosId: number;
  readonly padId: number;
  /** Undefined where the tokenizer's files have none. */
  readonly chatTemplate: ChatTemplate | undefined;

  constructor(
    private readonly pipeline: TokenizerPipeline,
    private readonly setting: TokenizerSetting = {},
    file = 'tokenizer.json',
  ) {
    const { ids, surroundings, added } = pipeline;
    const idOf = (token: string | undefined): number => (token === undefined ? -1 : (ids.get(token) ?? -1));
    const usual = (names: readonly string[]): number =>
      names.map(idOf).find((id) => added.some((token) => token.special && token.id === id)) ?? -1;
    const [first = -1] = surroundings.before;
    this.bosId = setting.bos === undefined ? first : idOf(setting.bos);
    this.eosId = setting.eos === undefined ? usual(USUAL_ENDS) : idOf(setting.eos);
    this.padId = setting.pad === undefined ? usual(USUAL_PADS) : idOf(setting.pad);
    this.unkId = setting.unk === undefined ? (pipeline.unknown ?? -1) : idOf(setting.unk);
    const named = {
      bos_token: this.bosId,
      eos_token: this.eosId,
      pad_token: this.padId,
      unk_token: this.unkId,
    };
    const tokens = Object.entries(named).filter(([, id]) => id >= 0);
    this.chatTemplate =
      setting.chatTemplate === undefined
        ? undefined
        : new ChatTemplate(setting.chatTemplate, {
            file,
            tokens: Object.fromEntries(tokens.map(([name, id]) => [name, pipeline.vocabulary[id]])),
          });
  }

  /**
   * The tokenizer of a file in memory.
   * @param bytes of tokenizer.json
   * @throws AnemoneError `tokenizer.damaged`, `tokenizer.unsupported`, `tokenizer.pattern`
   */
  static fromBytes(
    bytes: Uint8Array,
    setting: TokenizerSetting = {},
    file = 'tokenizer.json',
  ): HuggingFaceTokenizer {
    const files = setting.files ?? new Map([['tokenizer.json', bytes]]);
    return new HuggingFaceTokenizer(TokenizerPipeline.parse(bytes, file), { ...setting, files }, file);
  }

  /** The tokenizer of such a file's content. @param json what a tokenizer.json would say; it becomes the file that checkpoints keep */
  static fromJson(
    json: unknown,
    setting: TokenizerSetting = {},
    file = 'tokenizer.json',
  ): HuggingFaceTokenizer {
    const tokenizer = new HuggingFaceTokenizer(new TokenizerPipeline(json, file), setting, file);
    if (!setting.files) tokenizer.json = json;
    return tokenizer;
  }

  private json: unknown;

  get vocabSize(): number {
    return this.pipeline.vocabulary.length;
  }

  get vocabulary(): readonly string[] {
    return this.pipeline.vocabulary;
  }

  /** Whether its tokens are written as the characters of their bytes. */
  get isByteLevel(): boolean {
    return this.pipeline.isByteLevel;
  }

  /** Whether a token is left out of texts. */
  isSpecial(id: number): boolean {
    return this.pipeline.isSpecial(id);
  }

  textToIds(text: string): number[] {
    return Array.from(this.pipeline.encode(text));
  }

  /** The same at 4 bytes an id; overwritten by the next call. */
  encode(text: string): Int32Array {
    return this.pipeline.encode(text);
  }

  /** With the special tokens around it that the file's template has, such as the beginning of text. */
  textToIdsWithSpecials(text: string): number[] {
    const { before, after } = this.pipeline.surroundings;
    return [...before, ...this.pipeline.encode(text), ...after];
  }

  /** Special tokens are left out; bytes that are no UTF-8 become U+FFFD. */
  idsToText(ids: Iterable<number>): string {
    const kept = [...ids].filter((id) => !this.pipeline.isSpecial(id));
    return this.pipeline.decode(this.idsToTokens(kept));
  }

  textToTokens(text: string): string[] {
    return this.idsToTokens(this.pipeline.encode(text));
  }

  tokensToText(tokens: readonly string[]): string {
    return this.idsToText(this.tokensToIds(tokens));
  }

  tokensToIds(tokens: readonly string[]): number[] {
    return tokens.map((token) => {
      const id = this.pipeline.ids.get(token) ?? this.unkId;
      if (id >= 0) return id;
      throw new AnemoneError({
        code: 'text.unknown-token',
        message: `there is no token ${JSON.stringify(token)}`,
      });
    });
  }

  idsToTokens(ids: Iterable<number>): string[] {
    const { vocabulary } = this.pipeline;
    return Array.from(ids, (id) => {
      const token = vocabulary[id];
      if (token !== undefined) return token;
      throw new AnemoneError({ code: 'text.id-out-of-range', message: `there is no token ${id}` });
    });
  }

  unknownCharacters(text: string): string[] {
    const distinct = [...new Set(text)].filter((character) => !/\s/u.test(character));
    return distinct.filter((character) => {
      const ids = this.pipeline.encode(character);
      return ids.length === 0 || (this.unkId >= 0 && ids.includes(this.unkId));
    });
  }

  /**
   * A conversation as the model has learned it; encode it with `textToIds`, since templates write the special tokens.
   * @throws AnemoneError `text.no-chat-template`, and see `ChatTemplate.apply`
   */
  applyChatTemplate(messages: readonly ChatMessage[], options: ChatTemplateOptions = {}): string {
    if (this.chatTemplate) return this.chatTemplate.apply(messages, options);
    throw new AnemoneError({
      code: 'text.no-chat-template',
      message: 'the tokenizer has no chat template',
      hint: 'it is a model of plain texts; models for chat have a chat_template in tokenizer_config.json',
    });
  }

  files(): ReadonlyMap<string, Uint8Array> {
    if (this.setting.files) return this.setting.files;
    const encoder = new TextEncoder();
    const files = new Map([['tokenizer.json', encoder.encode(JSON.stringify(this.json, mapsAsObjects))]]);
    const { bos: bos_token, eos: eos_token, pad: pad_token, unk: unk_token, chatTemplate } = this.setting;
    // Without a class transformers asks for a config.json beside it.
    const tokenizer_class = 'PreTrainedTokenizerFast';
    const config = {
      tokenizer_class,
      bos_token,
      eos_token,
      pad_token,
      unk_token,
      chat_template: chatTemplate,
    };
    files.set('tokenizer_config.json', encoder.encode(`${JSON.stringify(config, null, 2)}\n`));
    return files;
  }
}
