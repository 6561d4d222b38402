// A session of onnxruntime-node's binding, for machines without koffi and for providers other than the CPU. On the CPU the
// native binding is called directly, because the public API copies every output into a fresh buffer even when a buffer
// for it was given; the binding itself has by then already written into ours. Other providers, and builds without the
// expected binding, take the public way.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type * as ort from 'onnxruntime-common';
import { AnemoneError } from '../../errors/index.js';
import type { HostTensor } from '../tensors.js';
import { onnxruntime, onnxruntimePath } from './onnxruntime.js';
import { PlacementProbe } from './placement.js';
import type { Session, SessionModel, SessionOptions } from './session.js';

type OrtTensors = Record<string, ort.Tensor>;
type HostTensors = Readonly<Record<string, HostTensor>>;

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
    loaded.initOrtOnce(3, ResultTensor, true);
    binding = loaded;
  } catch {
    binding = null;
  }
  return binding;
}

/** @throws Error what ONNX Runtime says */
export async function createBindingSession(
  { bytes }: SessionModel,
  options: SessionOptions,
): Promise<Session> {
  const native = options.provider === 'cpu' ? nativeBinding() : null;
  return native ? nativeSession(native, bytes, options) : await publicSession(bytes, options);
}

function sessionOptions(options: SessionOptions): ort.InferenceSession.SessionOptions {
  return {
    executionProviders: [options.provider],
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

function nativeSession(native: Binding, model: Uint8Array, options: SessionOptions): Session {
  const session = new native.InferenceSession();
  session.loadModel(model.buffer as ArrayBuffer, model.byteOffset, model.byteLength, sessionOptions(options));
  return {
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

async function publicSession(model: Uint8Array, options: SessionOptions): Promise<Session> {
  let probe = options.onPlacement && !options.profile ? new PlacementProbe() : undefined;
  const profiled = probe ? { ...options, profile: probe.prefix } : options;
  const session = await onnxruntime()
    .InferenceSession.create(model, sessionOptions(profiled))
    .catch((cause) => {
      probe?.discard();
      throw cause;
    });
  const reportPlacement = () => {
    if (!probe) return;
    session.endProfiling();
    options.onPlacement?.(probe.take());
    probe = undefined;
  };
  return {
    async run(feeds, fetches) {
      const results = await session.run(asOrt(feeds), Object.keys(fetches));
      for (const [name, target] of Object.entries(fetches)) {
        copyBytes(results[name].data as Float32Array, target.data);
      }
      reportPlacement();
    },
    release: forget,
    async dispose() {
      await session.release();
      probe?.discard();
    },
    endProfiling: () => session.endProfiling(),
  };
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
function asOrt(values: HostTensors): OrtTensors {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => {
      let tensor = tensors.get(value);
      if (!tensor) {
        tensor = toOrt(value);
        tensors.set(value, tensor);
      }
      return [name, tensor];
    }),
  );
}

function forget(values: Iterable<HostTensor>): void {
  for (const value of values) tensors.delete(value);
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
