// Keys of the greedy and beam sections that say which models of tokens a search is fused with: NeMo's
// BoostingTreeModelConfig and the n-gram model beside it. Loading what they name is in load-fusion.ts.
import { defineSchema, type InferConfig, listOf } from '../../../config/index.js';

const phraseItemSchema = defineSchema('phrase', {
  phrase: { doc: 'The phrase.', format: 'string' },
  lang: { doc: 'Its language; default source_lang.', format: 'string', optional: true },
});

export const boostingTreeSchema = defineSchema(
  'boosting tree',
  {
    key_phrases_list: {
      doc: 'Phrases to boost, spelled as transcripts are.',
      format: listOf('string'),
      nullable: true,
      default: null,
    },
    key_phrases_file: {
      doc: 'A text file of them, one a line; not together with a list.',
      format: 'string',
      nullable: true,
      default: null,
    },
    key_phrase_items_list: {
      doc: 'Phrases with a language each.',
      format: listOf(phraseItemSchema),
      nullable: true,
      default: null,
    },
    context_score: { doc: 'Bonus of the first token of a phrase.', format: 'number', default: 1 },
    depth_scaling: {
      doc: 'Factor of the bonus for the tokens after it; token n gets ln(n) more.',
      format: 'number',
      min: 0,
      default: 2,
    },
    unk_score: { doc: 'Score of tokens that begin no phrase.', format: 'number', default: 0 },
    score_per_phrase: {
      doc: 'Divided by the number of characters, rounded to hundredths, in place of context_score; 0 for none.',
      format: 'number',
      default: 0,
    },
    source_lang: {
      doc: 'Language of the phrases, for tokenizers of several languages.',
      format: 'string',
      default: 'en',
    },
    uniform_weights: {
      doc: 'Every token gets context_score and the end of a phrase the sum again, as in Icefall.',
      format: 'boolean',
      default: false,
    },
    model_path: { doc: 'Only null.', format: 'any', nullable: true, default: null },
  },
  {
    doc: 'Phrases to boost.',
    ignored: {
      final_eos_score: { instead: 'only attention decoders emit an end token', harmless: [0, 1] },
      use_triton: { instead: 'the tree is walked on the host', harmless: [true, false, null] },
      use_bpe_dropout: { instead: 'a phrase has one tokenization', harmless: [false] },
      num_of_transcriptions: { instead: 'a phrase has one tokenization', harmless: [5] },
      bpe_alpha: { instead: 'a phrase has one tokenization', harmless: [0.3] },
    },
    refine: (config, report) => {
      if (config.model_path !== null) {
        report('model_path', 'trees that NeMo has built are not read', 'give the phrases: key_phrases_list');
      }
      const lists = ['key_phrases_list', 'key_phrase_items_list'] as const;
      for (const key of lists) {
        if (config[key]?.length === 0) report(key, 'the list is empty', 'give phrases, or leave the key out');
        if (config[key] !== null && config.key_phrases_file !== null) {
          report(key, 'there is key_phrases_file too', 'give one of them');
        }
      }
    },
  },
);

export type BoostingTreeConfig = InferConfig<typeof boostingTreeSchema>;

export const boostingFields = {
  boosting_tree: {
    doc: 'Phrases that are made likelier.',
    format: boostingTreeSchema,
    nullable: true,
    default: {},
  },
  boosting_tree_alpha: {
    doc: 'Weight of the boosted phrases; needed where there are any.',
    format: 'number',
    nullable: true,
    optional: true,
  },
} as const;

export const greedyFusionFields = {
  ngram_lm_model: {
    doc: 'An n-gram language model of tokens, an ARPA file.',
    format: 'string',
    nullable: true,
    default: null,
  },
  ngram_lm_alpha: { doc: 'Weight of the language model.', format: 'number', nullable: true, default: 0 },
  ...boostingFields,
} as const;

/** What a greedy or beam section says of it. */
export interface FusionSection {
  readonly ngram_lm_model: string | null;
  readonly ngram_lm_alpha: number | null;
  readonly boosting_tree: BoostingTreeConfig | null;
  readonly boosting_tree_alpha?: number | null | undefined;
}

export function hasPhrases(tree: BoostingTreeConfig | null): tree is BoostingTreeConfig {
  return Boolean(tree?.key_phrases_list ?? tree?.key_phrases_file ?? tree?.key_phrase_items_list);
}
