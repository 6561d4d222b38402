// A small Transformer decoder for tests.
import type { TransformerDecoderConfig } from '../../src/transformer/transformer-decoder.js';

export const decoderConfig: TransformerDecoderConfig = {
  vocab_size: 16,
  hidden_size: 8,
  inner_size: 12,
  num_layers: 2,
  num_attention_heads: 2,
  max_sequence_length: 20,
  num_token_types: 0,
  embedding_dropout: 0,
  attn_score_dropout: 0,
  attn_layer_dropout: 0,
  ffn_dropout: 0,
  hidden_act: 'relu',
  learn_positional_encodings: false,
  pre_ln: true,
  pre_ln_final_layer_norm: true,
};
