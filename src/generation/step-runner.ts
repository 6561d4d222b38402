// Runs an attention decoder token by token over a batch of hypotheses. Keys and values of the tokens so far stay in
// memory of the host, whose length doubles when it is full: so a program is compiled for few lengths, and nothing
// is computed twice. Which token comes next is up to the search.
import { type Engine, float32, type HostTensors, int32, type Program, tf } from '../engine/index.js';
import { AnemoneError } from '../errors/index.js';
import { evaluationPass } from '../nn/index.js';
import type { TokenHead, TransformerDecoder } from '../transformer/index.js';

/** An attention decoder with what makes log-probabilities of its hidden states. */
export interface AttentionNetwork {
  readonly decoder: TransformerDecoder;
  readonly head: TokenHead;
}

/** Encoder output of a batch. */
export interface HostStates {
  /** [B,T',d] */
  readonly data: Float32Array;
  readonly shape: readonly number[];
  /** [B] */
  readonly lengths: ArrayLike<number>;
}

/** Tokens that the memory has room for at first. */
const FIRST_ROOM = 32;

/** Encoder frames are padded to a multiple of this, so that batches of other lengths share programs. */
const FRAME_STEP = 32;

export class StepRunner {
  private readonly prepare: Program;
  private readonly step: Program;

  constructor(
    engine: Engine,
    readonly network: AttentionNetwork,
  ) {
    const { decoder, head } = network;
    this.prepare = engine.compile('attention-memory', ({ states }) => decoder.crossMemory(states));
    this.step = engine.compile('attention-step', ({ tokens, positions, lengths, ...memory }) => {
      const { hidden, ...added } = decoder.step({ tokens, positions, lengths, memory }, evaluationPass);
      const [count] = tokens.shape;
      const logProbs = head.forward(hidden, evaluationPass);
      return { ...added, logProbs: tf.reshape(logProbs, [count, logProbs.size / count]) };
    });
  }

  /** A memory without tokens for `rows` hypotheses of each utterance. */
  async start(states: HostStates, rows: number): Promise<StepMemory> {
    const [batch, frames, width] = states.shape;
    const wantedFrames = Math.max(FRAME_STEP, Math.ceil(frames / FRAME_STEP) * FRAME_STEP);
    const data = new Float32Array(batch * wantedFrames * width);
    for (let b = 0; b < batch; b++) {
      data.set(states.data.subarray(b * frames * width, (b + 1) * frames * width), b * wantedFrames * width);
    }
    const cross = await this.prepare.run({ states: float32(data, [batch, wantedFrames, width]) });
    return new StepMemory(this.network.decoder, this.step, cross, Int32Array.from(states.lengths), rows);
  }
}

function tooLong(maxLength: number): AnemoneError {
  return new AnemoneError({
    code: 'asr.too-many-tokens',
    message: `a prompt is longer than the ${maxLength} tokens that the decoder has positions for`,
    hint: 'shorten decodercontext',
  });
}

/** Keys and values of the tokens so far, of every hypothesis. */
export class StepMemory {
  /** Hypotheses. */
  readonly count: number;
  private room = FIRST_ROOM;
  private caches: Map<string, Float32Array>;

  constructor(
    private readonly decoder: TransformerDecoder,
    private readonly program: Program,
    private readonly cross: HostTensors,
    private readonly lengths: Int32Array,
    rows: number,
  ) {
    this.count = lengths.length * rows;
    this.caches = this.allocate();
  }

  /** Appends `tokens[n]` at `positions[n]` of each hypothesis; log-probabilities [N,V] of what comes after it. */
  async advance(tokens: Int32Array, positions: Int32Array): Promise<Float32Array> {
    const { max_sequence_length: maxLength } = this.decoder.config;
    if (positions.some((position) => position >= maxLength)) throw tooLong(maxLength);
    while (positions.some((position) => position >= this.room)) this.grow();
    const inputs: HostTensors = {
      ...this.cross,
      tokens: int32(tokens, [this.count]),
      positions: int32(positions, [this.count]),
      lengths: int32(this.lengths, [this.lengths.length]),
    };
    for (const [name, data] of this.caches) inputs[name] = float32(data, this.shape);
    const { logProbs, ...added } = await this.program.run(inputs);
    for (const [name, { data }] of Object.entries(added)) this.insert(name, data as Float32Array, positions);
    return logProbs.data as Float32Array;
  }

  /** Hypothesis n goes on from what was hypothesis `parents[n]`. */
  reorder(parents: ArrayLike<number>): void {
    if (Array.from({ length: this.count }, (_, n) => parents[n] === n).every(Boolean)) return;
    const size = this.heads * this.room * this.headWidth;
    for (const [name, old] of this.caches) {
      const data = new Float32Array(old.length);
      for (let n = 0; n < this.count; n++) {
        data.set(old.subarray(parents[n] * size, (parents[n] + 1) * size), n * size);
      }
      this.caches.set(name, data);
    }
  }

  private get heads(): number {
    return this.decoder.heads;
  }

  private get headWidth(): number {
    return this.decoder.width / this.heads;
  }

  private get shape(): number[] {
    return [this.count, this.heads, this.room, this.headWidth];
  }

  private allocate(): Map<string, Float32Array> {
    const size = this.shape.reduce((a, b) => a * b);
    const caches = new Map<string, Float32Array>();
    for (let layer = 0; layer < this.decoder.layers; layer++) {
      caches.set(`keys.${layer}`, new Float32Array(size));
      caches.set(`values.${layer}`, new Float32Array(size));
    }
    return caches;
  }

  private grow(): void {
    const [before, old] = [this.room * this.headWidth, this.caches];
    this.room *= 2;
    this.caches = this.allocate();
    const after = this.room * this.headWidth;
    for (const [name, data] of this.caches) {
      const from = old.get(name) as Float32Array;
      for (let row = 0; row < this.count * this.heads; row++) {
        data.set(from.subarray(row * before, (row + 1) * before), row * after);
      }
    }
  }

  /** added [N,h,1,dk] */
  private insert(name: string, addedValues: Float32Array, positions: Int32Array): void {
    const data = this.caches.get(name) as Float32Array;
    const { heads, headWidth, room } = this;
    for (let n = 0; n < this.count; n++) {
      for (let h = 0; h < heads; h++) {
        const row = n * heads + h;
        const from = addedValues.subarray(row * headWidth, (row + 1) * headWidth);
        data.set(from, (row * room + positions[n]) * headWidth);
      }
    }
  }
}
