// The tokens that stand for no text in NeMo's multitask models: begin, end, padding and what prompts are made of.
export const CANARY_BOS = '<|startoftranscript|>';
export const CANARY_EOS = '<|endoftext|>';
export const CANARY_PAD = '<pad>';
export const CANARY_NOSPEECH = '<|nospeech|>';
export const CANARY_CONTEXT = '<|startofcontext|>';

/** The member of an aggregate tokenizer that has them. */
export const SPECIAL_TOKENIZER = 'spl_tokens';

/** Every special tokenizer has these, in this order. */
export const DEFAULT_SPECIAL_TOKENS = [
  CANARY_NOSPEECH,
  CANARY_PAD,
  CANARY_EOS,
  CANARY_BOS,
  '<|pnc|>',
  '<|nopnc|>',
] as const;

/** `en` as `<|en|>`; what has that form already stays as it is. */
export function specialToken(name: string): string {
  return /^<\|.+\|>$/s.test(name) ? name : `<|${name}|>`;
}

/** A tokenizer that knows where transcripts begin and end, and can write a prompt. */
export interface PromptTokenizer {
  readonly bosId: number;
  readonly eosId: number;
  readonly padId: number;
  /**
   * Ids of a prompt, a row of special tokens; `context`, text before them, is written in the language `lang`.
   * Throws `text.unknown-token`.
   */
  encodePrompt(parts: PromptParts): number[];
  /** Ids of a transcript in the language `lang`, without end. Throws `text.language-needed`. */
  encodeTranscript(text: string, lang?: string): number[];
}

export interface PromptParts {
  /** Special tokens, in order. */
  readonly tokens: readonly string[];
  /** Stands after the first of them; '' for none. */
  readonly context?: string;
  /** Language of the context. */
  readonly lang?: string;
}

/** Whether a tokenizer can encode prompts, as the two kinds of Canary tokenizers can. */
export function isPromptTokenizer(tokenizer: object): tokenizer is PromptTokenizer {
  return 'encodePrompt' in tokenizer;
}
