// The default engine.
import { availableParallelism } from 'node:os';
import { registerGradients } from '../autodiff/index.js';
import { signalAround, throwIfCancelled } from '../cancellation.js';
import type {
  CompileOptions,
  Engine,
  EngineStats,
  HostTensors,
  Program,
  RunOptions,
  Tensors,
} from '../engine.js';
import { noStats } from '../engine.js';
import type { LowType } from '../precision.js';
import type { ProgramState } from '../scope.js';
import { checkTensor, type HostData } from '../tensors.js';
import { type Adapter, adapterOf, nameSoftware } from './adapter.js';
import { SharedWorkspace } from './capi/workspace.js';
import { DeviceMemory } from './device-memory.js';
import { keepFreedMemory } from './host-memory.js';
import { peakBytes, programMemory } from './live-memory.js';
import { lowProductsOn } from './low-products.js';
import { mayPlanMemory, openHome } from './open-session.js';
import { PassingBuffers } from './passing-buffers.js';
import { describeFallback, type Placement } from './placement.js';
import { limitsOf } from './provider-limits.js';
import { checkProvider, deviceOf, requireProvider } from './providers.js';
import { isOnDevice } from './run-tensor.js';
import type { SessionOptions } from './session.js';
import { Sessions } from './sessions.js';
import { SignatureCache } from './signature-cache.js';
import { StateStore } from './state-store.js';
import { WeightGenerations } from './weight-generations.js';

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
  readonly stats: EngineStats = noStats();
  private readonly store: StateStore;
  private readonly adapter: Adapter | undefined;
  private device: DeviceMemory | undefined;
  private readonly buffers = new PassingBuffers();
  private readonly sessions = new Sessions(this.stats);
  /** A run that has not ended. */
  private busy: Promise<void> | undefined;
  private readonly generations = new WeightGenerations();
  private readonly workspace = new SharedWorkspace();
  private readonly programs = new Set<SignatureCache>();
  private readonly session: SessionOptions;
  private readonly onPlacement: NonNullable<OnnxEngineOptions['onPlacement']>;

  constructor(options: OnnxEngineOptions = {}) {
    registerGradients();
    keepFreedMemory();
    const provider = checkProvider(options.provider ?? 'cpu');
    requireProvider(provider);
    this.adapter = adapterOf(provider);
    if (this.adapter) nameSoftware(this.adapter);
    this.onPlacement = options.onPlacement ?? warnOfFallback();
    this.session = {
      provider,
      threads: options.threads ?? availableParallelism(),
      optimization: options.optimization ?? 'disabled',
      arena: options.arena ?? false,
      ...(options.plannedMemory === false ? {} : { workspace: this.workspace }),
      ...(options.profile ? { profile: options.profile } : {}),
    };
    this.store = new StateStore(deviceOf(provider) && (() => this.deviceMemory()));
  }

  compile(name: string, fn: (inputs: Tensors) => Tensors, options: CompileOptions = {}): Program {
    const { provider } = this.session;
    const onPlacement = (placement: Placement) => this.onPlacement(name, placement);
    const cache = new SignatureCache({
      fn,
      session: { ...this.session, ...(provider === 'cpu' ? {} : { onPlacement }) },
      limits: limitsOf(provider),
      largestTensor: this.adapter?.largestTensor,
      sessions: this.sessions,
      buffers: this.buffers,
      stats: this.stats,
      store: this.store,
      generations: this.generations,
      constantStates: options.constantStates ?? false,
      sparesThreads: options.sparesThreads ?? false,
      limit: options.maxSignatures ?? DEFAULT_MAX_SIGNATURES,
    });
    this.programs.add(cache);
    return {
      name,
      run: async (inputs: HostTensors, runOptions: RunOptions = {}) => {
        const signal = runOptions.signal ?? signalAround();
        throwIfCancelled(signal);
        for (const [key, input] of Object.entries(inputs)) checkTensor(input, key);
        return this.alone(async () => {
          const program = await cache.get(inputs);
          this.stats.runs++;
          return program.run(inputs, this.store, signal ? { ...runOptions, signal } : runOptions);
        });
      },
      peakBytes: (inputs) => peakBytes(cache.trace(inputs), mayPlanMemory(this.session)),
      flops: (inputs) => cache.flopsOf(inputs),
      memory: (inputs) => programMemory(cache.trace(inputs), mayPlanMemory(this.session)),
      forget: () => cache.clear(),
      dispose: () => {
        this.programs.delete(cache);
        cache.clear();
      },
    };
  }

  async read(state: ProgramState): Promise<HostData> {
    while (this.busy) await this.busy;
    const isCopy = isOnDevice(this.store.current(state));
    const { data } = await this.store.read(state);
    return isCopy ? data : data.slice();
  }

  async write(state: ProgramState, value: HostData, given = false): Promise<void> {
    while (this.busy) await this.busy;
    this.store.set(state, given ? value : value.slice());
  }

  lowProducts(type: LowType): Promise<string> {
    return lowProductsOn(this.session, type);
  }

  /** Bytes of states on the provider's device now. */
  get deviceBytes(): number {
    return this.device?.bytes ?? 0;
  }

  release(states: Iterable<ProgramState>): void {
    this.store.release(states);
  }

  /** What is run beside JavaScript uses states and buffers that a second run would write. */
  private async alone<R>(run: () => Promise<R>): Promise<R> {
    while (this.busy) await this.busy;
    const result = run();
    const ended = result.then(
      () => {},
      () => {},
    );
    this.busy = ended;
    try {
      return await result;
    } finally {
      if (this.busy === ended) this.busy = undefined;
    }
  }

  async dispose(): Promise<void> {
    while (this.busy) await this.busy;
    for (const cache of this.programs) cache.clear();
    this.programs.clear();
    this.generations.clear();
    this.store.clear();
    await this.device?.dispose();
    this.device = undefined;
    this.workspace.clear();
  }

  /** Where states are, on a provider with a device. */
  private deviceMemory(): DeviceMemory {
    const { provider, threads, optimization, arena } = this.session;
    const options = { provider, threads, optimization, arena };
    this.device ??= new DeviceMemory(
      (model) => openHome(model, options),
      this.stats,
      this.adapter?.largestTensor,
    );
    return this.device;
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
