// An attention encoder-decoder as two files: the encoder with all that lies between it and the decoder, and the decoder
// with its classifier. NeMo names these values in its modules and does not export the model; layouts are those of the
// files that onnx-asr reads.
import { type Tensors, tf } from '../../engine/index.js';
import { evaluationPass, frameMask } from '../../nn/index.js';
import type { EncoderStates, TokenHead, TransformerDecoder } from '../../transformer/index.js';
import type { Encoded } from '../encoders/encoder.js';
import { type EncoderOutput, EXAMPLES, noise, type Subnet } from './subnets.js';

/** `encoder_embeddings` [B,T',d], which the decoder looks at, and `encoder_mask` int64 [B,T'], 1 for real frames. */
export function memoryOutput(bridge: (encoded: Encoded) => EncoderStates): EncoderOutput {
  return {
    prefix: 'encoder-',
    name: 'encoder',
    of: (encoded): Tensors => {
      const { states, lengths } = bridge(encoded);
      const mask = tf.cast(frameMask(lengths, states.shape[1]!), 'int32');
      return { encoder_embeddings: states, encoder_mask: mask };
    },
    int64: ['encoder_mask'],
  };
}

/**
 * `input_ids` int64 [B,U], the encoder's two outputs and `decoder_mems` [L,B,P,d] of the P tokens before (P may be 0)
 * → `logits` [B,U,V], log-probabilities of what follows each token, and `decoder_hidden_states` [L,B,P+U,d]: the mems
 * for the tokens that follow. A token sees those before it alone, so that rows of a batch may be padded at their end.
 */
export function attentionDecoderSubnet(decoder: TransformerDecoder, head: TokenHead): Subnet {
  const { layers, width } = decoder;
  const { max_sequence_length: room, vocab_size: classes } = decoder.config;
  return {
    prefix: 'decoder-',
    spec: {
      name: 'decoder',
      inputs: {
        input_ids: { dtype: 'int32', axes: ['batch', 'tokens'], int64: true },
        encoder_embeddings: { dtype: 'float32', axes: ['batch', 'time', width] },
        encoder_mask: { dtype: 'int32', axes: ['batch', 'time'], int64: true },
        decoder_mems: { dtype: 'float32', axes: [layers, 'batch', 'past', width] },
      },
      examples: EXAMPLES,
      fn: (inputs) => {
        const { hidden, seen } = decoder.extend(
          {
            tokens: inputs['input_ids'],
            past: inputs['decoder_mems'],
            states: inputs['encoder_embeddings'],
            valid: tf.cast(inputs['encoder_mask'], 'float32'),
          },
          evaluationPass,
        );
        return { logits: head.forward(hidden, evaluationPass), decoder_hidden_states: seen };
      },
    },
    samples: [
      [1, 1, 1, 1],
      [3, 5, 4, 2],
      [2, 9, 1, 7],
    ]
      .filter(([, , tokens, past]) => tokens + past <= room)
      .map(([batch, time, tokens, past], i) => ({
        input_ids: {
          dtype: 'int32',
          shape: [batch, tokens],
          data: Int32Array.from({ length: batch * tokens }, (_, j) => (3 * j + i) % classes),
        },
        encoder_embeddings: noise([batch, time, width], i),
        encoder_mask: {
          dtype: 'int32',
          shape: [batch, time],
          // Of each row the last frame but of the first is padding.
          data: Int32Array.from({ length: batch * time }, (_, j) => (j < time || (j + 1) % time > 0 ? 1 : 0)),
        },
        decoder_mems: noise([layers, batch, past, width], 10 + i),
      })),
  };
}
