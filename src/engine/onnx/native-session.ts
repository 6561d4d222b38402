// One ONNX Runtime session. For the CPU provider the native binding is called directly, because the public
// API copies every output into a fresh buffer even when a buffer for it was given; the binding itself has by
// then already written into ours. Other providers, and builds without the expected binding, take the public way.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type * as ort from 'onnxruntime-common';
import { AnemoneError } from '../../errors/index.js';
import { onnxruntime, onnxruntimePath } from './onnxruntime.js';
import { type Placement, PlacementProbe } from './placement.js';
import { isProviderFailure, missingProvider } from './providers.js';

export type OrtTensor = ort.Tensor;
export type OrtTensors = Record<string, ort.Tensor>;

export interface SessionOptions {
  readonly provider: string;
  readonly threads: number;
  readonly optimization: 'disabled' | 'basic' | 'extended' | 'all';
  readonly arena: boolean;
  readonly profile?: string;
  readonly logSeverity?: 0 | 1 | 2 | 3 | 4;
  /** Told, after the first run, on which devices the nodes ran. Not for the CPU provider. */
  readonly onPlacement?: (placement: Placement) => void;
}

export interface Session {
  /** Computes into the data of `fetches`. */
  run(feeds: OrtTensors, fetches: OrtTensors): Promise<void>;
  dispose(): Promise<void>;
  endProfiling(): void;
}

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

export async function createSession(model: Uint8Array, options: SessionOptions): Promise<Session> {
  try {
    const native = options.provider === 'cpu' ? nativeBinding() : null;
    return native ? nativeSession(native, model, options) : await publicSession(model, options);
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    if (isProviderFailure(text)) throw missingProvider(options.provider, cause);
    throw ortError('cannot prepare a compiled program', cause);
  }
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
      discardResults = true;
      try {
        session.run(feeds, fetches, {});
      } catch (cause) {
        if (!(cause instanceof OutputsAreWritten)) throw ortError('a compiled program failed', cause);
      } finally {
        discardResults = false;
      }
    },
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
      try {
        const results = await session.run(feeds, Object.keys(fetches));
        for (const [name, target] of Object.entries(fetches)) {
          const data = results[name].data as Float32Array;
          if (data !== target.data) (target.data as Float32Array).set(data);
        }
        reportPlacement();
      } catch (cause) {
        throw ortError('a compiled program failed', cause);
      }
    },
    async dispose() {
      await session.release();
      probe?.discard();
    },
    endProfiling: () => session.endProfiling(),
  };
}

function ortError(what: string, cause: unknown): AnemoneError {
  const text = cause instanceof Error ? cause.message : String(cause);
  if (/bad_alloc|Failed to allocate|out of memory/i.test(text)) {
    return new AnemoneError({
      code: 'engine.out-of-memory',
      message: `${what}: not enough memory`,
      hint: 'use shorter or fewer utterances in a batch (batch_size, batch_duration, max_duration)',
      cause,
    });
  }
  return new AnemoneError({ code: 'engine.onnxruntime', message: `${what}: ${text}`, cause });
}
