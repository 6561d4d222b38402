// The parts of speech models that other programs run, with the names and layouts of NeMo's exported files. That of
// transducers behind the encoder is in decoder-joint.ts.
import { type ExportSpec, type HostTensors, type Tensors, tf } from '../../engine/index.js';
import { evaluationPass } from '../../nn/index.js';
import { CounterRandom } from '../../random/index.js';
import type { ConvASRDecoder } from '../decoders/conv-asr-decoder.js';
import type { Encoder } from '../encoders/encoder.js';

/** One file of an exported model. */
export interface Subnet {
  /** Put before the file's name: `encoder-`, `decoder_joint-` or nothing. */
  readonly prefix: string;
  readonly spec: Omit<ExportSpec, 'read' | 'metadata'>;
  /** Inputs that the file is tried with: sizes that are not among the examples. */
  readonly samples: readonly HostTensors[];
}

/**
 * Sizes to trace at: times of every remainder modulo 16, and the axes in orders of their own (a triangular number, a
 * multiple), for an axis that grows along with another would be taken for it.
 */
export const EXAMPLES = Array.from({ length: 16 }, (_, i) => ({
  batch: 3 + 2 * (((i * (i + 1)) / 2) % 16),
  time: 401 + 61 * i,
  tokens: 45 + 7 * ((5 * i + 3) % 16),
}));

/** Most feature frames that a file takes which is to take `maxFrames` encoder frames: no fewer than are traced. */
export function longestInput(encoder: Encoder, maxFrames: number): number {
  return Math.max(maxFrames * encoder.subsamplingFactor, ...EXAMPLES.map(({ time }) => time + 1));
}

export interface EncoderSubnetOptions {
  readonly encoder: Encoder;
  /** Mel bins. */
  readonly features: number;
  /** Encoder frames that the file is to take at least; tables of positions are as long. */
  readonly maxFrames: number;
  /** For a file that goes on to log-probabilities. */
  readonly ctc?: ConvASRDecoder;
}

/**
 * `audio_signal` [B,F,T] features and `length` int64 [B] → `outputs` [B,D,T'] or, with `ctc`, `logprobs` [B,T',V+1];
 * and `encoded_lengths` int64 [B].
 */
export function encoderSubnet({ encoder, features, maxFrames, ctc }: EncoderSubnetOptions): Subnet {
  return {
    prefix: ctc ? '' : 'encoder-',
    spec: {
      name: ctc ? 'encoder-ctc' : 'encoder',
      inputs: {
        audio_signal: { dtype: 'float32', axes: ['batch', features, 'time'] },
        length: { dtype: 'int32', axes: ['batch'], int64: true },
      },
      int64Outputs: ['encoded_lengths'],
      examples: [...EXAMPLES, { batch: 2, time: longestInput(encoder, maxFrames) }],
      fn: ({ audio_signal: signal, length }) => {
        const { encoded, lengths } = encoder.forward(tf.transpose(signal, [0, 2, 1]), length, evaluationPass);
        const output: Tensors = ctc
          ? { logprobs: ctc.forward(encoded, evaluationPass) }
          : { outputs: tf.transpose(encoded, [0, 2, 1]) };
        return { ...output, encoded_lengths: tf.clone(lengths) };
      },
    },
    samples: [
      [1, 16, [16]],
      [1, 97, [97]],
      [3, 146, [146, 61, 20]],
    ].map(([batch, time, lengths], i) => ({
      audio_signal: noise([batch as number, features, time as number], i),
      length: { dtype: 'int32', shape: [batch as number], data: Int32Array.from(lengths as number[]) },
    })),
  };
}

/** Inputs of a trial. */
export function noise(shape: readonly number[], key: number) {
  const random = new CounterRandom(key, 'export');
  const size = shape.reduce((product, dim) => product * dim, 1);
  const data = Float32Array.from({ length: size }, (_, i) => random.normal(i));
  return { dtype: 'float32', shape, data } as const;
}
