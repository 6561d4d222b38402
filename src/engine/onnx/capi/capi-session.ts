// A session of ONNX Runtime's C API, on the CPU.
import { openLibrary, type Pointer } from '../../native/koffi.js';
import type { HostTensor } from '../../tensors.js';
import type { HostCallNode } from '../host-call-node.js';
import type { MemoryPlan } from '../passes/memory-plan.js';
import type { Session, SessionModel, SessionOptions } from '../session.js';
import type { OrtApi } from './api.js';
import { inEnvironment } from './environment.js';
import { HostCalls } from './host-calls.js';
import { NativeValues } from './native-value.js';
import { PlannedValues } from './planned-values.js';

const OPTIMIZATION = { disabled: 0, basic: 1, extended: 2, all: 99 } as const;

/** What the sessions of a thread have in common. */
interface Shared {
  readonly values: NativeValues;
  /** Made for the first session with host calls. */
  hostCalls: HostCalls | undefined;
}

const sharedOf = new WeakMap<OrtApi, Shared>();

/** @throws OrtError */
export function createCapiSession(api: OrtApi, model: SessionModel, options: SessionOptions): Session {
  return new CapiSession(api, model, options);
}

class CapiSession implements Session {
  private readonly values: NativeValues;
  private readonly inputs: Arguments;
  private readonly outputs: Arguments;
  private readonly calls: readonly HostCallNode[];
  private readonly hostCalls: HostCalls | undefined;
  private readonly plan: MemoryPlan | undefined;
  private readonly planned: PlannedValues | undefined;
  private pointer: Pointer | undefined;

  constructor(
    private readonly api: OrtApi,
    { bytes, inputs, outputs, calls, plan }: SessionModel,
    private readonly options: SessionOptions,
  ) {
    this.values = sharedBy(api).values;
    this.plan = plan;
    this.planned = plan && new PlannedValues(this.values, plan.values);
    this.calls = calls;
    this.hostCalls = calls.length > 0 ? hostCallsOn(api) : undefined;
    this.inputs = new Arguments(api, inputs);
    this.outputs = new Arguments(
      api,
      outputs,
      plan?.values.map(({ value }) => value.name),
    );
    this.pointer = inEnvironment(
      api,
      options.threads,
      () => sessionOptions(api, options, this.hostCalls?.domain),
      (environment, sessionOptions) =>
        api.make('CreateSessionFromArray', environment, bytes, bytes.byteLength, sessionOptions),
    );
    this.hostCalls?.add(calls);
  }

  async run(
    feeds: Readonly<Record<string, HostTensor>>,
    fetches: Readonly<Record<string, HostTensor>>,
  ): Promise<void> {
    const { inputs, outputs, values } = this;
    inputs.fill(feeds, values);
    outputs.fill(fetches, values);
    const block = this.plan && this.options.workspace?.take(this.plan.bytes);
    if (block) this.planned?.fill(block, outputs.values, outputs.keys.length);
    try {
      this.api.call(
        'Run',
        this.open(),
        null,
        inputs.names,
        inputs.values,
        inputs.count,
        outputs.names,
        outputs.count,
        outputs.values,
      );
    } catch (cause) {
      throw this.hostCalls?.takeFailure() ?? cause;
    } finally {
      if (block) this.options.workspace?.give(block);
    }
  }

  release(tensors: Iterable<HostTensor>): void {
    for (const tensor of tensors) this.values.release(tensor);
  }

  async dispose(): Promise<void> {
    const { pointer } = this;
    this.pointer = undefined;
    this.hostCalls?.remove(this.calls);
    this.planned?.release();
    if (pointer !== undefined) this.api.release('ReleaseSession', pointer);
  }

  endProfiling(): void {
    const allocator = this.api.make('GetAllocatorWithDefaultOptions');
    const file = this.api.make('SessionEndProfiling', this.open(), allocator);
    this.api.call('AllocatorFree', allocator, file);
  }

  private open(): Pointer {
    if (this.pointer === undefined) throw new Error('the session is disposed of');
    return this.pointer;
  }
}

/** The inputs, or the outputs, of a run: their names as C has them, and room for pointers to their values. */
class Arguments {
  readonly names: BigUint64Array;
  readonly values: BigUint64Array;
  /** The characters that `names` points to. */
  private readonly characters: Buffer;

  constructor(
    api: OrtApi,
    /** Of tensors that every run names. */
    readonly keys: readonly string[],
    others: readonly string[] = [],
  ) {
    const all = [...keys, ...others];
    this.characters = Buffer.from(all.map((key) => `${key}\0`).join('') || '\0');
    this.names = new BigUint64Array(all.length);
    this.values = new BigUint64Array(all.length);
    let at = api.koffi.address(this.characters);
    all.forEach((key, i) => {
      this.names[i] = at;
      at += BigInt(Buffer.byteLength(key) + 1);
    });
  }

  get count(): number {
    return this.names.length;
  }

  /** ONNX Runtime would read a missing value's pointer. */
  fill(tensors: Readonly<Record<string, HostTensor | undefined>>, values: NativeValues): void {
    this.keys.forEach((key, i) => {
      const tensor = tensors[key];
      if (!tensor) throw new Error(`there is no tensor for "${key}"`);
      this.values[i] = values.of(tensor).pointer;
    });
  }
}

function sessionOptions(api: OrtApi, options: SessionOptions, domain: Pointer | undefined): Pointer {
  const pointer = api.make('CreateSessionOptions');
  try {
    // Measured: memory patterns cost half as much memory again and no time is won.
    api.call('DisableMemPattern', pointer);
    api.call(options.arena ? 'EnableCpuMemArena' : 'DisableCpuMemArena', pointer);
    api.call('SetSessionGraphOptimizationLevel', pointer, OPTIMIZATION[options.optimization]);
    api.call('SetSessionLogSeverityLevel', pointer, options.logSeverity ?? 3);
    if (domain !== undefined) api.call('AddCustomOpDomain', pointer, domain);
    if (options.profile) api.call('EnableProfiling', pointer, options.profile);
    return pointer;
  } catch (error) {
    api.release('ReleaseSessionOptions', pointer);
    throw error;
  }
}

function sharedBy(api: OrtApi): Shared {
  let shared = sharedOf.get(api);
  if (!shared) {
    shared = { values: new NativeValues(api), hostCalls: undefined };
    sharedOf.set(api, shared);
  }
  return shared;
}

function hostCallsOn(api: OrtApi): HostCalls {
  const shared = sharedBy(api);
  shared.hostCalls ??= new HostCalls(api, openLibrary(api.koffi, null));
  return shared.hostCalls;
}
