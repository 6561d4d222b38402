// A session of ONNX Runtime's C API, on the CPU or on a device.

import { cancelled } from '../../cancellation.js';
import { openLibrary, type Pointer } from '../../native/koffi.js';
import { preferLargePages, returnFreedMemory } from '../host-memory.js';
import type { MemoryPlan } from '../passes/memory-plan.js';
import { deviceOf } from '../providers.js';
import type { RunTensor } from '../run-tensor.js';
import type { DeviceSession, RunSettings, SessionModel, SessionOptions } from '../session.js';
import type { OrtApi } from './api.js';
import { inEnvironment } from './environment.js';
import { HostCalls } from './host-calls.js';
import { Names } from './names.js';
import { NativeDeviceAllocator } from './native-device.js';
import { nativeOperators } from './native-operators.js';
import { type NativeValue, NativeValues } from './native-value.js';
import { PackedWeights } from './packed-weights.js';
import { PlannedValues } from './planned-values.js';

/** `ORT_LOGGING_LEVEL_FATAL` of the header: every failure comes back as a status. */
const FATAL_ONLY = 4;
/** Bytes of weights from which on the system is given back what their session has freed. */
const WORTH_RETURNING = 16 << 20;
/** Runs of less end before a signal could come: going to another thread would take longer. */
const LONG_MS = 5;
const OPTIMIZATION = { disabled: 0, basic: 1, extended: 2, all: 99 } as const;

/** What the sessions of a thread have in common. */
interface Shared {
  readonly values: NativeValues;
  readonly packed: PackedWeights;
  /** Made for the first session with host calls. */
  hostCalls: HostCalls | undefined;
  /** Releases sessions that nobody disposed of. */
  readonly abandoned: FinalizationRegistry<Holdings>;
}

const sharedOf = new WeakMap<OrtApi, Shared>();

/** @throws OrtError */
export function createCapiSession(api: OrtApi, model: SessionModel, options: SessionOptions): DeviceSession {
  return new CapiSession(api, model, options);
}

class CapiSession implements DeviceSession {
  private readonly values: NativeValues;
  private readonly inputs: Arguments;
  private readonly outputs: Arguments;
  private readonly hostCalls: HostCalls | undefined;
  private readonly plan: MemoryPlan | undefined;
  private readonly planned: PlannedValues | undefined;
  private holdings: Holdings | undefined;
  /** Whether a run is worth another thread; not known before the first. */
  private isLong = true;

  constructor(
    private readonly api: OrtApi,
    { inputs, outputs, plan, ...model }: SessionModel,
    private readonly options: SessionOptions,
  ) {
    const shared = sharedBy(api);
    this.values = shared.values;
    this.plan = plan;
    this.planned = plan && new PlannedValues(this.values, plan.values);
    this.hostCalls = model.calls.length > 0 ? hostCallsOn(api) : undefined;
    this.inputs = new Arguments(api, inputs);
    this.outputs = new Arguments(
      api,
      outputs,
      plan?.values.map(({ value }) => value.name),
    );
    this.holdings = new Holdings(api, shared, model, options, this.planned);
    shared.abandoned.register(this, this.holdings, this);
  }

  async run(
    feeds: Readonly<Record<string, RunTensor>>,
    fetches: Readonly<Record<string, RunTensor>>,
    { signal, memory }: RunSettings = {},
  ): Promise<void> {
    const { inputs, outputs, values } = this;
    inputs.fill(feeds, values);
    outputs.fill(fetches, values);
    const started = performance.now();
    const block = memory || !this.plan ? undefined : this.options.workspace?.take(this.plan.bytes);
    const places = memory ?? (block && { block, start: 0 });
    if (places) this.planned?.fill(places, outputs.values, outputs.keys.length);
    try {
      // Host functions are called on the thread that runs the graph, which must then be that of JavaScript.
      if (signal && !this.hostCalls && this.isLong) await this.runBeside(signal, [feeds, fetches, places]);
      else this.api.call('Run', ...this.callWith(null));
    } catch (cause) {
      throw this.hostCalls?.takeFailure() ?? cause;
    } finally {
      if (block) this.options.workspace?.give(block);
    }
    this.isLong = performance.now() - started > LONG_MS;
  }

  private callWith(runOptions: Pointer | null): unknown[] {
    const { inputs, outputs } = this;
    const { names, values, count } = inputs;
    return [this.open(), runOptions, names, values, count, outputs.names, outputs.count, outputs.values];
  }

  /**
   * On a thread of koffi's, so that the signal can come. That has the same floating-point mode, since nothing here changes
   * any thread's (docs/engines.md): the numbers are the same bits.
   * @param tensors stay reachable until the run has ended
   */
  private async runBeside(signal: AbortSignal, tensors: readonly unknown[]): Promise<void> {
    const { api } = this;
    const runOptions = api.make('CreateRunOptions');
    const terminate = () => api.call('RunOptionsSetTerminate', runOptions);
    signal.addEventListener('abort', terminate, { once: true });
    try {
      await api.callBeside('Run', this.callWith(runOptions), [this, ...tensors]);
    } catch (cause) {
      throw signal.aborted ? cancelled(signal) : cause;
    } finally {
      signal.removeEventListener('abort', terminate);
      api.release('ReleaseRunOptions', runOptions);
    }
  }

  release(tensors: Iterable<RunTensor>): void {
    for (const tensor of tensors) this.values.release(tensor);
  }

  allocator(): NativeDeviceAllocator {
    const device = deviceOf(this.options.provider);
    if (!device) throw new Error(`provider ${this.options.provider} computes in the memory of the host`);
    return new NativeDeviceAllocator(this.api, this.open(), device.memory);
  }

  async dispose(): Promise<void> {
    sharedBy(this.api).abandoned.unregister(this);
    this.holdings?.release();
    this.holdings = undefined;
  }

  endProfiling(): void {
    const allocator = this.api.make('GetAllocatorWithDefaultOptions');
    const file = this.api.make('SessionEndProfiling', this.open(), allocator);
    this.api.call('AllocatorFree', allocator, file);
  }

  private open(): Pointer {
    if (this.holdings === undefined) throw new Error('the session is disposed of');
    return this.holdings.pointer();
  }
}

type SessionContents = Pick<SessionModel, 'bytes' | 'calls' | 'weights' | 'generation' | 'onHost'>;

/** A session of ONNX Runtime, and what it keeps bare pointers to. */
class Holdings {
  private readonly session: Pointer;
  private readonly weights: readonly NativeValue[];
  private readonly names: Names;
  private readonly calls: SessionModel['calls'];
  private readonly generation: object;

  constructor(
    private readonly api: OrtApi,
    private readonly shared: Shared,
    model: SessionContents,
    options: SessionOptions,
    private readonly planned: PlannedValues | undefined,
  ) {
    this.calls = model.calls;
    this.generation = model.generation;
    this.names = new Names(
      api,
      model.weights.map(({ name }) => name),
    );
    this.weights = model.weights.map(({ dtype, shape, bytes }) =>
      shared.values.make({ dtype, shape, data: bytes }),
    );
    const weightBytes = model.weights.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
    if (weightBytes >= WORTH_RETURNING) preferLargePages(weightBytes);
    try {
      this.session = this.open(model.bytes, { ...options, ...providerOptionsOf(model, options) });
    } catch (error) {
      this.releaseWeights();
      throw error;
    }
    shared.hostCalls?.add(model.calls);
    // A session packs all weights before it finds that some are there already.
    if (weightBytes >= WORTH_RETURNING) returnFreedMemory();
  }

  /** @throws Error if the memory of a weight is gone */
  pointer(): Pointer {
    for (const weight of this.weights) weight.whole();
    return this.session;
  }

  release(): void {
    const { api, shared } = this;
    shared.hostCalls?.remove(this.calls);
    this.planned?.release();
    api.release('ReleaseSession', this.session);
    if (this.weights.length > 0) shared.packed.giveBack(this.generation);
    this.releaseWeights();
  }

  private open(bytes: Uint8Array, options: SessionOptions): Pointer {
    const { api, shared, weights } = this;
    const domains = [
      this.calls.length > 0 ? shared.hostCalls?.domain : undefined,
      nativeOperators(api)?.domain,
    ];
    return inEnvironment(
      api,
      options.threads,
      () => this.withWeights(sessionOptions(api, options, domains)),
      (environment, given) => {
        if (weights.length === 0)
          return api.make('CreateSessionFromArray', environment, bytes, bytes.byteLength, given);
        const container = shared.packed.borrow(this.generation);
        try {
          return api.make(
            'CreateSessionFromArrayWithPrepackedWeightsContainer',
            environment,
            bytes,
            bytes.byteLength,
            given,
            container,
          );
        } catch (error) {
          shared.packed.giveBack(this.generation);
          throw error;
        }
      },
    );
  }

  /**
   * Tells options the weights twice: what the model names is looked for among the external ones, and only what is given as
   * initializer is used where it stands and shared once it is packed.
   */
  private withWeights(options: Pointer): Pointer {
    const { api, weights, names } = this;
    if (weights.length === 0) return options;
    const pointers = BigUint64Array.from(weights, ({ pointer }) => pointer);
    try {
      api.call('AddExternalInitializers', options, names.pointers, pointers, weights.length);
      names.keys.forEach((name, i) => {
        api.call('AddInitializer', options, name, weights[i].pointer);
      });
      return options;
    } catch (error) {
      api.release('ReleaseSessionOptions', options);
      throw error;
    }
  }

  private releaseWeights(): void {
    for (const weight of this.weights) this.shared.values.dispose(weight);
  }
}

/** The inputs, or the outputs, of a run: their names, and room for pointers to their values. */
class Arguments {
  readonly values: BigUint64Array;
  private readonly inC: Names;

  constructor(
    api: OrtApi,
    /** Of tensors that every run names. */
    readonly keys: readonly string[],
    others: readonly string[] = [],
  ) {
    this.inC = new Names(api, [...keys, ...others]);
    this.values = new BigUint64Array(keys.length + others.length);
  }

  get names(): BigUint64Array {
    return this.inC.pointers;
  }

  get count(): number {
    return this.names.length;
  }

  /** ONNX Runtime would read a missing value's pointer. */
  fill(tensors: Readonly<Record<string, RunTensor | undefined>>, values: NativeValues): void {
    this.keys.forEach((key, i) => {
      const tensor = tensors[key];
      if (!tensor) throw new Error(`there is no tensor for "${key}"`);
      this.values[i] = values.pointerOf(tensor);
    });
  }
}

function sessionOptions(
  api: OrtApi,
  options: SessionOptions,
  domains: readonly (Pointer | undefined)[],
): Pointer {
  const pointer = api.make('CreateSessionOptions');
  try {
    // Measured: memory patterns cost half as much memory again and no time is won.
    api.call('DisableMemPattern', pointer);
    api.call(options.arena ? 'EnableCpuMemArena' : 'DisableCpuMemArena', pointer);
    api.call('SetSessionGraphOptimizationLevel', pointer, OPTIMIZATION[options.optimization]);
    api.call('SetSessionLogSeverityLevel', pointer, options.logSeverity ?? FATAL_ONLY);
    for (const domain of domains) if (domain !== undefined) api.call('AddCustomOpDomain', pointer, domain);
    if (options.profile) api.call('EnableProfiling', pointer, options.profile);
    if (options.provider !== 'cpu') appendProvider(api, pointer, options);
    return pointer;
  } catch (error) {
    api.release('ReleaseSessionOptions', pointer);
    throw error;
  }
}

/** What the provider is told of a model. */
function providerOptionsOf(
  { onHost = [] }: SessionContents,
  { provider, providerOptions = {} }: SessionOptions,
): Pick<SessionOptions, 'providerOptions'> {
  const device = deviceOf(provider);
  if (!device) return { providerOptions };
  const forHost = onHost.length > 0 ? { [device.onHost]: onHost.join('\n') } : {};
  return { providerOptions: { ...device.options, ...providerOptions, ...forHost } };
}

/** @throws OrtError where the library has no such provider */
function appendProvider(
  api: OrtApi,
  session: Pointer,
  { provider, providerOptions = {} }: SessionOptions,
): void {
  const keys = new Names(api, Object.keys(providerOptions));
  const values = new Names(api, Object.values(providerOptions));
  const name = deviceOf(provider)?.name ?? provider;
  const count = keys.keys.length;
  api.call('SessionOptionsAppendExecutionProvider', session, name, keys.pointers, values.pointers, count);
}

function sharedBy(api: OrtApi): Shared {
  let shared = sharedOf.get(api);
  if (!shared) {
    shared = {
      values: new NativeValues(api),
      packed: new PackedWeights(api),
      hostCalls: undefined,
      abandoned: new FinalizationRegistry((holdings) => holdings.release()),
    };
    sharedOf.set(api, shared);
  }
  return shared;
}

function hostCallsOn(api: OrtApi): HostCalls {
  const shared = sharedBy(api);
  shared.hostCalls ??= new HostCalls(api, openLibrary(api.koffi, null));
  return shared.hostCalls;
}
