// The tokenizer of Canary models that have one SentencePiece model for all languages.
import { AnemoneError } from '../../errors/index.js';
import { SentencePieceTokenizer } from '../sentencepiece/sentencepiece-tokenizer.js';
import {
  CANARY_BOS,
  CANARY_EOS,
  CANARY_PAD,
  type PromptParts,
  type PromptTokenizer,
} from './special-tokens.js';

/** NeMo's CanaryBPETokenizer: one SentencePiece model for all languages, which has the special tokens too. */
export class CanaryBPETokenizer extends SentencePieceTokenizer implements PromptTokenizer {
  override readonly bosId: number;
  override readonly eosId: number;
  override readonly padId: number;

  /** Throws `text.unknown-token` for a model without begin, end and padding. */
  constructor(...parts: ConstructorParameters<typeof SentencePieceTokenizer>) {
    super(...parts);
    this.bosId = this.specialId(CANARY_BOS);
    this.eosId = this.specialId(CANARY_EOS);
    this.padId = this.specialId(CANARY_PAD);
  }

  /** As NeMo does: the prompt is a text like others, from which the special tokens are cut out. */
  encodePrompt({ tokens, context = '' }: PromptParts): number[] {
    for (const token of tokens) this.specialId(token);
    const [first, ...rest] = tokens;
    return this.textToIds([first, context, ...rest].join(''));
  }

  encodeTranscript(text: string): number[] {
    return this.textToIds(text);
  }

  private specialId(token: string): number {
    const id = this.vocabulary.indexOf(token);
    if (id >= 0) return id;
    throw new AnemoneError({
      code: 'text.unknown-token',
      message: `the tokenizer has no special token ${token}`,
      hint: 'train it with the special tokens as user-defined symbols',
    });
  }
}
