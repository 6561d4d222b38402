// The default engine.
import { availableParallelism } from 'node:os';
import { registerGradients } from '../autodiff/index.js';
import type {
  CompileOptions,
  Engine,
  EngineStats,
  HostTensors,
  Program,
  RunOptions,
  Tensors,
} from '../engine.js';
import type { ProgramState } from '../scope.js';
import type { HostData } from '../tensors.js';
import { SharedWorkspace } from './capi/workspace.js';
import { keepFreedMemory } from './host-memory.js';
import { peakBytes, programMemory } from './live-memory.js';
import { mayPlanMemory } from './open-session.js';
import { PassingBuffers } from './passing-buffers.js';
import { describeFallback, type Placement } from './placement.js';
import { limitsOf } from './provider-limits.js';
import { checkProvider, requireProvider } from './providers.js';
import type { SessionOptions } from './session.js';
import { Sessions } from './sessions.js';
import { SignatureCache } from './signature-cache.js';
import { StateStore } from './state-store.js';

/** How ONNX Runtime runs programs. */
export interface OnnxEngineOptions {
  /** ONNX Runtime execution provider: cpu (default), cuda, webgpu, dml, coreml. */
  readonly provider?: string;
  /** Threads inside an operator; default: the machine's cores. */
  readonly threads?: number;
  readonly optimization?: SessionOptions['optimization'];
  /** ONNX Runtime's own memory pool, one per compiled signature: faster only where malloc cannot be tuned. Default off. */
  readonly arena?: boolean;
  /**
   * Where values lie in memory is decided before a program runs, not by the heap while it does, which takes twice as much. By
   * the C API, on the CPU. Default true.
   */
  readonly plannedMemory?: boolean;
  /** File prefix for ONNX Runtime's profile, written on dispose. */
  readonly profile?: string;
  /**
   * Told where the nodes of a newly compiled signature ran (providers other than cpu). Default: a process
   * warning (code ANEMONE_CPU_FALLBACK) for each program that leaves nodes to the CPU.
   */
  readonly onPlacement?: (program: string, placement: Placement) => void;
}

const DEFAULT_MAX_SIGNATURES = 64;

/**
 * The default engine: traces a program once per signature of input shapes, makes it one ONNX graph and runs it on ONNX
 * Runtime.
 */
export class OnnxEngine implements Engine {
  readonly name = 'onnxruntime';
  readonly stats: EngineStats = { compilations: 0, compileSeconds: 0, evictions: 0, runs: 0, sessions: 0 };
  private readonly store = new StateStore();
  private readonly buffers = new PassingBuffers();
  private readonly sessions = new Sessions(this.stats);
  private readonly workspace = new SharedWorkspace();
  private readonly programs = new Set<SignatureCache>();
  private readonly session: SessionOptions;
  private readonly onPlacement: NonNullable<OnnxEngineOptions['onPlacement']>;

  constructor(options: OnnxEngineOptions = {}) {
    registerGradients();
    keepFreedMemory();
    const provider = checkProvider(options.provider ?? 'cpu');
    requireProvider(provider);
    this.onPlacement = options.onPlacement ?? warnOfFallback();
    this.session = {
      provider,
      threads: options.threads ?? availableParallelism(),
      optimization: options.optimization ?? 'disabled',
      arena: options.arena ?? false,
      ...(options.plannedMemory === false ? {} : { workspace: this.workspace }),
      ...(options.profile ? { profile: options.profile } : {}),
    };
  }

  compile(name: string, fn: (inputs: Tensors) => Tensors, options: CompileOptions = {}): Program {
    const { provider } = this.session;
    const onPlacement = (placement: Placement) => this.onPlacement(name, placement);
    const cache = new SignatureCache({
      fn,
      session: { ...this.session, ...(provider === 'cpu' ? {} : { onPlacement }) },
      limits: limitsOf(provider),
      sessions: this.sessions,
      buffers: this.buffers,
      stats: this.stats,
      store: this.store,
      constantStates: options.constantStates ?? false,
      limit: options.maxSignatures ?? DEFAULT_MAX_SIGNATURES,
    });
    this.programs.add(cache);
    return {
      name,
      run: async (inputs: HostTensors, runOptions: RunOptions = {}) => {
        const program = await cache.get(inputs);
        this.stats.runs++;
        return program.run(inputs, this.store, runOptions);
      },
      peakBytes: (inputs) => peakBytes(cache.trace(inputs), mayPlanMemory(this.session)),
      memory: (inputs) => programMemory(cache.trace(inputs), mayPlanMemory(this.session)),
      dispose: () => {
        this.programs.delete(cache);
        cache.clear();
      },
    };
  }

  async read(state: ProgramState): Promise<HostData> {
    return this.store.current(state).data.slice();
  }

  async write(state: ProgramState, value: HostData, given = false): Promise<void> {
    this.store.set(state, given ? value : value.slice());
  }

  release(states: Iterable<ProgramState>): void {
    this.store.release(states);
  }

  async dispose(): Promise<void> {
    for (const cache of this.programs) cache.clear();
    this.programs.clear();
    this.store.clear();
    this.workspace.clear();
  }
}

/** Warns once for each program; its other signatures leave the same operators to the CPU. */
function warnOfFallback(): NonNullable<OnnxEngineOptions['onPlacement']> {
  const warned = new Set<string>();
  return (program, placement) => {
    const fallback = describeFallback(placement);
    if (!fallback || warned.has(program)) return;
    warned.add(program);
    process.emitWarning(`program "${program}": ${fallback}`, { code: 'ANEMONE_CPU_FALLBACK' });
  };
}
