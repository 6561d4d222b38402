// Keys of the `decoding` section that transducers and CTC share: confidence, timestamps, language model.
import { defineSchema, type InferConfig, listOf } from '../../config/index.js';

const confidenceMethodSchema = defineSchema(
  'confidence method',
  {
    name: {
      doc: 'max_prob: the probability of the choice; entropy: how decided the distribution is.',
      format: ['max_prob', 'entropy'],
      default: 'entropy',
    },
    entropy_type: {
      doc: 'Kind of entropy.',
      format: ['gibbs', 'tsallis', 'renyi'],
      default: 'tsallis',
    },
    alpha: { doc: 'Power of the probabilities.', format: 'number', above: 0, default: 0.33 },
    entropy_norm: {
      doc: 'How the entropy becomes a number from 0 to 1.',
      format: ['lin', 'exp'],
      default: 'exp',
    },
  },
  { ignored: { temperature: { instead: 'use alpha', harmless: ['DEPRECATED'] } } },
);

const confidenceSchema = defineSchema(
  'confidence',
  {
    preserve_frame_confidence: { doc: 'Give a confidence for each step.', format: 'boolean', default: false },
    preserve_token_confidence: { doc: 'For each token.', format: 'boolean', default: false },
    preserve_word_confidence: { doc: 'For each word.', format: 'boolean', default: false },
    exclude_blank: {
      doc: 'Do not count the blanks after a token as part of it.',
      format: 'boolean',
      default: true,
    },
    aggregation: {
      doc: 'From steps to tokens and from tokens to words.',
      format: ['mean', 'min', 'max', 'prod'],
      default: 'min',
    },
    tdt_include_duration: {
      doc: 'Aggregate the confidence of the duration into that of the token (TDT).',
      format: 'boolean',
      default: false,
    },
    method_cfg: { doc: 'What confidence is.', format: confidenceMethodSchema, default: {} },
  },
  { doc: 'How sure the model is; greedy decoding only.' },
);

export type ConfidenceConfig = InferConfig<typeof confidenceSchema>;
export type ConfidenceMethod = InferConfig<typeof confidenceMethodSchema>;

export const greedyConfidence = {
  preserve_frame_confidence: {
    doc: 'As in confidence_cfg; then confidence_method_cfg beside it says what confidence is.',
    format: 'boolean',
    nullable: true,
    default: false,
  },
  confidence_method_cfg: {
    doc: 'What confidence is.',
    format: confidenceMethodSchema,
    nullable: true,
    default: null,
  },
} as const;

const timestampTypes = ['char', 'word', 'segment', 'all'] as const;
export type TimestampType = (typeof timestampTypes)[number];

export const timestampType = {
  doc: 'Which timestamps are given.',
  format: timestampTypes,
  default: 'all',
} as const;

export const sharedFields = {
  compute_timestamps: {
    doc: 'Give start and end of tokens, words and segments.',
    format: 'boolean',
    nullable: true,
    default: null,
  },
  word_seperator: {
    doc: 'Token between words (the spelling is NeMo’s).',
    format: 'string',
    default: ' ',
  },
  segment_seperators: {
    doc: 'A word that ends with one of these ends a segment.',
    format: listOf('string'),
    nullable: true,
    default: ['.', '!', '?'],
  },
  segment_gap_threshold: {
    doc: 'Frames of silence between words that end a segment too.',
    format: 'int',
    min: 1,
    nullable: true,
    default: null,
  },
  confidence_cfg: { doc: 'Confidence.', format: confidenceSchema, default: {} },
} as const;

export const sharedIgnored = {
  preserve_alignments: { instead: 'log-probabilities are not kept', harmless: [null, false] },
  compute_langs: { instead: 'languages of tokens are not given', harmless: [false] },
  word_separator: 'the key is word_seperator, as NeMo spells it',
  batch_dim_index: { instead: 'the batch comes first', harmless: [0] },
  temperature: { instead: 'the joint has one', harmless: [1] },
} as const;

/** The confidences asked for: a wish for words includes tokens, one for tokens includes frames. */
export interface ConfidenceOptions {
  readonly method: ConfidenceMethod;
  readonly aggregation: ConfidenceConfig['aggregation'];
  readonly excludeBlank: boolean;
  readonly includeDuration: boolean;
  readonly tokens: boolean;
  readonly words: boolean;
}

/** Undefined when no confidence is asked for. */
export function confidenceOptions(decoding: {
  readonly confidence_cfg: ConfidenceConfig;
  readonly greedy: {
    readonly preserve_frame_confidence: boolean | null;
    readonly confidence_method_cfg: ConfidenceMethod | null;
  };
}): ConfidenceOptions | undefined {
  const { confidence_cfg: config, greedy } = decoding;
  const words = config.preserve_word_confidence;
  const tokens = words || config.preserve_token_confidence;
  const general = tokens || config.preserve_frame_confidence;
  if (!general && !greedy.preserve_frame_confidence) return undefined;
  const method = general ? config.method_cfg : (greedy.confidence_method_cfg ?? config.method_cfg);
  return {
    method,
    aggregation: config.aggregation,
    excludeBlank: config.exclude_blank,
    includeDuration: config.tdt_include_duration,
    tokens,
    words,
  };
}

/** What transcripts hold; `type` is the section's rnnt_timestamp_type or ctc_timestamp_type. */
export function transcriptFields(
  decoding: {
    readonly compute_timestamps: boolean | null;
    readonly word_seperator: string;
    readonly segment_seperators: readonly string[] | null;
    readonly segment_gap_threshold: number | null;
  } & Parameters<typeof confidenceOptions>[0],
  type: TimestampType,
) {
  return {
    timestamps: decoding.compute_timestamps ? type : undefined,
    wordSeparator: decoding.word_seperator,
    segmentSeparators: decoding.segment_seperators ?? [],
    segmentGap: decoding.segment_gap_threshold,
    confidence: confidenceOptions(decoding),
  };
}
