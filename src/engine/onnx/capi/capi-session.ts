// A session of ONNX Runtime's C API, on the CPU.
import type { Pointer } from '../../native/koffi.js';
import type { HostTensor } from '../../tensors.js';
import type { Session, SessionModel, SessionOptions } from '../session.js';
import type { OrtApi } from './api.js';
import { inEnvironment } from './environment.js';
import { NativeValues } from './native-value.js';

const OPTIMIZATION = { disabled: 0, basic: 1, extended: 2, all: 99 } as const;

const valuesOf = new WeakMap<OrtApi, NativeValues>();

/** @throws OrtError */
export function createCapiSession(api: OrtApi, model: SessionModel, options: SessionOptions): Session {
  return new CapiSession(api, model, options);
}

class CapiSession implements Session {
  private readonly values: NativeValues;
  private readonly inputs: Arguments;
  private readonly outputs: Arguments;
  private pointer: Pointer | undefined;

  constructor(
    private readonly api: OrtApi,
    { bytes, inputs, outputs }: SessionModel,
    options: SessionOptions,
  ) {
    this.values = valuesFor(api);
    this.inputs = new Arguments(api, inputs);
    this.outputs = new Arguments(api, outputs);
    this.pointer = inEnvironment(
      api,
      options.threads,
      () => sessionOptions(api, options),
      (environment, sessionOptions) =>
        api.make('CreateSessionFromArray', environment, bytes, bytes.byteLength, sessionOptions),
    );
  }

  async run(
    feeds: Readonly<Record<string, HostTensor>>,
    fetches: Readonly<Record<string, HostTensor>>,
  ): Promise<void> {
    const { inputs, outputs, values } = this;
    inputs.fill(feeds, values);
    outputs.fill(fetches, values);
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
  }

  release(tensors: Iterable<HostTensor>): void {
    for (const tensor of tensors) this.values.release(tensor);
  }

  async dispose(): Promise<void> {
    const { pointer } = this;
    this.pointer = undefined;
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
    private readonly keys: readonly string[],
  ) {
    this.characters = Buffer.from(keys.map((key) => `${key}\0`).join('') || '\0');
    this.names = new BigUint64Array(keys.length);
    this.values = new BigUint64Array(keys.length);
    let at = api.koffi.address(this.characters);
    keys.forEach((key, i) => {
      this.names[i] = at;
      at += BigInt(Buffer.byteLength(key) + 1);
    });
  }

  get count(): number {
    return this.keys.length;
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

function sessionOptions(api: OrtApi, options: SessionOptions): Pointer {
  const pointer = api.make('CreateSessionOptions');
  try {
    // Measured: memory patterns cost half as much memory again and no time is won.
    api.call('DisableMemPattern', pointer);
    api.call(options.arena ? 'EnableCpuMemArena' : 'DisableCpuMemArena', pointer);
    api.call('SetSessionGraphOptimizationLevel', pointer, OPTIMIZATION[options.optimization]);
    api.call('SetSessionLogSeverityLevel', pointer, options.logSeverity ?? 3);
    if (options.profile) api.call('EnableProfiling', pointer, options.profile);
    return pointer;
  } catch (error) {
    api.release('ReleaseSessionOptions', pointer);
    throw error;
  }
}

function valuesFor(api: OrtApi): NativeValues {
  let values = valuesOf.get(api);
  if (!values) {
    values = new NativeValues(api);
    valuesOf.set(api, values);
  }
  return values;
}
