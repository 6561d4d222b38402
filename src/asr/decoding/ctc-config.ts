// The `decoding` section of CTC models and branches: NeMo's keys.
import { defineSchema, type InferConfig, type SectionInput } from '../../config/index.js';
import { boostingFields, greedyFusionFields } from './fusion/config.js';
import { greedyConfidence, sharedFields, sharedIgnored, timestampType } from './shared-config.js';

const prefixBeam = 'the search is a prefix beam search';

/** Sections that NeMo writes out with these values when nobody has asked for anything. */
const untouched = {
  flashlight: {
    lexicon_path: null,
    boost_path: null,
    beam_size_token: 16,
    beam_threshold: 20,
    // -Infinity, as JSON has it.
    unk_weight: null,
    sil_weight: 0,
  },
  pyctcdecode: {
    beam_prune_logp: -10,
    token_min_logp: -5,
    prune_history: false,
    hotwords: null,
    hotword_weight: 10,
  },
  wfst: {
    beam_size: 4,
    search_type: 'riva',
    return_best_hypothesis: true,
    preserve_alignments: false,
    compute_timestamps: false,
    decoding_mode: 'nbest',
    open_vocabulary_decoding: false,
    beam_width: 10,
    lm_weight: 1,
    device: 'cuda',
    arpa_lm_path: null,
    wfst_lm_path: null,
    riva_decoding_cfg: {},
    k2_decoding_cfg: { search_beam: 20, output_beam: 10, min_active_states: 30, max_active_states: 10000 },
  },
};

const greedySchema = defineSchema(
  'ctc greedy',
  { ...greedyConfidence, ...greedyFusionFields },
  {
    ignored: {
      preserve_alignments: { instead: 'log-probabilities are not kept', harmless: [false, null] },
      compute_timestamps: { instead: 'use decoding.compute_timestamps', harmless: [false, null] },
      allow_cuda_graphs: { instead: 'decoding runs on the host', harmless: [true, false] },
      batch_dim_index: { instead: 'the batch comes first', harmless: [0] },
      // NeMo's hybrid configs copy the transducer's section.
      max_symbols: { instead: 'CTC has one choice a frame', harmless: [10, null] },
    },
  },
);

const beamSchema = defineSchema(
  'ctc beam',
  {
    beam_size: { doc: 'Prefixes kept.', format: 'int', min: 1, default: 4 },
    return_best_hypothesis: {
      doc: 'false: transcripts list their alternatives too.',
      format: 'boolean',
      default: true,
    },
    beam_beta: { doc: 'Added to the score for each token.', format: 'number', default: 1 },
    beam_threshold: {
      doc: 'Prefixes this far below the best in log-probability are dropped.',
      format: 'number',
      above: 0,
      default: 20,
    },
    ngram_lm_model: {
      doc: 'An n-gram language model of tokens, an ARPA file.',
      format: 'string',
      nullable: true,
      default: null,
    },
    ngram_lm_alpha: { doc: 'Weight of the language model.', format: 'number', nullable: true, default: 1 },
    ...boostingFields,
    kenlm_path: { doc: 'Older name of ngram_lm_model.', format: 'string', nullable: true, default: null },
    beam_alpha: { doc: 'Older name of ngram_lm_alpha.', format: 'number', nullable: true, default: null },
  },
  {
    ignored: {
      search_type: { instead: 'there is one beam search', harmless: ['default'] },
      kenlm_type: { instead: 'the model file says it', harmless: [null] },
      preserve_alignments: { instead: 'log-probabilities are not kept', harmless: [false, null] },
      compute_timestamps: { instead: 'use decoding.compute_timestamps', harmless: [false, null] },
      allow_cuda_graphs: { instead: 'decoding runs on the host', harmless: [true, false] },
      flashlight_cfg: { instead: prefixBeam, harmless: [null, untouched.flashlight] },
      pyctcdecode_cfg: { instead: prefixBeam, harmless: [null, untouched.pyctcdecode] },
      // NeMo's hybrid configs copy the transducer's section.
      score_norm: { instead: 'scores are compared as they are', harmless: [true, false] },
      tsd_max_sym_exp: { instead: 'CTC has one choice a frame', harmless: [50] },
      alsd_max_target_len: { instead: 'CTC has one choice a frame', harmless: [2] },
    },
  },
);

export const ctcDecodingSchema = defineSchema(
  'ctc decoding',
  {
    strategy: {
      doc: 'greedy and greedy_batch are the best path, beam_batch several; beam and pyctcdecode a prefix beam search.',
      format: ['greedy', 'greedy_batch', 'beam', 'beam_batch', 'pyctcdecode'],
      default: 'greedy_batch',
    },
    greedy: { doc: 'Options of the best path.', format: greedySchema, default: {} },
    beam: { doc: 'Options of the beam search.', format: beamSchema, default: {} },
    ctc_timestamp_type: timestampType,
    ...sharedFields,
  },
  {
    doc: 'How hypotheses are found.',
    ignored: {
      ...sharedIgnored,
      rnnt_timestamp_type: { instead: 'this is CTC', harmless: ['all'] },
      wfst: { instead: prefixBeam, harmless: [null, untouched.wfst] },
      fused_batch_size: { instead: 'batches are decoded whole', harmless: [null, -1] },
    },
  },
);

/** A `decoding` section of CTC models. */
export type CtcDecodingSection = SectionInput<typeof ctcDecodingSchema>;
export type CtcDecodingConfig = InferConfig<typeof ctcDecodingSchema>;
export type CtcBeamConfig = CtcDecodingConfig['beam'];
