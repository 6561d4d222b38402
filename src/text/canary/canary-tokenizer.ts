// The tokenizer of Canary models that have a SentencePiece model for each language.
import { AnemoneError, didYouMean } from '../../errors/index.js';
import { AggregateTokenizer } from '../aggregate-tokenizer.js';
import type { Tokenizer } from '../tokenizer.js';
import {
  CANARY_BOS,
  CANARY_EOS,
  CANARY_PAD,
  type PromptParts,
  type PromptTokenizer,
  SPECIAL_TOKENIZER,
} from './special-tokens.js';

/** What `en` became in tokenizers that also know the region. */
const REGIONS: Readonly<Record<string, string>> = { en: 'en-US', es: 'es-ES', fr: 'fr-FR', de: 'de-DE' };

/**
 * NeMo's CanaryTokenizer: an aggregate tokenizer whose member `spl_tokens` has the special tokens. The single
 * SentencePiece model that has them itself is canary-bpe-tokenizer.ts.
 */
export class CanaryTokenizer extends AggregateTokenizer implements PromptTokenizer {
  override readonly bosId: number;
  override readonly eosId: number;
  override readonly padId: number;
  private readonly special: ReadonlyMap<string, number>;

  /** Throws `tokenizer.bad-option` without a member spl_tokens, or one without begin, end and padding. */
  constructor(tokenizers: Iterable<readonly [string, Tokenizer]>) {
    const members = [...tokenizers];
    super(members);
    if (!this.langs.includes(SPECIAL_TOKENIZER)) {
      throw new AnemoneError({
        code: 'tokenizer.bad-option',
        path: 'tokenizer.langs',
        message: `a CanaryTokenizer needs a member ${SPECIAL_TOKENIZER}`,
        hint: 'make one with `anemone tokenizer special`',
      });
    }
    let offset = 0;
    const special = new Map<string, number>();
    for (const [lang, { vocabulary }] of members) {
      if (lang === SPECIAL_TOKENIZER) {
        vocabulary.forEach((token, id) => {
          if (/^<\|.*\|>$/s.test(token) || token === CANARY_PAD) special.set(token, offset + id);
        });
      }
      offset += vocabulary.length;
    }
    this.special = special;
    this.bosId = this.specialId(CANARY_BOS);
    this.eosId = this.specialId(CANARY_EOS);
    this.padId = this.specialId(CANARY_PAD);
  }

  encodePrompt({ tokens, context = '', lang }: PromptParts): number[] {
    const [first, ...rest] = tokens.map((token) => this.specialId(token));
    return [first, ...(context === '' ? [] : this.encodeTranscript(context, lang)), ...rest];
  }

  encodeTranscript(text: string, lang?: string): number[] {
    const region = lang === undefined || this.langs.includes(lang) ? undefined : REGIONS[lang];
    const ownLang = region !== undefined && this.langs.includes(region) ? region : lang;
    return this.textToIds(text, ownLang);
  }

  /** Pieces one after the other, whatever member they are of, as in NeMo; without the space in front. */
  override idsToText(ids: Iterable<number>): string {
    return this.idsToTokens(ids).join('').replaceAll('▁', ' ').trim();
  }

  private specialId(token: string): number {
    const id = this.special.get(token);
    if (id !== undefined) return id;
    const knownTokens = [...this.special.keys()];
    throw new AnemoneError({
      code: 'text.unknown-token',
      message: `the tokenizer has no special token ${token}`,
      hint: didYouMean(token, knownTokens) ?? `it has ${knownTokens.slice(0, 20).join(' ')}`,
    });
  }
}
