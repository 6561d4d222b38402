// Runs a language network over a cache of keys and values: whole prompts first, then a token at a time. The two programs read
// the same weights; the cache has its room from the start, so that nothing is compiled again as texts grow, and attention writes
// into it where it lies.
import { type Engine, type HostTensor, int32, type Program, type Tensors } from '../../engine/index.js';
import { evaluationPass } from '../../nn/index.js';
import type { CacheFill, DecoderCache } from '../../transformer/index.js';
import type { LanguageNetwork } from '../network.js';
import { CacheMemory, roundedUp } from './cache-memory.js';

/** Prompts are padded to a multiple of this, so that others share a program. */
const PROMPT_STEP = 16;
/** Tokens of all prompts that are read at once; longer ones are read one by one, in parts. */
const MOST_AT_ONCE = 1024;

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
    const step = ({ tokens, positions, last, ...cache }: Tensors): Tensors =>
      network.extend(tokens, positions, last, cacheOf(cache), evaluationPass);
    const extend = (inputs: Tensors): Tensors => (tracing ? tracing(() => step(inputs)) : step(inputs));
    this.prefill = engine.compile('prompt', extend, { constantStates: tracing !== undefined });
    this.step = engine.compile('next-token', extend, {
      constantStates: true,
      sparesThreads: true,
    });
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
    const longest = roundedUp(Math.max(...prompts.map(({ length }) => length)), PROMPT_STEP);
    const memory = CacheMemory.empty(this.network.options, prompts.length, Math.max(room, longest));
    const isTogether =
      prompts.length > 1 && prompts.length * longest <= MOST_AT_ONCE && longest <= memory.mostAtOnce;
    const logits = isTogether
      ? await this.read(prompts, memory, signal)
      : await this.readOneByOne(prompts, memory, signal);
    return { sequences: new CachedSequences(this.step, this.network, memory), logits };
  }

  /** Frees compiled code. */
  dispose(): void {
    this.prefill.dispose();
    this.step.dispose();
  }

  private async readOneByOne(
    prompts: readonly (readonly number[])[],
    memory: CacheMemory,
    signal?: AbortSignal,
  ): Promise<Float32Array> {
    const { vocabulary } = this.network.options;
    const all = new Float32Array(prompts.length * vocabulary);
    const part = Math.floor(memory.mostAtOnce / PROMPT_STEP) * PROMPT_STEP;
    for (const [row, prompt] of prompts.entries()) {
      const ownMemory = memory.row(row);
      for (let start = 0; start < prompt.length; start += part) {
        const logits = await this.read([prompt.slice(start, start + part)], ownMemory, signal);
        all.set(logits, row * vocabulary);
      }
    }
    return all;
  }

  /** Tokens after those of each text that have been read. What is padded is written over by what comes next. */
  private async read(
    parts: readonly (readonly number[])[],
    memory: CacheMemory,
    signal?: AbortSignal,
  ): Promise<Float32Array> {
    const batch = parts.length;
    const { positions: most } = this.network.options;
    const steps = roundedUp(Math.max(...parts.map(({ length }) => length)), PROMPT_STEP);
    const { lengths } = memory;
    const tokens = new Int32Array(batch * steps);
    for (const [row, part] of parts.entries()) tokens.set(part, row * steps);
    const places = Int32Array.from(tokens, (_, i) => Math.min(lengths[Math.floor(i / steps)] + (i % steps), most - 1)); // biome-ignore format: one line
    const counts = parts.map(({ length }) => length);
    const inputs = {
      tokens: int32(tokens, [batch, steps]),
      positions: int32(places, [batch, steps]),
      last: int32(
        counts.map((count) => count - 1),
        [batch],
      ),
      ...memory.prepare(steps),
      ...memory.tensors,
    };
    const { logits } = await this.prefill.run(inputs, { into: memory.tensors, ...(signal && { signal }) });
    memory.grow(counts);
    return logits.data as Float32Array;
  }
}

/** Texts under way, each of its own length. */
export class CachedSequences {
  /** Written at each step: memory that is new each time would have to be collected. */
  private logits: HostTensor | undefined;

  constructor(
    private readonly program: Program,
    private readonly network: LanguageNetwork,
    private memory: CacheMemory,
  ) {}

  /**
   * Appends a token to each text.
   * @param isDone texts that only keep the others company: their token is written, and written over the next time
   * @returns logits [B,V] of the token after each, until the next call
   */
  async advance(
    tokens: readonly number[],
    isDone: (row: number) => boolean = () => false,
    signal?: AbortSignal,
  ): Promise<Float32Array> {
    const { memory } = this;
    const { lengths } = memory;
    const batch = lengths.length;
    const { positions: most } = this.network.options;
    const places = lengths.map((length) => Math.min(length, most - 1));
    const inputs = {
      tokens: int32(tokens, [batch, 1]),
      positions: int32(places, [batch, 1]),
      last: int32(new Int32Array(batch), [batch]),
      ...memory.prepare(1),
      ...memory.tensors,
    };
    const into = this.logits ? { ...memory.tensors, logits: this.logits } : memory.tensors;
    const { logits } = await this.program.run(inputs, { into, ...(signal && { signal }) });
    this.logits = logits;
    memory.grow(lengths.map((_, row) => (isDone(row) ? 0 : 1)));
    return logits.data as Float32Array;
  }

  /** Texts that go on from those before: row i from row `from[i]`. */
  reorder(from: readonly number[]): void {
    const isSame = from.length === this.memory.lengths.length && from.every((row, i) => row === i);
    if (isSame) return;
    this.memory = this.memory.reordered(from);
    if (from.length !== this.logits?.shape[0]) this.logits = undefined;
  }
}

/** Memory of layers, and how far it is filled: `lastPlaces` and `total`, with `.W` those of layers with a window of W. */
function cacheOf(inputs: Tensors): DecoderCache {
  const memory: Tensors = {};
  const windowed = new Map<number, CacheFill>();
  let all: CacheFill | undefined;
  for (const [name, tensor] of Object.entries(inputs)) {
    const [kind, window] = name.split('.');
    if (kind === 'keys' || kind === 'values') memory[name] = tensor;
    if (kind !== 'lastPlaces') continue;
    const fill = { lastPlaces: tensor, total: inputs[name.replace(kind, 'total')] };
    if (window === undefined) all = fill;
    else windowed.set(Number(window), fill);
  }
  return { memory, windowed, ...((all ?? [...windowed.values()][0]) as CacheFill) };
}
