// The compiled forms of one program, one for each signature of input shapes, least recently used first.
import { AnemoneError } from '../../errors/index.js';
import type { EngineStats, HostTensors, Tensors } from '../engine.js';
import type { ProgramState } from '../scope.js';
import { bytesOf, type TensorSpec } from '../tensors.js';
import { CompiledProgram } from './compiled-program.js';
import { checkGraphFits } from './device-limit.js';
import { flopsOf } from './flops.js';
import type { OnnxInitializer } from './onnx-graph.js';
import {
  hasConvolutions,
  hasGemm16,
  hasPointwise,
  mayPlanMemory,
  runsHostCalls,
  takesWeights,
} from './open-session.js';
import type { PassingBuffers } from './passing-buffers.js';
import type { ProviderLimits } from './provider-limits.js';
import type { SessionOptions } from './session.js';
import type { Sessions } from './sessions.js';
import type { StateStore } from './state-store.js';
import { type TracedProgram, trace } from './trace.js';
import { hostBytes } from './trace-values.js';
import type { WeightGenerations } from './weight-generations.js';

export interface SignatureCacheOptions {
  readonly fn: (inputs: Tensors) => Tensors;
  readonly session: SessionOptions;
  readonly sessions: Sessions;
  readonly buffers: PassingBuffers;
  readonly limits: ProviderLimits;
  readonly stats: EngineStats;
  readonly store: StateStore;
  /** States that are only read become constants of the code, which ONNX Runtime packs for its products. */
  readonly constantStates: boolean;
  /** See `CompileOptions`. */
  readonly sparesThreads: boolean;
  /** Of the engine's programs with constant states. */
  readonly generations: WeightGenerations;
  /** Bytes of the largest tensor that the device holds, where that is known. */
  readonly largestTensor?: number | undefined;
  /** Most signatures kept. */
  readonly limit: number;
}

/** What a model can hold in its bytes, with room for its nodes. More is fed at every run. */
const MOST_IN_MODEL = 1.9 * 2 ** 30;

/** Products of one or two rows make 2 or 4 operations of a weight of four bytes: those are done before the next weight is there. */
const FLOPS_A_BYTE = 1.5;

interface Entry {
  readonly program: CompiledProgram;
  /** States whose values are in the code, and which values those are. */
  readonly built: readonly { readonly state: ProgramState; readonly version: number }[];
}

export class SignatureCache {
  private readonly compiled = new Map<string, Entry>();
  /** Of what was compiled, so that it need not be traced again to be asked. */
  private readonly flops = new Map<string, number>();
  /** Not yet compiled. */
  private lastTrace: { readonly key: string; readonly traced: TracedProgram } | undefined;

  constructor(private readonly options: SignatureCacheOptions) {}

  async get(inputs: HostTensors): Promise<CompiledProgram> {
    const key = signature(inputs);
    let entry = this.compiled.get(key);
    if (entry && !this.isCurrent(entry)) {
      await this.forgetOutdated();
      entry = undefined;
    }
    this.compiled.delete(key);
    entry ??= await this.compile(inputs);
    this.compiled.set(key, entry);
    return entry.program;
  }

  clear(): void {
    for (const { program } of this.compiled.values()) {
      if (this.options.session.profile) program.endProfiling();
      void program.dispose();
    }
    this.compiled.clear();
    this.flops.clear();
    this.lastTrace = undefined;
  }

  /** Floating-point operations of a run. */
  flopsOf(inputs: Readonly<Record<string, TensorSpec>>): number {
    const key = signature(inputs);
    const flops = this.flops.get(key) ?? flopsOf(this.trace(inputs));
    this.flops.set(key, flops);
    return flops;
  }

  /** The traced program; one that was asked for its memory is not traced again to be compiled. */
  trace(inputs: Readonly<Record<string, TensorSpec>>): TracedProgram {
    const { fn, limits, session } = this.options;
    const key = signature(inputs);
    if (this.lastTrace?.key !== key) {
      const callsAreNodes = runsHostCalls(session.provider);
      const traced = trace(fn, inputs, {
        limits: withOwnOperators(limits, session),
        callsAreNodes,
        ordered: keepsOrder(session),
        apart: session.provider === 'cpu',
      });
      this.lastTrace = { key, traced };
    }
    return this.lastTrace.traced;
  }

  private isCurrent({ built }: Entry): boolean {
    const { store } = this.options;
    return built.every(({ state, version }) => store.version(state) === version);
  }

  /** Gives back what holds weights that have changed since: they, and what they were laid out as, are copies by now. */
  private async forgetOutdated(): Promise<void> {
    for (const [key, entry] of this.compiled) {
      if (this.isCurrent(entry)) continue;
      this.compiled.delete(key);
      await entry.program.dispose();
    }
  }

  private async compile(inputs: HostTensors): Promise<Entry> {
    const { stats, limit } = this.options;
    const started = performance.now();
    while (this.compiled.size >= limit) {
      const [oldest, { program }] = this.compiled.entries().next().value as [string, Entry];
      this.compiled.delete(oldest);
      await program.dispose();
      stats.evictions++;
    }
    const traced = this.trace(inputs);
    this.lastTrace = undefined;
    const flops = flopsOf(traced);
    this.flops.set(signature(inputs), flops);
    this.checkOrder(traced);
    const { largestTensor } = this.options;
    if (largestTensor !== undefined) {
      const describe = (name: string) => traced.shapes.get(name);
      for (const segment of traced.segments) checkGraphFits(segment, describe, largestTensor);
    }
    const weights = await this.constantsOf(traced);
    const versions = new Map([...weights.keys()].map((state) => [state, this.options.store.version(state)]));
    const built = { weights: [...weights.values()], generation: this.options.generations.of(versions) };
    const session = this.sessionFor(flops, built.weights);
    const program = await CompiledProgram.create(traced, { ...this.options, session }, built);
    stats.compilations++;
    stats.compileSeconds += (performance.now() - started) / 1000;
    return { program, built: [...versions].map(([state, version]) => ({ state, version })) };
  }

  /** Half of the threads where memory is what takes time: the other half would read little more, and be woken for every product. */
  private sessionFor(flops: number, weights: readonly OnnxInitializer[]): SessionOptions {
    const { session, sparesThreads } = this.options;
    const read = weights.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
    const waits = sparesThreads && flops < FLOPS_A_BYTE * read;
    return waits ? { ...session, threads: Math.ceil(session.threads / 2) } : session;
  }

  /** @throws AnemoneError `engine.option` for optimizations that would fold away what `after` says */
  private checkOrder({ barriers }: TracedProgram): void {
    const { optimization } = this.options.session;
    if (barriers === 0 || optimization === 'disabled') return;
    throw new AnemoneError({
      code: 'engine.option',
      path: 'optimization',
      message: `optimization "${optimization}" folds away the order that gradient checkpointing needs`,
      hint: 'leave it "disabled" (the default), or use no checkpointing',
    });
  }

  private async constantsOf({
    states,
    updates,
  }: TracedProgram): Promise<ReadonlyMap<ProgramState, OnnxInitializer>> {
    const { constantStates, store, session } = this.options;
    if (!constantStates) return new Map();
    const read = [...states].filter(([state]) => !updates.has(state));
    const bytes = read.reduce((sum, [state]) => sum + bytesOf(state.dtype, state.size), 0);
    if (bytes > MOST_IN_MODEL && !takesWeights(session.provider)) return new Map();
    const constants = new Map<ProgramState, OnnxInitializer>();
    for (const [state, { name, shape, dtype }] of read) {
      const { data } = await store.read(state);
      constants.set(state, { name, shape, dtype, bytes: hostBytes(data, state.dtype) });
    }
    return constants;
  }
}

/** Elsewhere the nodes that make values wait would run on the CPU, and what they wait for would be copied there. */
function keepsOrder({ provider, optimization }: SessionOptions): boolean {
  return provider === 'cpu' && optimization === 'disabled';
}

function signature(inputs: Readonly<Record<string, TensorSpec>>): string {
  return Object.keys(inputs)
    .sort()
    .map((key) => `${key}:${inputs[key].dtype}[${inputs[key].shape.join()}]`)
    .join(';');
}

/** The operators of native/, where they can be had. ONNX Runtime's own fusions know no Pointwise, so it stays out of their way. */
function withOwnOperators(limits: ProviderLimits, session: SessionOptions): ProviderLimits {
  const { provider, optimization } = session;
  return {
    ...limits,
    pointwise: optimization === 'disabled' && hasPointwise(provider),
    ...(hasConvolutions(provider) && { convolutions: mayPlanMemory(session) ? 'all' : 'apart' }),
    ...(hasGemm16(provider) && { lowProducts: 'operator' as const }),
  };
}
