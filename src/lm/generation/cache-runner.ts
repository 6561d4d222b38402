// Runs a language network over a cache of keys and values: whole prompts first, then a token at a time. The two programs read
// the same weights; the cache has room for the whole text from the start, so that nothing is compiled again as it grows, and
// attention writes into it where it lies.
import {
  type Engine,
  float32,
  type HostTensor,
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
/** Tokens of all prompts that are read at once; longer ones are read one by one, so many tokens at a time. */
const MOST_AT_ONCE = 1024;
const PART = 512;

/** A network's programs of generation in an engine. */
export class CacheRunner {
  private readonly prefill: Program;
  private readonly step: Program;

  /** @param tracing what is around the tracing of programs: weights of few bits, which products need laid out beforehand */
  constructor(
    engine: Engine,
    readonly network: LanguageNetwork,
    tracing?: <R>(fn: () => R) => R,
  ) {
    const step = ({ tokens, positions, last, lastPlaces, total, ...memory }: Tensors): Tensors =>
      network.extend(tokens, positions, last, { memory, lastPlaces, total }, evaluationPass);
    const extend = (inputs: Tensors): Tensors => (tracing ? tracing(() => step(inputs)) : step(inputs));
    this.prefill = engine.compile('prompt', extend, { constantStates: tracing !== undefined });
    this.step = engine.compile('next-token', extend, { constantStates: true });
  }

  /**
   * Reads prompts. @param room positions of the longest text, the prompt included
   * @returns what goes on from them, and logits of the token after each, [B,V]
   */
  async start(
    prompts: readonly (readonly number[])[],
    room: number,
    signal?: AbortSignal,
  ): Promise<{ sequences: CachedSequences; logits: Float32Array }> {
    const longest = Math.max(...prompts.map(({ length }) => length));
    const rows = roundedUp(Math.max(room, roundedUp(longest, PROMPT_STEP)), ROOM_STEP);
    const memory = this.emptyMemory(prompts.length, rows);
    const logits =
      prompts.length > 1 && prompts.length * longest <= MOST_AT_ONCE
        ? await this.read(prompts, 0, memory, signal)
        : await this.readOneByOne(prompts, memory, signal);
    const lengths = prompts.map(({ length }) => length);
    return { sequences: new CachedSequences(this.step, memory, lengths), logits };
  }

  /** Frees compiled code. */
  dispose(): void {
    this.prefill.dispose();
    this.step.dispose();
  }

  private async readOneByOne(
    prompts: readonly (readonly number[])[],
    memory: HostTensors,
    signal?: AbortSignal,
  ): Promise<Float32Array> {
    const { vocabulary } = this.network.options;
    const all = new Float32Array(prompts.length * vocabulary);
    for (const [row, prompt] of prompts.entries()) {
      const own = mapped(memory, (tensor) => rowOf(tensor, row));
      for (let start = 0; start < prompt.length; start += PART) {
        const logits = await this.read([prompt.slice(start, start + PART)], start, own, signal);
        all.set(logits, row * vocabulary);
      }
    }
    return all;
  }

  /** Tokens after the first `start` of each text. What is padded is written over by what comes next. */
  private async read(
    parts: readonly (readonly number[])[],
    start: number,
    memory: HostTensors,
    signal?: AbortSignal,
  ): Promise<Float32Array> {
    const batch = parts.length;
    const { positions: most } = this.network.options;
    const steps = roundedUp(Math.max(...parts.map(({ length }) => length)), PROMPT_STEP);
    const tokens = new Int32Array(batch * steps);
    for (const [row, part] of parts.entries()) tokens.set(part, row * steps);
    const places = Int32Array.from(tokens, (_, i) => Math.min(start + (i % steps), most - 1));
    const last = parts.map(({ length }) => length - 1);
    const inputs = {
      tokens: int32(tokens, [batch, steps]),
      positions: int32(places, [batch, steps]),
      last: int32(last, [batch]),
      lastPlaces: int32(new Int32Array(batch).fill(start + steps - 1), [batch]),
      total: int32([start + steps], [1]),
      ...memory,
    };
    const { logits } = await this.prefill.run(inputs, { into: memory, ...(signal && { signal }) });
    return logits.data as Float32Array;
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

  /**
   * Appends a token to each text.
   * @param isDone texts that only keep the others company: their token is written, and written over the next time
   * @returns logits [B,V] of the token after each
   */
  async advance(
    tokens: readonly number[],
    isDone: (row: number) => boolean = () => false,
    signal?: AbortSignal,
  ): Promise<Float32Array> {
    const { memory } = this;
    const batch = this.lengths.length;
    const places = this.lengths.map((length) => Math.min(length, this.room - 1));
    const inputs = {
      tokens: int32(tokens, [batch, 1]),
      positions: int32(places, [batch, 1]),
      last: int32(new Int32Array(batch), [batch]),
      lastPlaces: int32(places, [batch]),
      total: int32([Math.max(...places) + 1], [1]),
      ...memory,
    };
    const { logits } = await this.program.run(inputs, { into: memory, ...(signal && { signal }) });
    this.lengths = this.lengths.map((length, row) => (isDone(row) ? length : length + 1));
    return logits.data as Float32Array;
  }

  /** Texts that go on from those before: row i from row `from[i]`. */
  reorder(from: readonly number[]): void {
    const isSame = from.length === this.lengths.length && from.every((row, i) => row === i);
    if (isSame) return;
    const filled = Math.max(...this.lengths);
    this.memory = mapped(this.memory, (tensor) => gathered(tensor, from, filled));
    this.lengths = from.map((row) => this.lengths[row]);
  }

  private get room(): number {
    return Object.values(this.memory)[0].shape[2];
  }
}

function roundedUp(count: number, step: number): number {
  return Math.ceil(count / step) * step;
}

function mapped(memory: HostTensors, fn: (tensor: HostTensor) => HostTensor): HostTensors {
  return Object.fromEntries(Object.entries(memory).map(([key, tensor]) => [key, fn(tensor)]));
}

/** A row of x [B,G,room,D] as [1,G,room,D] over the same memory. */
function rowOf({ shape, data }: HostTensor, row: number): HostTensor {
  const size = data.length / shape[0];
  return float32(data.subarray(row * size, (row + 1) * size) as Float32Array, [1, ...shape.slice(1)]);
}

/** Rows of x [B,G,room,D] in new memory, as far as they are filled. */
function gathered({ shape, data }: HostTensor, from: readonly number[], filled: number): HostTensor {
  const [, groups, room, size] = shape;
  const out = new Float32Array(from.length * groups * room * size);
  for (const [row, source] of from.entries()) {
    for (let group = 0; group < groups; group++) {
      const at = (source * groups + group) * room * size;
      const part = data.subarray(at, at + filled * size);
      out.set(part, (row * groups + group) * room * size);
    }
  }
  return float32(out, [from.length, groups, room, size]);
}
