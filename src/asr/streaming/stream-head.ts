// The greedy searches that go on from chunk to chunk: CTC's best path and the transducer's. A head says what the
// encoder's program adds for it and keeps, for each stream, where its search is.
import { type Engine, type HostTensors, type Tensor, tf } from '../../engine/index.js';
import type { Hypothesis } from '../../generation/index.js';
import { evaluationPass } from '../../nn/index.js';
import type { ConvASRDecoder } from '../decoders/conv-asr-decoder.js';
import type { TokenFusion } from '../decoding/fusion/token-fusion.js';
import { greedyCtc } from '../decoding/greedy-ctc.js';
import { type FusedCtcCursor, fusedCtcPath, fusedCtcStart } from '../decoding/greedy-ctc-fused.js';
import {
  type GreedyCursor,
  type GreedyOptions,
  GreedyTransducer,
  type TransducerNetwork,
} from '../decoding/greedy-transducer.js';

/** Frames [from, to) of row `row` of a program's outputs go on where `search` stopped. */
export interface Piece<S> {
  readonly search: S;
  readonly row: number;
  readonly from: number;
  readonly to: number;
}

export interface StreamHead<S = unknown> {
  /** Inside a program: what the search needs of encoded [B,T,d], [B,T,…] each. */
  outputs(encoded: Tensor): Record<string, Tensor>;
  /** A search before the first frame. */
  start(): S;
  /** Goes through the pieces of a run's outputs. */
  advance(outputs: HostTensors, pieces: readonly Piece<S>[]): Promise<void>;
  /** What was found so far. */
  hypothesis(search: S): Hypothesis;
}

interface BestPath {
  /** Frames seen. */
  length: number;
  /** Class of the last of them. */
  previous: number;
  readonly tokens: number[];
  readonly frames: number[];
  score: number;
  readonly fused: FusedCtcCursor | undefined;
}

export class CtcStreamHead implements StreamHead<BestPath> {
  constructor(
    private readonly decoder: ConvASRDecoder,
    private readonly fusion?: TokenFusion,
  ) {}

  outputs(encoded: Tensor): Record<string, Tensor> {
    const logProbabilities = this.decoder.forward(encoded, evaluationPass);
    if (this.fusion) return { logProbabilities: tf.clone(logProbabilities) };
    return { best: tf.argMax(logProbabilities, 2), scores: tf.max(logProbabilities, 2) };
  }

  start(): BestPath {
    const { blank } = this.decoder;
    const fused = this.fusion && fusedCtcStart(this.fusion, blank);
    return { length: 0, previous: blank, tokens: [], frames: [], score: 0, fused };
  }

  async advance(outputs: HostTensors, pieces: readonly Piece<BestPath>[]): Promise<void> {
    const { blank } = this.decoder;
    for (const piece of pieces) {
      const { search, from, to } = piece;
      if (to <= from) continue;
      const { best, scores } = this.path(outputs, piece);
      // The last frame of what came before goes first, so that a token that lasts is not told twice.
      const [found] = greedyCtc({
        best: [search.previous, ...best],
        scores: [0, ...scores],
        frames: to - from + 1,
        lengths: [to - from + 1],
        blank,
      });
      const knownCount = search.previous === blank ? 0 : 1;
      search.tokens.push(...found.tokens.slice(knownCount));
      search.frames.push(...found.frames.slice(knownCount).map((frame) => search.length + frame - 1));
      search.score += found.score;
      search.previous = best[best.length - 1];
      search.length += to - from;
    }
  }

  /** The best class of each frame of a piece, and its score. */
  private path(outputs: HostTensors, { search, row, from, to }: Piece<BestPath>) {
    const { data, shape } = outputs[search.fused ? 'logProbabilities' : 'best'];
    const [, width, classes = 1] = shape;
    const range = [(row * width + from) * classes, (row * width + to) * classes] as const;
    const ownRows = data.subarray(...range);
    if (search.fused) return fusedCtcPath(search.fused, ownRows as Float32Array, this.decoder.blank);
    return { best: ownRows, scores: outputs['scores'].data.subarray(...range) };
  }

  hypothesis({ tokens, frames, score }: BestPath): Hypothesis {
    return { tokens: [...tokens], frames: [...frames], score };
  }
}

export class TransducerStreamHead implements StreamHead<GreedyCursor> {
  private readonly greedy: GreedyTransducer;

  constructor(
    engine: Engine,
    private readonly network: TransducerNetwork,
    options: GreedyOptions,
  ) {
    this.greedy = new GreedyTransducer(engine, network, options);
  }

  outputs(encoded: Tensor): Record<string, Tensor> {
    return { projected: this.network.joint.projectEncoder(encoded) };
  }

  start(): GreedyCursor {
    return this.greedy.start();
  }

  async advance({ projected }: HostTensors, pieces: readonly Piece<GreedyCursor>[]): Promise<void> {
    const [, frames, width] = projected.shape;
    const data = new Float32Array(pieces.length * frames * width);
    pieces.forEach(({ row, from, to }, i) => {
      const first = row * frames;
      const ownRows = projected.data.subarray((first + from) * width, (first + to) * width) as Float32Array;
      data.set(ownRows, i * frames * width);
    });
    const lengths = pieces.map(({ from, to }) => to - from);
    const input = { data, shape: [pieces.length, frames, width], lengths };
    await this.greedy.advance(input, pieces.map(({ search }) => search)); // biome-ignore format: one line reads better
  }

  hypothesis(search: GreedyCursor): Hypothesis {
    const { tokens, frames, ...rest } = this.greedy.hypothesis(search);
    return { ...rest, tokens: [...tokens], frames: [...frames] };
  }
}
