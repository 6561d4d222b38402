// The `decoding` section of transducer models: NeMo's keys. That of CTC is in ctc-config.ts.
import {
  defineSchema,
  type Format,
  type InferConfig,
  isMapping,
  listOf,
  type SectionInput,
  writtenAsFloat,
} from '../../config/index.js';
import { asText } from '../../errors/index.js';
import { boostingFields, greedyFusionFields } from './fusion/config.js';
import { greedyConfidence, sharedFields, sharedIgnored, timestampType } from './shared-config.js';

/** The longest target of ALSD: so many tokens, or so many a frame. */
export type TargetLength = { readonly tokens: number } | { readonly perFrame: number };

/** An integer is a number of tokens, a float (2.0) tokens per encoder frame. */
function targetLength(): Format<TargetLength, number | TargetLength> {
  const expectation = 'a number of tokens (integer) or of tokens a frame (float)';
  return {
    expected: expectation,
    accepts: (value) => typeof value === 'number',
    check: (value, at) => {
      if (isMapping(value) && ('tokens' in value || 'perFrame' in value)) return value as unknown as TargetLength; // biome-ignore format: one line reads better
      if (typeof value === 'number' && value > 0) {
        const perFrame = !Number.isInteger(value) || writtenAsFloat(at.parent, at.key);
        return perFrame ? { perFrame: value } : { tokens: value };
      }
      at.report({ message: `expected ${expectation}, got ${asText(value)}` });
      return { perFrame: 2 };
    },
    jsonSchema: () => ({ type: 'number', exclusiveMinimum: 0 }),
  };
}

const greedySchema = defineSchema(
  'greedy',
  {
    max_symbols: {
      doc: 'Most tokens at one encoder frame; null for no limit. Default 10.',
      format: 'int',
      min: 1,
      nullable: true,
      optional: true,
    },
    max_symbols_per_step: {
      doc: 'The same, where max_symbols is not given.',
      format: 'int',
      min: 1,
      nullable: true,
      optional: true,
    },
    window: {
      doc: 'Encoder frames looked at in one call of the engine.',
      format: 'int',
      min: 1,
      max: 1024,
      default: 8,
    },
    ...greedyConfidence,
    ...greedyFusionFields,
  },
  {
    ignored: {
      preserve_alignments: { instead: 'log-probabilities are not kept', harmless: [false, null] },
      compute_timestamps: { instead: 'use decoding.compute_timestamps', harmless: [false, null] },
      tdt_include_token_duration: { instead: 'durations are always given', harmless: [false, true] },
      tdt_include_duration_confidence: {
        instead: 'use confidence_cfg.tdt_include_duration',
        harmless: [false],
      },
      loop_labels: { instead: 'decoding loops over labels', harmless: [true] },
      use_cuda_graph_decoder: { instead: 'the step is compiled', harmless: [true, false] },
      enable_per_stream_biasing: { instead: 'all streams share the phrases', harmless: [false] },
      batch_dim_index: { instead: 'the batch comes first', harmless: [0] },
    },
  },
);

const beamSchema = defineSchema(
  'beam',
  {
    beam_size: { doc: 'Hypotheses kept; 1 is a greedy search.', format: 'int', min: 1, default: 4 },
    score_norm: {
      doc: 'Order hypotheses by score over length, the empty start counting as one.',
      format: 'boolean',
      default: true,
    },
    return_best_hypothesis: {
      doc: 'false: transcripts list their alternatives too.',
      format: 'boolean',
      default: true,
    },
    softmax_temperature: { doc: 'Divides the logits.', format: 'number', above: 0, default: 1 },
    tsd_max_sym_exp: { doc: 'tsd: most tokens at one frame.', format: 'int', min: 1, default: 10 },
    alsd_max_target_len: {
      doc: 'alsd: longest target; an integer counts tokens, a float tokens per frame.',
      format: targetLength(),
      default: { perFrame: 2 },
    },
    max_symbols: {
      doc: 'malsd_batch: most tokens at one frame; null for no limit. Default 10.',
      format: 'int',
      min: 1,
      nullable: true,
      optional: true,
    },
    max_symbols_per_step: {
      doc: 'malsd_batch: the same, where max_symbols is not given.',
      format: 'int',
      min: 1,
      nullable: true,
      optional: true,
    },
    maes_num_steps: { doc: 'maes, maes_batch: most tokens at one frame.', format: 'int', min: 1, default: 2 },
    maes_prefix_alpha: {
      doc: 'maes: how many tokens longer a hypothesis may be than one whose score it shares.',
      format: 'nat',
      default: 1,
    },
    maes_expansion_gamma: {
      doc: 'maes, maes_batch: tokens this far below the best in log-probability are dropped.',
      format: 'number',
      min: 0,
      default: 2.3,
    },
    maes_expansion_beta: { doc: 'maes, maes_batch: candidates beyond beam_size.', format: 'nat', default: 2 },
    ngram_lm_model: {
      doc: 'maes, malsd_batch, maes_batch: an n-gram language model of tokens, an ARPA file.',
      format: 'string',
      nullable: true,
      default: null,
    },
    ngram_lm_alpha: { doc: 'Weight of the language model.', format: 'number', nullable: true, default: 0 },
    ...boostingFields,
    pruning_mode: {
      doc: 'malsd_batch, maes_batch: early: the network alone chooses candidates; late: fused models do too; null is early.',
      format: ['early', 'late', 'EARLY', 'LATE'],
      nullable: true,
      default: 'late',
    },
    blank_lm_score_mode: {
      doc: 'malsd_batch, maes_batch: lm_weighted_full, null: fused models score blank as the network does; no_score: not at all.',
      format: ['no_score', 'lm_weighted_full', 'NO_SCORE', 'LM_WEIGHTED_FULL'],
      nullable: true,
      default: 'lm_weighted_full',
    },
    hat_subtract_ilm: {
      doc: 'maes with HATJoint and a language model: take off the model’s own language model.',
      format: 'boolean',
      default: false,
    },
    hat_ilm_weight: { doc: 'Weight of that.', format: 'number', default: 0 },
  },
  {
    ignored: {
      search_type: {
        instead: 'decoding.strategy says it',
        harmless: ['default', 'beam', 'tsd', 'alsd', 'maes', 'malsd_batch', 'maes_batch'],
      },
      tsd_max_sym_exp_per_step: { instead: 'as in NeMo, tsd_max_sym_exp counts', harmless: [50] },
      nsc_max_timesteps_expansion: { instead: 'there is no such search', harmless: [1] },
      nsc_prefix_alpha: { instead: 'there is no such search', harmless: [1] },
      language_model: { instead: 'use ngram_lm_model', harmless: [null] },
      preserve_alignments: { instead: 'log-probabilities are not kept', harmless: [false, null] },
      preserve_frame_confidence: { instead: 'beam search has no confidence', harmless: [false] },
      compute_timestamps: { instead: 'use decoding.compute_timestamps', harmless: [false, null] },
      allow_cuda_graphs: { instead: 'the step is compiled', harmless: [true, false] },
    },
  },
);

export const BEAM_STRATEGIES = ['beam', 'tsd', 'alsd', 'maes', 'malsd_batch', 'maes_batch'] as const;

const durationList = { format: listOf('nat'), nullable: true, default: null } as const;

export const decodingSchema = defineSchema(
  'decoding',
  {
    strategy: {
      doc: 'greedy and greedy_batch are the same batched greedy search; the others are beam searches.',
      format: ['greedy_batch', 'greedy', ...BEAM_STRATEGIES],
      default: 'greedy_batch',
    },
    greedy: { doc: 'Options of the greedy search.', format: greedySchema, default: {} },
    beam: { doc: 'Options of the beam searches.', format: beamSchema, default: {} },
    durations: { doc: 'TDT: must be those of the loss.', ...durationList },
    big_blank_durations: { doc: 'Multi-blank: must be those of the loss.', ...durationList },
    rnnt_timestamp_type: timestampType,
    ...sharedFields,
  },
  {
    doc: 'How hypotheses are found.',
    ignored: {
      ...sharedIgnored,
      model_type: {
        instead: 'loss and durations say it',
        harmless: ['rnnt', 'tdt', 'multiblank', null],
      },
      fused_batch_size: { instead: 'batches are decoded whole', harmless: [null, -1] },
      compute_hypothesis_token_set: { instead: 'tokens are always given', harmless: [false, true] },
      tdt_include_token_duration: { instead: 'durations are always given', harmless: [null, false, true] },
      ctc_timestamp_type: { instead: 'this is a transducer', harmless: ['all'] },
    },
  },
);

/** Most tokens at one frame, null for no limit. */
export function mostSymbols(
  section: Pick<DecodingConfig['greedy'], 'max_symbols' | 'max_symbols_per_step'>,
): number | null {
  const { max_symbols: maxSymbols, max_symbols_per_step: maxSymbolsPerStep } = section;
  return (
    maxSymbols ??
    (maxSymbolsPerStep === undefined && maxSymbols === undefined ? 10 : (maxSymbolsPerStep ?? null))
  );
}

/** How malsd_batch and maes_batch weigh fused models; null is NeMo's default of the search, not of the section. */
export function fusionModes(beam: BeamConfig) {
  return {
    pruning: beam.pruning_mode?.toLowerCase() === 'late' ? 'late' : 'early',
    blank: beam.blank_lm_score_mode?.toLowerCase() === 'no_score' ? 'no_score' : 'lm_weighted_full',
  } as const;
}

/** A `decoding` section of transducers. */
export type DecodingSection = SectionInput<typeof decodingSchema>;
export type DecodingConfig = InferConfig<typeof decodingSchema>;
export type BeamConfig = DecodingConfig['beam'];
