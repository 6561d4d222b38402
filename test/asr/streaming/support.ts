// Runs an encoder over a stream in pieces, collecting what it gives.
import type { ChunkOptions } from '../../../src/asr/encoders/chunk-plan.js';
import type { ConformerEncoder } from '../../../src/asr/index.js';
import { ChunkRunner } from '../../../src/asr/streaming/chunk-runner.js';
import type { Piece, StreamHead } from '../../../src/asr/streaming/stream-head.js';
import { type Engine, float32, type HostTensors, int32, type Tensor, tf } from '../../../src/engine/index.js';
import { evaluationPass } from '../../../src/nn/index.js';

interface Collected {
  readonly rows: number[][];
}

/** Keeps encoded frames. */
class Collector implements StreamHead<Collected> {
  outputs(encoded: Tensor): Record<string, Tensor> {
    return { encoded: tf.clone(encoded) };
  }

  start(): Collected {
    return { rows: [] };
  }

  async advance({ encoded }: HostTensors, pieces: readonly Piece<Collected>[]): Promise<void> {
    const [, frames, width] = encoded.shape;
    for (const { search, row, from, to } of pieces) {
      for (let t = from; t < to; t++) {
        const at = (row * frames + t) * width;
        search.rows.push([...encoded.data.subarray(at, at + width)]);
      }
    }
  }

  hypothesis() {
    return { tokens: [], frames: [], score: 0 };
  }
}

export function features(frames: number, bins: number, seed = 0): Float32Array {
  return Float32Array.from(
    { length: frames * bins },
    (_, i) => Math.sin(0.37 * i + 0.2 + seed) + Math.sin(0.011 * i),
  );
}

/** The whole at once: encoded frames, one after the other. */
export async function offline(
  engine: Engine,
  encoder: ConformerEncoder,
  x: Float32Array,
  bins: number,
): Promise<Float32Array> {
  const program = engine.compile('offline', ({ x, lengths }) => ({
    encoded: tf.clone(encoder.forward(x, lengths, evaluationPass).encoded),
  }));
  const frames = x.length / bins;
  const { encoded } = await program.run({ x: float32(x, [1, frames, bins]), lengths: int32([frames], [1]) });
  program.dispose();
  return encoded.data as Float32Array;
}

export interface StreamRun {
  readonly encoded: Float32Array[];
  /** Encoded frames known after each push. */
  readonly progress: number[][];
}

/** Pushes pieces of `sizes` feature frames (again and again) of all inputs in turn. */
export async function streamed(
  engine: Engine,
  encoder: ConformerEncoder,
  inputs: readonly Float32Array[],
  bins: number,
  sizes: readonly number[],
  options: ChunkOptions = {},
): Promise<StreamRun> {
  const runner = new ChunkRunner(engine, encoder, encoder.chunkPlan(options), new Collector(), bins);
  const streams = inputs.map(() => runner.start());
  const progress: number[][] = [];
  const longest = Math.max(...inputs.map(({ length }) => length / bins));
  for (let at = 0, n = 0; at < longest; n++) {
    const size = sizes[n % sizes.length];
    streams.forEach((stream, i) => {
      stream.features.push(inputs[i].subarray(at * bins, (at + size) * bins));
      if ((at + size) * bins >= inputs[i].length) stream.ended = true;
    });
    await runner.advance(streams);
    progress.push(streams.map(({ encoded }) => encoded));
    at += size;
  }
  return {
    encoded: streams.map(({ search }) => Float32Array.from((search as Collected).rows.flat())),
    progress,
  };
}
