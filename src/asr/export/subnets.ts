// The parts of speech models that other programs run, with the names and layouts of NeMo's exported files. What
// transducers have behind the encoder is in decoder-joint.ts, attention decoders in attention-decoder.ts.
import { type ExportSpec, type HostTensors, type Tensors, tf } from '../../engine/index.js';
import { evaluationPass } from '../../nn/index.js';
import { CounterRandom } from '../../random/index.js';
import type { ConvASRDecoder } from '../decoders/conv-asr-decoder.js';
import type { Encoded, Encoder } from '../encoders/encoder.js';

/** One file of an exported model. */
export interface Subnet {
  /** Put before the file's name: `encoder-`, `decoder_joint-`, `decoder-`, `joiner-` or nothing. */
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
  past: 18 + 5 * ((7 * i + 2) % 16),
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
  /** Default: `outputs` [B,D,T'], as transducers have it. */
  readonly output?: EncoderOutput | undefined;
}

/** What a file with an encoder gives. */
export interface EncoderOutput {
  readonly prefix: string;
  readonly name: string;
  /** Inputs besides those of every encoder. */
  readonly inputs?: ExportSpec['inputs'];
  /** Values of these for a trial of `batch` utterances. */
  readonly trial?: (batch: number) => HostTensors;
  /** Besides `encoded_lengths`. */
  readonly of: (encoded: Encoded, inputs: Tensors) => Tensors;
  /** Of these, int32 that become int64 in the file. */
  readonly int64?: readonly string[];
}

/** For a file that goes on to log-probabilities: `logprobs` [B,T',V+1]. */
export function ctcOutput(decoder: ConvASRDecoder): EncoderOutput {
  return {
    prefix: '',
    name: 'encoder-ctc',
    of: ({ encoded }) => ({ logprobs: decoder.forward(encoded, evaluationPass) }),
  };
}

/** Encoded frames as they are, `outputs` [B,D,T']. */
export const frames: EncoderOutput = {
  prefix: 'encoder-',
  name: 'encoder',
  of: ({ encoded }) => ({ outputs: tf.transpose(encoded, [0, 2, 1]) }),
};

/** `audio_signal` [B,F,T] features and `length` int64 [B] → what `output` says, and `encoded_lengths` int64 [B]. */
export function encoderSubnet({
  encoder,
  features,
  maxFrames,
  output = frames,
}: EncoderSubnetOptions): Subnet {
  return {
    prefix: output.prefix,
    spec: {
      name: output.name,
      inputs: {
        audio_signal: { dtype: 'float32', axes: ['batch', features, 'time'] },
        length: { dtype: 'int32', axes: ['batch'], int64: true },
        ...output.inputs,
      },
      int64Outputs: ['encoded_lengths', ...(output.int64 ?? [])],
      examples: [...EXAMPLES, { batch: 2, time: longestInput(encoder, maxFrames) }],
      fn: ({ audio_signal: signal, length, ...more }) => {
        const encoded = encoder.forward(tf.transpose(signal, [0, 2, 1]), length, evaluationPass);
        return { ...output.of(encoded, more), encoded_lengths: tf.clone(encoded.lengths) };
      },
    },
    samples: [
      [1, 16, [16]],
      [1, 97, [97]],
      [3, 146, [146, 61, 20]],
    ].map(([batch, time, lengths], i) => ({
      audio_signal: noise([batch as number, features, time as number], i),
      length: { dtype: 'int32', shape: [batch as number], data: Int32Array.from(lengths as number[]) },
      ...output.trial?.(batch as number),
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
