// Runs a language network over a cache of keys and values: whole prompts first, then a token at a time. The two programs read
// the same weights; the cache has room for the whole text from the start, so that nothing is compiled again as it grows.
import {
  type Engine,
  float32,
  type HostTensors,
  int32,
  type Program,
  type Tensors,
} from '../../engine/index.js';
import { evaluationPass } from '../../nn/index.js';
import { cachedHeadSize } from '../../transformer/index.js';
import type { LanguageNetwork } from '../network.js';

/** Rooms are a multiple of this, and prompts are padded to one, so that texts of other lengths share programs. */
const ROOM_STEP = 64;
const PROMPT_STEP = 16;

export class CacheRunner {
  private readonly prefill: Program;
  private readonly step: Program;

  constructor(
    engine: Engine,
    readonly network: LanguageNetwork,
  ) {
    const extend = ({ tokens, positions, last, lastPlaces, total, ...memory }: Tensors): Tensors =>
      network.extend(tokens, positions, last, { memory, lastPlaces, total }, evaluationPass);
    this.prefill = engine.compile('prompt', extend);
    this.step = engine.compile('next-token', extend, { constantStates: true });
  }

  /**
   * Reads prompts. @param room positions of the longest text, the prompt included
   * @returns what goes on from them, and logits of the token after each
   */
  async start(
    prompts: readonly (readonly number[])[],
    room: number,
  ): Promise<{ sequences: CachedSequences; logits: Float32Array }> {
    const longest = Math.max(...prompts.map(({ length }) => length));
    const { positions: most } = this.network.options;
    const steps = Math.min(Math.ceil(longest / PROMPT_STEP) * PROMPT_STEP, most);
    const rows = Math.max(Math.ceil(room / ROOM_STEP) * ROOM_STEP, steps);
    const batch = prompts.length;
    const tokens = new Int32Array(batch * steps);
    for (const [row, prompt] of prompts.entries()) tokens.set(prompt, row * steps);
    const lengths = prompts.map(({ length }) => length);
    const out = await this.prefill.run({
      tokens: int32(tokens, [batch, steps]),
      positions: int32(
        Int32Array.from(tokens, (_, i) => i % steps),
        [batch, steps],
      ),
      last: int32(
        lengths.map((length) => length - 1),
        [batch],
      ),
      // The padding after a shorter prompt is written over by what comes next.
      lastPlaces: int32(new Int32Array(batch).fill(steps - 1), [batch]),
      total: int32([steps], [1]),
      ...this.emptyMemory(batch, rows),
    });
    const { logits, ...memory } = out;
    return {
      sequences: new CachedSequences(this.step, memory, lengths),
      logits: logits.data as Float32Array,
    };
  }

  private emptyMemory(batch: number, room: number): HostTensors {
    const { layers, groups } = this.network.options;
    const shape = [batch, groups, room, cachedHeadSize(this.network.options)];
    const memory: HostTensors = {};
    for (let layer = 0; layer < layers; layer++)
      for (const kind of ['keys', 'values'])
        memory[`${kind}.${layer}`] = float32(new Float32Array(shape.reduce((a, b) => a * b)), shape);
    return memory;
  }
}

/** Texts under way, each of its own length. */
export class CachedSequences {
  constructor(
    private readonly program: Program,
    private memory: HostTensors,
    private lengths: readonly number[],
  ) {}

  /** Appends a token to each text; logits [B,V] of the one after it. */
  async advance(tokens: ArrayLike<number>): Promise<Float32Array> {
    const batch = this.lengths.length;
    const { logits, ...memory } = await this.program.run({
      tokens: int32(Int32Array.from(tokens), [batch, 1]),
      positions: int32(this.lengths, [batch, 1]),
      last: int32(new Int32Array(batch), [batch]),
      lastPlaces: int32(this.lengths, [batch]),
      total: int32([Math.max(...this.lengths) + 1], [1]),
      ...this.memory,
    });
    this.memory = memory;
    this.lengths = this.lengths.map((length) => length + 1);
    return logits.data as Float32Array;
  }
}
