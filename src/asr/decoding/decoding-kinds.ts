// What finds hypotheses, as a brick: `model.decoding: {_target_: MySearch, …}` names one, or the stock searches by their
// strategies.
import { defineSchema, type Schema } from '../../config/index.js';
import { type ComponentDescriptor, component, defineKind } from '../../container/index.js';
import type { Engine } from '../../engine/index.js';
import {
  type AttentionDecodingConfig,
  type AttentionNetwork,
  type AttentionSearch,
  attentionDecodingSchema,
  type SearchTokens,
} from '../../generation/index.js';
import type { ReadFile, Tokenizer } from '../../text/index.js';
import { attentionSearch } from './attention-search.js';
import { BEAM_STRATEGIES, type DecodingConfig, decodingSchema } from './config.js';
import { type CtcDecodingConfig, ctcDecodingSchema } from './ctc-config.js';
import { type CtcSearch, type CtcSearchContext, ctcSearch } from './ctc-search.js';
import type { TransducerNetwork } from './greedy-transducer.js';
import { type TransducerSearch, transducerSearch } from './transducer-search.js';

/** What the search of a transducer is made for. */
export interface TransducerSearchContext {
  readonly engine: Engine;
  readonly network: TransducerNetwork;
  readonly tokenizer: Tokenizer;
  /** For language models and phrases. */
  readonly readFile: ReadFile;
}

/** How a transducer decodes. */
export interface TransducerDecoding {
  /** What else the section says: of transcripts, and of streams, which decode greedily. Default: nothing. */
  readonly settings?: DecodingConfig;
  /** Makes the search for one engine and network. */
  search(context: TransducerSearchContext): TransducerSearch;
}

/** Decodings of transducers as a kind of component: what `_target_` or `strategy` of `model.decoding` may name. */
export const transducerDecodingKind = defineKind<TransducerDecoding>(
  'transducer_decoding',
  'a decoding of transducers',
);

/** How a classifier of frames decodes. */
export interface FrameDecoding {
  /** See `TransducerDecoding`. */
  readonly settings?: CtcDecodingConfig;
  /** Makes the search; the context says which class is blank. */
  search(context: CtcSearchContext): CtcSearch;
}

/** Decodings of frame classifiers as a kind of component: what `_target_` or `strategy` of their section may name. */
export const frameDecodingKind = defineKind<FrameDecoding>('frame_decoding', 'a decoding of frames');

/** What the search of an attention decoder is made for. */
export interface AttentionSearchContext {
  readonly engine: Engine;
  readonly network: AttentionNetwork;
  readonly tokens: SearchTokens;
}

/** How an attention decoder decodes. */
export interface AttentionDecoding {
  /** Makes the search for one engine and network. */
  search(context: AttentionSearchContext): AttentionSearch;
}

/**
 * Decodings of attention decoders as a kind of component: what `_target_` or `strategy` of `model.decoding` may
 * name.
 */
export const attentionDecodingKind = defineKind<AttentionDecoding>(
  'attention_decoding',
  'a decoding of attention decoders',
);

/** The search that a checked section of a transducer names by `strategy`. */
export function transducerDecoding(settings: DecodingConfig): TransducerDecoding {
  return {
    settings,
    search: ({ engine, network, tokenizer, readFile }) =>
      transducerSearch(engine, network, settings, tokenizer, readFile),
  };
}

/** The search that a checked section of a classifier of frames names by `strategy`. */
export function frameDecoding(settings: CtcDecodingConfig): FrameDecoding {
  return { settings, search: (context) => ctcSearch(settings, context) };
}

/** The search that a checked section of an attention decoder names by `strategy`. */
export function attentionDecoding(settings: AttentionDecodingConfig): AttentionDecoding {
  return { search: ({ engine, network, tokens }) => attentionSearch(engine, network, settings, tokens) };
}

/** The section that names its search by `_target_` needs no `strategy`. */
function withoutStrategy<C>({ fields, ignored, doc }: Schema<C>, name: string): Schema<C> {
  const { strategy: _, ...rest } = fields;
  return defineSchema(name, rest, { doc, ignored: Object.fromEntries(ignored) }) as unknown as Schema<C>;
}

/** The searches of one schema, each by its strategy. */
function searches<C extends object, D>(
  kind: { readonly kind: string; readonly what: string; readonly builds?: D },
  schema: Schema<C>,
  strategies: readonly C[keyof C & 'strategy'][],
  make: (settings: C) => D,
): ComponentDescriptor[] {
  return strategies.map((strategy) =>
    component({
      kind,
      name: strategy as string,
      aliases: strategy === 'greedy_batch' ? ['greedy'] : [],
      schema: withoutStrategy(schema, strategy as string),
      create: (settings) => make({ ...settings, strategy }),
    }),
  );
}

/** Strategies of the library by kind of decoding, the names of its components. */
export function strategiesOf(kind: { readonly kind: string }): readonly string[] {
  const ofKind = decodingComponents.filter((component) => component.kind === kind.kind);
  return ofKind.flatMap(({ name, aliases }) => [name, ...aliases]);
}

export const decodingComponents: readonly ComponentDescriptor[] = [
  ...searches(
    transducerDecodingKind,
    decodingSchema,
    ['greedy_batch', ...BEAM_STRATEGIES],
    transducerDecoding,
  ),
  ...searches(
    frameDecodingKind,
    ctcDecodingSchema,
    ['greedy_batch', 'beam', 'beam_batch', 'pyctcdecode'],
    frameDecoding,
  ),
  ...searches(attentionDecodingKind, attentionDecodingSchema, ['greedy_batch', 'beam'], attentionDecoding),
];
