// Recordings of any length with models that need whole utterances (NeMo's buffered inference): overlapping buffers are
// encoded one by one, the middle of each is kept, and the search goes on from middle to middle. Memory does not grow
// with the recording.
import { type FrontEnd, SampleQueue } from '../../audio/index.js';
import { type Engine, float32, type HostTensors, int32, type Program, tf } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import type { Hypothesis } from '../../generation/index.js';
import { evaluationPass } from '../../nn/index.js';
import { type BufferMerge, MERGES } from '../transcription/options.js';
import type { Transcript } from '../transcription/transcript.js';
import { BufferMerger } from './buffer-merge.js';
import type { StreamHead } from './stream-head.js';
import type { StreamingParts } from './streaming-recognizer.js';

export interface BufferOptions {
  /** Seconds of each buffer that count. */
  readonly chunkSeconds: number;
  /** Seconds encoded for them, the chunk in the middle. Default 1.4 times the chunk. */
  readonly bufferSeconds?: number | undefined;
  /** Buffers encoded at once. Default 4. */
  readonly batchSize?: number | undefined;
  /**
   * How buffers become one text. `state` (default): one search goes on from middle to middle. `middle`: each buffer is
   * decoded by itself, and tokens of its middle count. `lcs`: each by itself, and all tokens count but those at its
   * beginning that are the longest common substring with what is known.
   */
  readonly merge?: BufferMerge | undefined;
}

/** Lengths of single buffers are rounded up to so many feature frames: each length is compiled. */
const FRAME_STEP = 64;

/** One buffer, counted in encoded frames from the beginning of the recording. */
interface Buffered {
  readonly start: number;
  /** The frames that count; the end is that of the buffer where undefined. */
  readonly from: number;
  readonly to: number | undefined;
  readonly features: Float32Array;
}

/** What is known of a recording, buffer by buffer. */
interface GrowingText {
  /** The next buffers, and what the program made of them. */
  take(buffers: readonly Buffered[], outputs: HostTensors): Promise<void>;
  hypothesis(): Hypothesis;
}

export class BufferedRecognizer {
  private readonly program: Program;
  private readonly frontEnd: FrontEnd;
  private readonly head: StreamHead;
  /** Encoded frames. */
  private readonly chunk: number;
  /** Encoded frames on each side of the chunk. */
  private readonly side: number;
  /** Samples an encoded frame. */
  private readonly stride: number;
  private readonly batch: number;
  private readonly merge: BufferMerge;

  /** @throws AnemoneError `streaming.buffer`, `streaming.merge` */
  constructor(
    engine: Engine,
    private readonly parts: StreamingParts,
    options: BufferOptions,
  ) {
    const { encoder, frontEnd, head } = parts;
    const { chunkSeconds, bufferSeconds = 1.4 * chunkSeconds, batchSize = 4 } = options;
    const { hop, sample_rate: rate } = frontEnd.config;
    this.frontEnd = frontEnd;
    this.head = head;
    this.batch = batchSize;
    this.merge = options.merge ?? 'state';
    if (!MERGES.includes(this.merge)) {
      const message = `there is no "${String(this.merge)}"`;
      throw new AnemoneError({
        code: 'streaming.merge',
        path: 'merge',
        message,
        hint: `use ${MERGES.join(', ')}`,
      });
    }
    this.stride = hop * encoder.subsamplingFactor;
    this.chunk = Math.round((chunkSeconds * rate) / this.stride);
    this.side = Math.round(((bufferSeconds - chunkSeconds) * rate) / this.stride / 2);
    if (!(this.chunk >= 1) || !(this.side >= 0)) {
      throw new AnemoneError({
        code: 'streaming.buffer',
        path: this.chunk >= 1 ? 'bufferSeconds' : 'chunkSeconds',
        message: `buffers of ${bufferSeconds} s for chunks of ${chunkSeconds} s`,
        hint: `a chunk is at least one encoded frame (${this.stride / rate} s), a buffer no shorter than its chunk`,
      });
    }
    this.program = engine.compile('buffered', ({ features, featureLengths, batchFrames }) => {
      const pass = { ...evaluationPass, batchFrames };
      const { encoded, lengths } = encoder.forward(features, featureLengths, pass);
      return { ...head.outputs(encoded), lengths: tf.clone(lengths) };
    });
  }

  /** Hz. */
  get sampleRate(): number {
    return this.frontEnd.config.sample_rate;
  }

  /** Encoded frames of a buffer. */
  private get buffer(): number {
    return this.chunk + 2 * this.side;
  }

  /**
   * @param blocks mono samples at the model's rate, in order, in pieces of any size
   * @param onProgress gets the seconds done and what is known then
   */
  async transcribe(
    blocks: AsyncIterable<Float32Array> | Iterable<Float32Array>,
    onProgress?: (seconds: number, knownTranscript: () => Transcript) => void,
  ): Promise<Transcript> {
    const text = this.merge === 'state' ? this.carriedOn() : this.merged(this.merge);
    const knownTranscript = () => this.parts.maker.transcript(text.hypothesis());
    let waitingBuffers: Buffered[] = [];
    let isFirst = true;
    const run = async (): Promise<void> => {
      // The last few are filled up, so that they need no program of their own.
      const outputs = await this.encode(waitingBuffers, isFirst ? waitingBuffers.length : this.batch);
      await text.take(waitingBuffers, outputs);
      const { from, to } = waitingBuffers[waitingBuffers.length - 1];
      onProgress?.(((to ?? from) * this.stride) / this.frontEnd.config.sample_rate, knownTranscript);
      waitingBuffers = [];
      isFirst = false;
    };
    for await (const buffered of this.buffers(blocks)) {
      waitingBuffers.push(buffered);
      if (waitingBuffers.length === this.batch) await run();
    }
    if (waitingBuffers.length > 0) await run();
    return knownTranscript();
  }

  /** All buffers of a recording; features are normalised in each of them. */
  private async *buffers(
    blocks: AsyncIterable<Float32Array> | Iterable<Float32Array>,
  ): AsyncGenerator<Buffered, void, undefined> {
    const { chunk, stride, buffer } = this;
    const samples = new SampleQueue();
    let from = 0;
    const cut = (start: number, end: number, to?: number): Buffered => {
      const { features } = this.frontEnd.compute(samples.read(start * stride, end));
      return { start, from, to, features };
    };
    // The first ones lie within the same buffer, the chunk not yet in the middle of it.
    const startOf = (): number => Math.max(0, from - this.side);
    for await (const block of blocks) {
      samples.push(block);
      // More than a buffer has to be there, so that the last one is not empty.
      while (samples.end > (startOf() + buffer) * stride) {
        yield cut(startOf(), (startOf() + buffer) * stride, from + chunk);
        from += chunk;
        samples.forget((startOf() - chunk) * stride);
      }
    }
    const end = samples.end;
    if (end === 0) return;
    // As long as the others, but for recordings that are shorter, ending where the recording ends.
    const last = Math.max(0, Math.min(startOf(), Math.ceil(end / stride) - buffer));
    yield cut(last, end);
  }

  /** Rows beyond the buffers are empty. */
  private async encode(buffers: readonly Buffered[], rows: number): Promise<HostTensors> {
    const { width: bins, pad_value: fill } = this.frontEnd.config;
    const longest = buffers.reduce(
      (longestSoFar, { features }) => Math.max(longestSoFar, features.length / bins),
      0,
    );
    const frames = Math.ceil(Math.max(1, longest) / FRAME_STEP) * FRAME_STEP;
    const features = new Float32Array(rows * frames * bins).fill(fill);
    buffers.forEach((buffer, row) => {
      features.set(buffer.features, row * frames * bins);
    });
    const lengths = Array.from({ length: rows }, (_, row) => (buffers[row]?.features.length ?? 0) / bins);
    return this.program.run({
      features: float32(features, [rows, frames, bins]),
      featureLengths: int32(lengths, [rows]),
      batchFrames: int32([longest], [1]),
    });
  }

  /** One search for the whole recording, which goes on from the end of one middle to the beginning of the next. */
  private carriedOn(): GrowingText {
    const search = this.head.start();
    return {
      take: async (buffers, outputs) => {
        for (const [row, { start, from, to }] of buffers.entries()) {
          const validFrames = outputs['lengths'].data[row];
          const piece = { search, row, from: from - start, to: to === undefined ? validFrames : to - start };
          // One after the other: each goes on where the one before it stopped.
          if (piece.to > piece.from) await this.head.advance(outputs, [piece]);
        }
      },
      hypothesis: () => this.head.hypothesis(search),
    };
  }

  /** A search for each buffer, and what they found put together. */
  private merged(how: Exclude<BufferMerge, 'state'>): GrowingText {
    const merger = new BufferMerger(how, 2 * this.side);
    return {
      take: async (buffers, outputs) => {
        const pieces = buffers.map((_, row) => {
          return { search: this.head.start(), row, from: 0, to: outputs['lengths'].data[row] };
        });
        await this.head.advance(outputs, pieces);
        buffers.forEach(({ start, from, to = Number.POSITIVE_INFINITY }, row) => {
          const hypothesis = this.head.hypothesis(pieces[row].search);
          merger.add({ hypothesis, start, from: from - start, to: to - start });
        });
      },
      hypothesis: () => merger.hypothesis(),
    };
  }
}
