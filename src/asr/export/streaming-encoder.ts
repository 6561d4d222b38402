// An encoder for streams as a file (NeMo's `cache_support`): each run takes a window of features and what the layers saw
// before it, and gives the window's encoded frames and what the layers are to see next.
import { type Tensor, tf } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import { evaluationPass } from '../../nn/index.js';
import { type ChunkEncoder, isChunkEncoder } from '../encoders/chunk.js';
import { type ChunkOptions, type ChunkPlan, streamingSizes } from '../encoders/chunk-plan.js';
import type { Encoder } from '../encoders/encoder.js';
import { FeatureStream } from '../encoders/feature-stream.js';
import type { Preprocessor } from '../encoders/front-end.js';
import {
  type EncoderOutput,
  type EncoderSubnetOptions,
  EXAMPLES,
  frames,
  noise,
  type Subnet,
} from './subnets.js';

/** An encoder with the sizes of its windows and caches. */
export interface StreamingEncoder {
  readonly encoder: ChunkEncoder;
  readonly plan: ChunkPlan;
}

/** @throws AnemoneError `streaming.*` for a model that needs whole utterances */
export function streamingEncoder(
  encoder: Encoder,
  { frontEnd }: Preprocessor,
  options: ChunkOptions,
): StreamingEncoder {
  if (!isChunkEncoder(encoder)) {
    throw new AnemoneError({
      code: 'streaming.encoder',
      path: 'model.encoder',
      message: `${encoder.constructor.name} needs the whole utterance`,
      hint: 'cache-aware streaming is for ConformerEncoder; leave out streaming',
    });
  }
  new FeatureStream(frontEnd);
  return { encoder, plan: encoder.chunkPlan(options) };
}

/**
 * `audio_signal` [B,F,T], `length` int64 [B] and the caches `cache_last_channel` [B,L,C,d], `cache_last_time` [B,L,d,K]
 * and `cache_last_channel_len` int64 [B] → what `output` says of the window's last chunk, `encoded_lengths` int64 [B]
 * and the next caches. Frames before the chunk are there for the subsampling; it is given fewer of them where the
 * stream begins. So T is one of the sums of `chunkSize` and `preEncodeCacheSize` of `streamingSizes`.
 */
export function streamingEncoderSubnet(
  { features, output = frames }: Omit<EncoderSubnetOptions, 'encoder' | 'maxFrames'>,
  { encoder, plan }: StreamingEncoder,
): Subnet {
  const { layers, width, chunkFrames, shiftFrames, attentionCache, convolutionCache, factor } = plan;
  return {
    prefix: output.prefix,
    spec: {
      name: output.name,
      inputs: {
        audio_signal: { dtype: 'float32', axes: ['batch', features, 'time'] },
        length: { dtype: 'int32', axes: ['batch'], int64: true },
        cache_last_channel: { dtype: 'float32', axes: ['batch', layers, attentionCache, width] },
        cache_last_time: { dtype: 'float32', axes: ['batch', layers, width, convolutionCache] },
        cache_last_channel_len: { dtype: 'int32', axes: ['batch'], int64: true },
        ...output.inputs,
      },
      int64Outputs: ['encoded_lengths', 'cache_last_channel_next_len', ...(output.int64 ?? [])],
      examples: EXAMPLES.map((sizes) => ({ ...sizes, time: sizes.time + factor * chunkFrames })),
      fn: ({
        audio_signal: signal,
        length,
        cache_last_channel,
        cache_last_time,
        cache_last_channel_len,
        ...more
      }) => {
        const attention = tf.transpose(cache_last_channel, [1, 0, 2, 3]);
        const convolution = tf.transpose(cache_last_time, [1, 0, 3, 2]);
        const chunk = encoder.forwardChunk(
          {
            features: tf.transpose(signal, [0, 2, 1]),
            featureLengths: length,
            frames: plan.cutting.kind === 'blocks' ? blocksOf(length, factor) : undefined,
            warmup: encoder.outputLength(signal.shape[2]!) - chunkFrames,
            attention: attentionCache > 0 ? attention : undefined,
            attentionLengths: cache_last_channel_len,
            convolution: convolutionCache > 0 ? convolution : undefined,
            context: plan.context,
          },
          evaluationPass,
        );
        const wholeSizes = {
          encoded: firstFrames(chunk.encoded, 1, shiftFrames),
          lengths: atMost(chunk.frames, shiftFrames),
        };
        const next = (cache: Tensor, newInputs: Tensor): Tensor =>
          lastFrames(tf.concat([cache, firstFrames(newInputs, 2, shiftFrames)], 2), cache.shape[2]!);
        return {
          ...output.of(wholeSizes, more),
          encoded_lengths: tf.clone(wholeSizes.lengths),
          cache_last_channel_next: tf.transpose(next(attention, chunk.attention), [1, 0, 2, 3]),
          cache_last_time_next: tf.transpose(next(convolution, chunk.convolution), [1, 0, 3, 2]),
          cache_last_channel_next_len: atMost(
            tf.add(cache_last_channel_len, tf.scalar(shiftFrames, 'int32')),
            attentionCache,
          ),
        };
      },
    },
    samples: trials(plan, features, output.trial),
  };
}

/** The first windows of two streams, a later one of one stream, and the end of three. */
function trials(plan: ChunkPlan, features: number, moreInputs: EncoderOutput['trial']): Subnet['samples'] {
  const { layers, width, attentionCache, convolutionCache } = plan;
  const [first, later] = windowSizes(plan);
  return [
    { time: first, lengths: [first, first], known: [0, 0] },
    { time: later, lengths: [later], known: [attentionCache] },
    { time: later, lengths: [later, later - 1, Math.ceil(later / 2)], known: [1, 0, attentionCache] },
  ].map(({ time, lengths, known }, i) => {
    const batch = lengths.length;
    const counts = (values: readonly number[]) =>
      ({ dtype: 'int32', shape: [batch], data: Int32Array.from(values) }) as const;
    return {
      audio_signal: noise([batch, features, time], i),
      length: counts(lengths),
      cache_last_channel: noise([batch, layers, attentionCache, width], 10 + i),
      cache_last_time: noise([batch, layers, width, convolutionCache], 20 + i),
      cache_last_channel_len: counts(known),
      ...moreInputs?.(batch),
    };
  });
}

/** Feature frames of the window at the beginning of a stream, and of those after it. */
export function windowSizes(plan: ChunkPlan): readonly [number, number] {
  const { chunkSize, preEncodeCacheSize } = streamingSizes(plan);
  const of = (size: number | readonly [number, number], i: number) =>
    typeof size === 'number' ? size : size[i];
  return [0, 1].map((i) => of(chunkSize, i) + of(preEncodeCacheSize, i)) as [number, number];
}

/** What a program must know of windows and caches: the entries that NeMo's files get for sherpa-onnx, and the first window. */
export function streamingMetadata(plan: ChunkPlan): Record<string, string> {
  const { layers, width, attentionCache, convolutionCache, shiftFrames, factor } = plan;
  const [first, later] = windowSizes(plan);
  const { left, right } = plan.context;
  const numbers = {
    window_size: later,
    first_window_size: first,
    chunk_shift: factor * shiftFrames,
    cache_last_channel_dim1: layers,
    cache_last_channel_dim2: attentionCache,
    cache_last_channel_dim3: width,
    cache_last_time_dim1: layers,
    cache_last_time_dim2: width,
    cache_last_time_dim3: convolutionCache,
  };
  return {
    ...Object.fromEntries(Object.entries(numbers).map(([key, value]) => [key, String(value)])),
    att_context_size: JSON.stringify([left, right]),
  };
}

/** Blocks of `size` frames, the last of which may be short of some. */
function blocksOf(frames: Tensor, size: number): Tensor {
  return tf.floorDiv(tf.add(frames, tf.scalar(size - 1, 'int32')), tf.scalar(size, 'int32'));
}

const atMost = (counts: Tensor, maximum: number): Tensor => tf.minimum(counts, tf.scalar(maximum, 'int32'));

/** The first `count` along `axis`. */
function firstFrames(x: Tensor, axis: number, count: number): Tensor {
  const size = x.shape.map((length, i) => (i === axis ? count : length));
  return tf.slice(x, size.map(() => 0), size); // biome-ignore format: one line reads better
}

/** The last `count` of x [L,B,T,d]. */
function lastFrames(x: Tensor, count: number): Tensor {
  const [layers, batch, frames, width] = x.shape as number[];
  return tf.slice(x, [0, 0, frames - count, 0], [layers, batch, count, width]);
}
