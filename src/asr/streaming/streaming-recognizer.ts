// Recognition of streams.
import type { FrontEnd } from '../../audio/index.js';
import { faultOf } from '../../data/index.js';
import type { Engine } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import { isChunkEncoder } from '../encoders/chunk.js';
import { type ChunkOptions, type StreamingSizes, streamingSizes } from '../encoders/chunk-plan.js';
import type { Encoder } from '../encoders/encoder.js';
import { FeatureStream } from '../encoders/feature-stream.js';
import type { Transcript, TranscriptMaker } from '../transcription/transcript.js';
import { ChunkRunner, type EncoderStream } from './chunk-runner.js';
import type { StreamHead } from './stream-head.js';

/** The parts of a model that a stream needs. */
export interface StreamingParts {
  readonly encoder: Encoder;
  readonly frontEnd: FrontEnd;
  readonly head: StreamHead;
  readonly maker: TranscriptMaker;
}

/**
 * Recognition while audio arrives (NeMo's cache-aware streaming): streams that take samples and give text, each
 * chunk computed once. The text is that of the whole recording at once.
 */
export class StreamingRecognizer {
  private readonly runner: ChunkRunner;

  /** Made by `model.stream()`. @throws AnemoneError `streaming.*` for a model that needs whole utterances */
  constructor(
    engine: Engine,
    private readonly parts: StreamingParts,
    options: ChunkOptions = {},
  ) {
    const { encoder, head, frontEnd } = parts;
    if (!isChunkEncoder(encoder)) {
      throw new AnemoneError({
        code: 'streaming.encoder',
        path: 'model.encoder',
        message: `${encoder.constructor.name} needs the whole utterance`,
        hint: 'cache-aware streaming is for ConformerEncoder; others can be buffered (chunkSeconds)',
      });
    }
    this.runner = new ChunkRunner(engine, encoder, encoder.chunkPlan(options), head, frontEnd.config.width);
    new FeatureStream(frontEnd);
  }

  /** NeMo's names for how streams are cut. */
  get sizes(): StreamingSizes {
    return streamingSizes(this.runner.plan);
  }

  /** Seconds of audio between two updates of a stream's text. */
  get chunkSeconds(): number {
    const { hop, sample_rate: rate } = this.parts.frontEnd.config;
    const { shiftFrames, factor } = this.runner.plan;
    return (shiftFrames * factor * hop) / rate;
  }

  /** A new stream, at its beginning. Streams of one recognizer may be open side by side. */
  open(): SpeechStream {
    return new SpeechStream(this, new FeatureStream(this.parts.frontEnd), this.runner.start());
  }

  /**
   * Samples for several streams, whose chunks are computed together. Returns what is known of each.
   * @param samples mono at the model's sample rate, in [-1, 1], any number
   * @throws AnemoneError `asr.bad-audio` for samples that are no numbers
   * @param last no more will come
   */
  async push(
    streams: readonly SpeechStream[],
    samples: readonly Float32Array[],
    last = false,
  ): Promise<Transcript[]> {
    streams.forEach((stream, i) => {
      stream.take(samples[i] ?? new Float32Array(0), last);
    });
    await this.runner.advance(streams.map(({ state }) => state));
    return streams.map((stream) => stream.transcript);
  }

  /** What a stream's search has found so far. */
  transcriptOf(state: EncoderStream): Transcript {
    return this.parts.maker.transcript(this.parts.head.hypothesis(state.search));
  }
}

/** What is wrong with samples that came in. */
function waveformFault(samples: unknown): string | undefined {
  if (!(samples instanceof Float32Array)) return 'expected samples as a Float32Array';
  return faultOf(samples);
}

/** One recording as it comes in. Calls of one stream must wait for each other. */
export class SpeechStream {
  /** Made by `StreamingRecognizer.open`. */
  constructor(
    private readonly recognizer: StreamingRecognizer,
    private readonly features: FeatureStream,
    /** @internal */
    readonly state: EncoderStream,
  ) {}

  /**
   * Takes more samples and computes the chunks that they complete.
   * @param samples mono at the model's sample rate, in [-1, 1], any number
   * @returns what is known by now of the whole stream; greedy search never takes a token back
   */
  async push(samples: Float32Array): Promise<Transcript> {
    return (await this.recognizer.push([this], [samples]))[0];
  }

  /** The recording ends here. @returns its transcript */
  async finish(): Promise<Transcript> {
    return (await this.recognizer.push([this], [], true))[0];
  }

  /** What has been recognised so far. */
  get transcript(): Transcript {
    return this.recognizer.transcriptOf(this.state);
  }

  /**
   * Samples that wait to be computed with those of other streams.
   * @internal
   * @throws AnemoneError `streaming.finished`, `asr.bad-audio`
   */
  take(samples: Float32Array, last: boolean): void {
    if (this.state.ended) {
      throw new AnemoneError({
        code: 'streaming.finished',
        message: 'this stream was finished; open another',
      });
    }
    const fault = samples.length === 0 ? undefined : waveformFault(samples);
    if (fault !== undefined) throw new AnemoneError({ code: 'asr.bad-audio', message: fault });
    this.state.features.push(this.features.push(samples));
    if (!last) return;
    this.state.features.push(this.features.finish());
    this.state.ended = true;
  }
}
