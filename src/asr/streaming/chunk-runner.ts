// Runs the chunks that are ready, of one stream or several at once. Each kind of chunk (the first ones have less
// before them) is a program, compiled once for each number of streams.
import { SampleQueue } from '../../audio/index.js';
import { type Engine, float32, int32, type Program, type Tensors } from '../../engine/index.js';
import { evaluationPass } from '../../nn/index.js';
import type { ChunkEncoder } from '../encoders/chunk.js';
import type { ChunkPlan } from '../encoders/chunk-plan.js';
import { FrameCache } from './frame-cache.js';
import type { Piece, StreamHead } from './stream-head.js';

/** Room for so many frames at first, where the left context is unlimited. */
const INITIAL_ROOM = 64;

/** What is kept of one stream between chunks. */
export class EncoderStream {
  /** Feature frames, row after row. */
  readonly features = new SampleQueue();
  /** No more features will come. */
  ended = false;
  /** Encoded frames that are final. */
  encoded = 0;
  readonly attention: FrameCache;
  readonly convolution: FrameCache;

  constructor(
    { layers, width, context, attentionCache, convolutionCache }: ChunkPlan,
    readonly search: unknown,
  ) {
    const initial = context.left < 0 ? INITIAL_ROOM : attentionCache;
    this.attention = new FrameCache({ layers, width, limit: attentionCache, initial });
    this.convolution = new FrameCache({ layers, width, limit: convolutionCache, initial: convolutionCache });
  }
}

/** One chunk of one stream, counted in feature frames from the stream's beginning and encoded frames. */
interface Cut {
  readonly stream: EncoderStream;
  readonly warmup: number;
  readonly from: number;
  readonly to: number;
  readonly features: number;
  /** Encoded frames that are there. */
  readonly valid: number;
  /** Of those, the ones that are final. */
  readonly final: number;
}

export class ChunkRunner {
  private readonly programs = new Map<number, Program>();

  constructor(
    private readonly engine: Engine,
    private readonly encoder: ChunkEncoder,
    readonly plan: ChunkPlan,
    private readonly head: StreamHead,
    /** Width of the features. */
    private readonly bins: number,
  ) {}

  /** A stream before its first frame. */
  start(): EncoderStream {
    return new EncoderStream(this.plan, this.head.start());
  }

  /** Encodes and searches all that the streams' features allow. */
  async advance(streams: readonly EncoderStream[]): Promise<void> {
    for (;;) {
      const cuts = streams.flatMap((stream) => this.cut(stream) ?? []);
      if (cuts.length === 0) return;
      for (const warmup of new Set(cuts.map((cut) => cut.warmup))) {
        await this.run(cuts.filter((cut) => cut.warmup === warmup));
      }
    }
  }

  /** The next chunk, if its features are there. */
  private cut(stream: EncoderStream): Cut | undefined {
    const { factor, chunkFrames, shiftFrames, cutting } = this.plan;
    const have = stream.features.end / this.bins;
    const { encoded, ended } = stream;
    const warmup = Math.min(cutting.warmup, encoded);
    const from = factor * (encoded - warmup);
    const last = encoded + chunkFrames;
    const to = cutting.kind === 'blocks' ? factor * last : factor * (last - 1) + 1;
    const features = Math.min(have, to) - from;
    const cut = { stream, warmup, from, to, features };
    if (!ended) return have < to ? undefined : { ...cut, valid: chunkFrames, final: shiftFrames };
    const left = have === 0 ? 0 : this.encoder.outputLength(have) - encoded;
    if (left <= 0) return undefined;
    return left > chunkFrames
      ? { ...cut, valid: chunkFrames, final: shiftFrames }
      : { ...cut, valid: left, final: left };
  }

  private async run(cuts: readonly Cut[]): Promise<void> {
    const { layers, width, convolutionCache: before } = this.plan;
    const { bins } = this;
    const batch = cuts.length;
    const frames = cuts[0].to - cuts[0].from;
    const room = cuts.reduce(
      (largestSoFar, { stream }) => Math.max(largestSoFar, stream.attention.capacity),
      0,
    );
    const features = new Float32Array(batch * frames * bins);
    const attention = new Float32Array(layers * batch * room * width);
    const convolution = new Float32Array(layers * batch * before * width);
    cuts.forEach(({ stream, from, features: count }, row) => {
      features.set(stream.features.read(from * bins, (from + count) * bins), row * frames * bins);
      stream.attention.copyTo(attention, row, batch, room);
      stream.convolution.copyTo(convolution, row, batch, before);
    });
    const counts = (of: (cut: Cut) => number) => int32(cuts.map(of), [batch]);
    const outputs = await this.program(cuts[0].warmup).run({
      features: float32(features, [batch, frames, bins]),
      featureLengths: counts((cut) => cut.features),
      frames: counts((cut) => cut.valid),
      attentionLengths: counts(({ stream }) => stream.attention.length),
      ...(room > 0 && { attention: float32(attention, [layers, batch, room, width]) }),
      ...(before > 0 && { convolution: float32(convolution, [layers, batch, before, width]) }),
    });
    const pieces: Piece<unknown>[] = [];
    cuts.forEach(({ stream, final }, row) => {
      for (const kind of ['attention', 'convolution'] as const) {
        stream[kind].append(outputs[kind].data as Float32Array, outputs[kind].shape, row, final);
      }
      stream.encoded += final;
      const { factor, cutting } = this.plan;
      stream.features.forget(factor * Math.max(0, stream.encoded - cutting.warmup) * bins);
      pieces.push({ search: stream.search, row, from: 0, to: final });
    });
    await this.head.advance(outputs, pieces);
  }

  private program(warmup: number): Program {
    let program = this.programs.get(warmup);
    if (!program) {
      const name = `stream-${warmup}`;
      program = this.engine.compile(name, (inputs) => this.forward(inputs, warmup));
      this.programs.set(warmup, program);
    }
    return program;
  }

  private forward(inputs: Tensors, warmup: number): Tensors {
    const { features, featureLengths, frames, attention, attentionLengths, convolution } = inputs;
    const { encoded, ...seen } = this.encoder.forwardChunk(
      {
        features,
        featureLengths,
        warmup,
        frames,
        attention,
        attentionLengths,
        convolution,
        context: this.plan.context,
      },
      evaluationPass,
    );
    return { ...this.head.outputs(encoded), attention: seen.attention, convolution: seen.convolution };
  }
}
