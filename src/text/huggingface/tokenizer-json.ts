// A whole tokenizer.json: normalise, cut, look up, and back. Without the offsets that Hugging Face's tokenizers keeps.
import { parseJsonText } from '../../formats/index.js';
import { IdBuffer } from '../id-buffer.js';
import { type AddedToken, AddedTokenSplitter, addedTokenOf } from './added-tokens.js';
import { type Decoder, decoderOf } from './decoders.js';
import { JsonNode } from './json-node.js';
import { type WordModel, wordModelOf } from './models.js';
import { type Normalizer, normalizerOf } from './normalizers.js';
import { type Cutting, cuttingOf } from './pre-tokenizers.js';
import { type Surroundings, surroundingsOf } from './template.js';

/** Between ids of a vocabulary there may be some holes, but not many. */
const MOST_HOLES = 65_536;

/** What a tokenizer.json does. */
export class TokenizerPipeline {
  /** Token of each id; the empty text where there is none. */
  readonly vocabulary: readonly string[];
  readonly ids: ReadonlyMap<string, number>;
  readonly added: readonly AddedToken[];
  readonly surroundings: Surroundings;
  readonly unknown: number | undefined;
  private readonly specials: ReadonlySet<number>;
  private readonly normalize: Normalizer;
  private readonly cutting: Cutting;
  private readonly model: WordModel;
  private readonly decoder: Decoder;
  private readonly raw: AddedTokenSplitter;
  private readonly normalized: AddedTokenSplitter;
  private readonly buffer = new IdBuffer();

  /** @throws AnemoneError `tokenizer.damaged`, `tokenizer.unsupported`, `tokenizer.pattern` */
  constructor(json: unknown, file: string) {
    const node = new JsonNode(json, file);
    this.normalize = normalizerOf(node.field('normalizer'));
    this.cutting = cuttingOf(node.field('pre_tokenizer'));
    this.model = wordModelOf(node.field('model'), this.cutting.writesBytes);
    this.decoder = decoderOf(node.field('decoder'));
    this.surroundings = surroundingsOf(node.field('post_processor'));
    const written = node.field('added_tokens').items().map(addedTokenOf);
    // A token that the vocabulary has too keeps the id that it has there.
    this.added = written.map((token) => ({ ...token, id: this.model.ids.get(token.content) ?? token.id }));
    this.specials = new Set(this.added.filter(({ special }) => special).map(({ id }) => id));
    const isKnown = this.added.every(({ content, id }) => this.model.ids.get(content) === id);
    this.ids = isKnown ? this.model.ids : new Map([...this.model.ids, ...this.added.map(({ content, id }) => [content, id] as const)]); // biome-ignore format: one line
    this.vocabulary = vocabularyOf(this.ids, node);
    this.unknown = this.model.unknown;
    this.raw = new AddedTokenSplitter(this.added.filter(({ normalized }) => !normalized));
    const later = this.added.filter(({ normalized }) => normalized);
    this.normalized = new AddedTokenSplitter(later, this.normalize);
  }

  /** @throws AnemoneError `tokenizer.damaged` and the constructor's */
  static parse(bytes: Uint8Array, file: string): TokenizerPipeline {
    const json = parseJsonText(bytes, { code: 'tokenizer.damaged', position: { file } });
    return new TokenizerPipeline(json, file);
  }

  /** Ids of a text, without special tokens around them. They are overwritten by the next call. */
  encode(text: string): Int32Array {
    const out = this.buffer;
    out.clear();
    const add = ({ id }: AddedToken): void => out.push(id);
    const plain = (piece: string, start: number): void =>
      this.normalized.split(
        this.normalize(piece),
        (part, place) => {
          for (const word of this.cutting.cut([part], start === 0 && place === 0))
            if (word !== '') this.model.encode(word, out);
        },
        add,
      );
    this.raw.split(text, plain, add);
    return out.view();
  }

  /** Whether words are cut into the bytes of their UTF-8. */
  get isByteLevel(): boolean {
    return this.cutting.writesBytes;
  }

  isSpecial(id: number): boolean {
    return this.specials.has(id);
  }

  decode(tokens: readonly string[]): string {
    return this.decoder(tokens).join('');
  }
}

function vocabularyOf(ids: ReadonlyMap<string, number>, node: JsonNode): string[] {
  let largest = -1;
  for (const id of ids.values()) largest = Math.max(largest, id);
  if (largest < 0) throw node.field('model').field('vocab').wrong('the vocabulary is empty');
  if (largest >= ids.size + MOST_HOLES) throw node.wrong(`${ids.size} tokens have ids up to ${largest}`);
  const vocabulary = new Array<string>(largest + 1).fill('');
  for (const [token, id] of ids) vocabulary[id] = token;
  return vocabulary;
}
