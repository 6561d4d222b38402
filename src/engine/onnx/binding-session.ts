// A session of onnxruntime-node's binding, for machines without koffi and for providers whose device is not known. On the CPU and
// on devices whose memory states stay in, the native binding is called directly, because the public API copies every output
// into a fresh buffer even when a buffer for it was given; the binding itself has by then already written into ours. Other
// providers, and builds without the expected binding, take the public way.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type * as ort from 'onnxruntime-common';
import { AnemoneError } from '../../errors/index.js';
import { allocate, type HostTensor, sizeOf, type TensorSpec } from '../tensors.js';
import { copyKey, copyModel } from './copy-model.js';
import { onnxruntime, onnxruntimePath } from './onnxruntime.js';
import { deviceOf } from './providers.js';
import { type DeviceTensor, isOnDevice, type RunTensor } from './run-tensor.js';
import type { DeviceAllocator, DeviceSession, SessionModel, SessionOptions } from './session.js';

type OrtTensors = Record<string, ort.Tensor>;
type RunTensors = Readonly<Record<string, RunTensor>>;

interface NativeSession {
  loadModel(buffer: ArrayBuffer, offset: number, length: number, options: object): void;
  run(feeds: object, fetches: object, options: object): unknown;
  dispose(): void;
  endProfiling(): void;
}
interface Binding {
  InferenceSession: new () => NativeSession;
  initOrtOnce(logLevel: number, tensor: unknown, mainThread: boolean): void;
}

class OutputsAreWritten extends Error {}
let discardResults = false;
let binding: Binding | null | undefined;

/** Stands in for ort.Tensor where the binding builds result objects: we stop it there, after the computation. */
function ResultTensor(this: unknown, ...args: ConstructorParameters<typeof ort.Tensor>): ort.Tensor {
  if (discardResults) throw new OutputsAreWritten();
  return new (onnxruntime().Tensor)(...args);
}

function nativeBinding(): Binding | null {
  if (binding !== undefined) return binding;
  try {
    const require = createRequire(import.meta.url);
    const file = join(dirname(onnxruntimePath()), 'binding.js');
    const loaded = (require(file) as { binding: Binding }).binding;
    const { Tensor } = onnxruntime();
    Object.assign(ResultTensor, { fromGpuBuffer: Tensor.fromGpuBuffer.bind(Tensor) });
    loaded.initOrtOnce(4, ResultTensor, true);
    binding = loaded;
  } catch {
    binding = null;
  }
  return binding;
}

/** @throws Error what ONNX Runtime says */
export async function createBindingSession(
  { bytes, onHost = [] }: SessionModel,
  options: SessionOptions,
): Promise<DeviceSession> {
  const takesResults = options.provider === 'cpu' || deviceOf(options.provider) !== undefined;
  const native = takesResults ? nativeBinding() : null;
  const settings = sessionOptions(options, onHost);
  return native
    ? nativeSession(native, bytes, options, settings)
    : await publicSession(bytes, options, settings);
}

/** @param onHost names of nodes for the CPU, which the binding has an option for with webgpu */
function sessionOptions(options: SessionOptions, onHost: readonly string[] = []): Settings {
  const provider = {
    name: options.provider,
    ...options.providerOptions,
    ...(onHost.length > 0 ? { forceCpuNodeNames: onHost } : {}),
  };
  return {
    executionProviders: [provider],
    intraOpNumThreads: options.threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: options.optimization,
    // Measured: memory patterns cost half as much memory again and no time is won.
    enableMemPattern: false,
    enableCpuMemArena: options.arena,
    logSeverityLevel: options.logSeverity ?? 3,
    // Threads that spin while they wait take the cores from loader workers and from JavaScript: measured, that costs
    // more than it wins wherever there are any. Denormals stay numbers (docs/engines.md): the option that makes them
    // zero would be set, for good, on the thread that made the first session, which is the user's.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
    ...(options.profile ? { enableProfiling: true, profileFilePrefix: options.profile } : {}),
  };
}

type Settings = ort.InferenceSession.SessionOptions;

function nativeSession(
  native: Binding,
  model: Uint8Array,
  options: SessionOptions,
  settings: Settings,
): DeviceSession {
  const session = new native.InferenceSession();
  session.loadModel(model.buffer as ArrayBuffer, model.byteOffset, model.byteLength, settings);
  return {
    allocator: () => new BindingAllocator(native, options),
    async run(feeds, fetches) {
      // Making a tensor is what the flag stops, so it comes first.
      const [feedTensors, fetchTensors] = [asOrt(feeds), asOrt(fetches)];
      discardResults = true;
      try {
        session.run(feedTensors, fetchTensors, {});
      } catch (cause) {
        if (!(cause instanceof OutputsAreWritten)) throw cause;
      } finally {
        discardResults = false;
      }
    },
    release: forget,
    async dispose() {
      session.dispose();
    },
    endProfiling: () => session.endProfiling(),
  };
}

async function publicSession(
  model: Uint8Array,
  options: SessionOptions,
  settings: Settings,
): Promise<DeviceSession> {
  const session = await onnxruntime().InferenceSession.create(model, settings);
  return {
    allocator() {
      throw new Error(`provider ${options.provider} is given memory of the host`);
    },
    async run(feeds, fetches) {
      const results = await session.run(asOrt(feeds), Object.keys(fetches));
      for (const [name, target] of Object.entries(fetches)) {
        copyBytes(results[name].data as Float32Array, (target as HostTensor).data);
      }
    },
    release: forget,
    dispose: () => session.release(),
    endProfiling: () => session.endProfiling(),
  };
}

/** Makes tensors on a device, as results of sessions that copy. */
class BindingAllocator implements DeviceAllocator {
  private readonly live = new Set<ort.Tensor>();
  /** By the kind of tensor that they copy. */
  private readonly homes = new Map<string, NativeSession>();

  constructor(
    private readonly native: Binding,
    private readonly options: SessionOptions,
  ) {}

  allocate(spec: TensorSpec): DeviceTensor {
    const { dtype, shape } = spec;
    const x = toOrt({ dtype, shape, data: allocate(dtype, sizeOf(shape)) });
    const { y } = this.home(spec).run({ x }, { y: null }, {}) as { readonly y: ort.Tensor };
    this.live.add(y);
    return { dtype, shape, handle: y };
  }

  free({ handle }: DeviceTensor): void {
    const tensor = handle as ort.Tensor;
    if (this.live.delete(tensor)) tensor.dispose();
  }

  dispose(): void {
    for (const tensor of this.live) tensor.dispose();
    this.live.clear();
    for (const home of this.homes.values()) home.dispose();
    this.homes.clear();
  }

  private home(spec: TensorSpec): NativeSession {
    const known = this.homes.get(copyKey(spec));
    if (known) return known;
    const home = new this.native.InferenceSession();
    const { bytes } = copyModel(spec);
    const onDevice = { ...sessionOptions(this.options), preferredOutputLocation: 'gpu-buffer' };
    home.loadModel(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength, onDevice);
    this.homes.set(copyKey(spec), home);
    return home;
  }
}

/** Bit by bit, for a float16 may be a number in one array and a pattern in the other. */
function copyBytes(from: ArrayBufferView, to: ArrayBufferView): void {
  if (from === to) return;
  const bytes = ({ buffer, byteOffset, byteLength }: ArrayBufferView) =>
    new Uint8Array(buffer, byteOffset, byteLength);
  bytes(to).set(bytes(from));
}

const tensors = new WeakMap<HostTensor, ort.Tensor>();

/** The binding's tensors over the same data; that of a tensor is made once. */
function asOrt(values: RunTensors): OrtTensors {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => {
      if (isOnDevice(value)) return [name, value.handle as ort.Tensor];
      let tensor = tensors.get(value);
      if (!tensor) {
        tensor = toOrt(value);
        tensors.set(value, tensor);
      }
      return [name, tensor];
    }),
  );
}

function forget(values: Iterable<RunTensor>): void {
  for (const value of values) if (!isOnDevice(value)) tensors.delete(value);
}

/** @throws AnemoneError `engine.element-type` for what the binding has no type for */
export function toOrt({ dtype, shape, data }: HostTensor): ort.Tensor {
  if (dtype === 'bfloat16') {
    throw new AnemoneError({
      code: 'engine.element-type',
      message: 'the binding of onnxruntime-node takes and gives no bfloat16',
      hint: `values of it need ONNX Runtime's C API on provider cpu, by @koromix/koffi-${process.platform}-${process.arch}`,
    });
  }
  return new (onnxruntime().Tensor)(dtype as 'float32', data as Float32Array, shape);
}
