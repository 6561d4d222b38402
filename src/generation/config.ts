// The `decoding` section of models with an attention decoder: NeMo's keys.
import { defineSchema, type InferConfig, type SectionInput } from '../config/index.js';

const delta = {
  doc: 'Tokens that a transcript with its prompt may have beyond the encoder’s frames; -1: as many as the decoder has positions.',
  format: 'int',
  min: -1,
  default: -1,
} as const;

const noConfidence = { instead: 'attention decoders give no confidence', harmless: [false, null] };
const noLm = 'there is no language model for attention decoders';

const greedySchema = defineSchema(
  'greedy',
  { max_generation_delta: delta },
  {
    ignored: {
      temperature: { instead: 'tokens are not sampled', harmless: [null] },
      n_samples: { instead: 'tokens are not sampled', harmless: [1] },
      preserve_alignments: { instead: 'log-probabilities are not kept', harmless: [false, null] },
      preserve_token_confidence: noConfidence,
      confidence_method_cfg: 'attention decoders give no confidence',
    },
  },
);

const beamSchema = defineSchema(
  'beam',
  {
    beam_size: { doc: 'Hypotheses kept; 1 is a greedy search.', format: 'int', min: 1, default: 1 },
    len_pen: {
      doc: 'Exponent of the length penalty; 0 is none. NeMo has this key in its files and reads length_penalty.',
      format: 'number',
      min: 0,
      default: 0,
    },
    length_penalty: {
      doc: 'The same, before len_pen.',
      format: 'number',
      min: 0,
      nullable: true,
      default: null,
    },
    max_generation_delta: delta,
    return_best_hypothesis: {
      doc: 'false: transcripts list their alternatives too.',
      format: 'boolean',
      default: true,
    },
    ngram_lm_model: { doc: 'Only null.', format: 'any', nullable: true, default: null },
  },
  {
    ignored: {
      search_type: { instead: 'there is one beam search', harmless: ['default'] },
      preserve_alignments: { instead: 'log-probabilities are not kept', harmless: [false, null] },
      ngram_lm_alpha: { instead: noLm, harmless: [0] },
      boosting_tree: { instead: 'phrases are not boosted', harmless: [null, {}] },
      boosting_tree_alpha: { instead: 'phrases are not boosted', harmless: [0] },
    },
    refine: ({ ngram_lm_model: lm }, report) => {
      if (lm !== null) report('ngram_lm_model', noLm, 'leave it out');
    },
  },
);

/** The schema of the `decoding` section of models with an attention decoder: NeMo's MultiTaskDecodingConfig. */
export const attentionDecodingSchema = defineSchema(
  'attention decoding',
  {
    strategy: {
      doc: 'greedy and greedy_batch are the same search; beam keeps several hypotheses.',
      format: ['beam', 'greedy', 'greedy_batch'],
      default: 'beam',
    },
    return_best_hypothesis: {
      doc: 'As beam.return_best_hypothesis: either being false gives the alternatives.',
      format: 'boolean',
      default: true,
    },
    greedy: { doc: 'Options of the greedy search.', format: greedySchema, default: {} },
    beam: { doc: 'Options of the beam search.', format: beamSchema, default: {} },
  },
  {
    doc: 'How an attention decoder finds hypotheses.',
    ignored: {
      confidence_cfg: 'attention decoders give no confidence',
      preserve_alignments: { instead: 'log-probabilities are not kept', harmless: [false, null] },
      compute_hypothesis_token_set: { instead: 'tokens are always given', harmless: [false, true] },
      compute_langs: { instead: 'languages of tokens are not given', harmless: [false] },
      return_xattn_scores: { instead: 'attention weights are not kept', harmless: [false] },
      temperature: { instead: 'tokens are not sampled', harmless: [1] },
    },
  },
);

/** A `decoding` section of attention decoders. */
export type AttentionDecodingSection = SectionInput<typeof attentionDecodingSchema>;
/** A checked `decoding` section of a model with an attention decoder. */
export type AttentionDecodingConfig = InferConfig<typeof attentionDecodingSchema>;
