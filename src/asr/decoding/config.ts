// The `decoding` section of models: NeMo's keys, greedy strategies.
import { defineSchema, type InferConfig } from '../../config/index.js';

const greedySchema = defineSchema(
  'greedy',
  {
    max_symbols: {
      doc: 'Most tokens at one encoder frame; null for no limit.',
      format: 'int',
      min: 1,
      nullable: true,
      default: 10,
    },
    window: { doc: 'Encoder frames looked at in one call of the engine.', format: 'int', min: 1, default: 8 },
  },
  {
    ignored: {
      max_symbols_per_step: 'use max_symbols',
      preserve_alignments: { instead: 'alignments come from the lattice', harmless: [false, null] },
      preserve_frame_confidence: { instead: 'there are no confidences', harmless: [false, null] },
      compute_timestamps: 'timestamps are always computed',
      loop_labels: { instead: 'decoding loops over labels', harmless: [true] },
      use_cuda_graph_decoder: { instead: 'the step is compiled', harmless: [true, false] },
      confidence_method_cfg: 'there are no confidences',
      batch_dim_index: { instead: 'the batch comes first', harmless: [0] },
    },
  },
);

export const decodingSchema = defineSchema(
  'decoding',
  {
    strategy: {
      doc: 'Both are the same batched greedy search.',
      format: ['greedy_batch', 'greedy'],
      default: 'greedy_batch',
    },
    greedy: { doc: 'Options of the greedy search.', format: greedySchema, default: {} },
  },
  {
    doc: 'How hypotheses are found.',
    ignored: {
      beam: 'decoding is greedy',
      compute_timestamps: { instead: 'timestamps are always computed', harmless: [null, true] },
      preserve_alignments: { instead: 'alignments come from the lattice', harmless: [null, false] },
      confidence_cfg: 'there are no confidences',
      ctc_timestamp_type: 'timestamps are per token',
      rnnt_timestamp_type: 'timestamps are per token',
      word_seperator: 'words are separated by spaces',
      word_separator: 'words are separated by spaces',
      batch_dim_index: { instead: 'the batch comes first', harmless: [0] },
      fused_batch_size: 'batches are decoded whole',
      compute_hypothesis_token_set: { instead: 'it is not needed', harmless: [false] },
      temperature: { instead: 'the joint has one', harmless: [1] },
      durations: { instead: 'there are no durations', harmless: [[], null] },
      big_blank_durations: { instead: 'there are no big blanks', harmless: [[], null] },
      model_type: { instead: 'the model knows', harmless: ['rnnt', null] },
    },
  },
);

export type DecodingConfig = InferConfig<typeof decodingSchema>;
