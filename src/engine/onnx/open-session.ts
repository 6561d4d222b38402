// Chooses how ONNX Runtime is reached: by its C API, or by the binding of onnxruntime-node where koffi is not installed, for
// providers whose device is not known, and where ANEMONE_ORT says so. What goes wrong becomes errors of this library.
import { AnemoneError, isOutOfMemory } from '../../errors/index.js';
import { throwIfCancelled } from '../cancellation.js';
import { createBindingSession } from './binding-session.js';
import { type OrtApi, ortApi } from './capi/api.js';
import { createCapiSession } from './capi/capi-session.js';
import { runsInForeseenOrder } from './capi/execution-order.js';
import { nativeOperators } from './capi/native-operators.js';
import { PlacementProbe } from './placement.js';
import { ProbedSession } from './probed-session.js';
import { deviceOf, isProviderFailure, missingProvider } from './providers.js';
import type { RunTensor } from './run-tensor.js';
import type {
  DeviceAllocator,
  DeviceSession,
  RunSettings,
  Session,
  SessionModel,
  SessionOptions,
} from './session.js';

/** `binding` or `capi` in place of what is found best. */
const CHOICE = 'ANEMONE_ORT';

/** @throws AnemoneError `engine.out-of-memory`, `engine.provider-unavailable`, `engine.device-*`, `engine.onnxruntime*` */
export async function openSession(model: SessionModel, options: SessionOptions): Promise<Session> {
  try {
    return new GuardedSession(await opened(model, options));
  } catch (cause) {
    if (cause instanceof AnemoneError) throw cause;
    if (isProviderFailure(messageOf(cause))) throw missingProvider(options.provider, cause);
    throw ortError('cannot prepare a compiled program', cause);
  }
}

/** A session that tensors on its device can belong to. @throws AnemoneError as `openSession` */
export async function openHome(model: SessionModel, options: SessionOptions): Promise<DeviceSession> {
  const session = await openSession(model, options);
  return session as GuardedSession;
}

async function opened(model: SessionModel, options: SessionOptions): Promise<DeviceSession> {
  if (!options.onPlacement || options.profile) return openedBy(model, options);
  const probe = new PlacementProbe();
  try {
    const session = await openedBy(model, { ...options, profile: probe.prefix });
    return new ProbedSession(session, probe, options.onPlacement);
  } catch (cause) {
    probe.discard();
    throw cause;
  }
}

function openedBy(model: SessionModel, options: SessionOptions): Promise<DeviceSession> {
  const api = usesCapi(options.provider) ? chosenApi() : undefined;
  if (!api) return createBindingSession(model, options);
  return Promise.resolve(createCapiSession(api, model, options));
}

/** Whether a provider is reached by the C API, where that can be had. */
function usesCapi(provider: string): boolean {
  return provider === 'cpu' || deviceOf(provider) !== undefined;
}

/** Whether a provider's sessions take weights that are not in the model's bytes. @throws AnemoneError see `openSession` */
export function takesWeights(provider: string): boolean {
  return provider === 'cpu' && chosenApi() !== undefined;
}

/** Whether nodes of a provider's sessions may be functions of ours. @throws AnemoneError see `openSession` */
export function runsHostCalls(provider: string): boolean {
  return usesCapi(provider) && chosenApi() !== undefined;
}

/** Whether a provider's sessions know the operator Gemm16. @throws AnemoneError see `openSession` */
export function hasGemm16(provider: string): boolean {
  const api = provider === 'cpu' ? chosenApi() : undefined;
  return api !== undefined && nativeOperators(api)?.gemm16 === true;
}

/** Whether they know the operator Pointwise. @throws AnemoneError see `openSession` */
export function hasPointwise(provider: string): boolean {
  const api = provider === 'cpu' ? chosenApi() : undefined;
  return api !== undefined && nativeOperators(api)?.pointwise === true;
}

/** Whether they know the operators of convolutions of native/. @throws AnemoneError see `openSession` */
export function hasConvolutions(provider: string): boolean {
  const api = provider === 'cpu' ? chosenApi() : undefined;
  return api !== undefined && nativeOperators(api)?.convolutions === true;
}

/** Whether they do with a library that runs nodes in the usual order. @throws AnemoneError see `openSession` */
export function mayPlanMemory({ provider, workspace, optimization, arena }: SessionOptions): boolean {
  return takesWeights(provider) && workspace !== undefined && optimization === 'disabled' && !arena;
}

let foreseen: Promise<boolean> | undefined;

/** Whether sessions with these options compute in places that are planned. @throws AnemoneError see `openSession` */
export async function computesAsPlanned(options: SessionOptions): Promise<boolean> {
  const api = mayPlanMemory(options) ? chosenApi() : undefined;
  if (!api) return false;
  foreseen ??= runsInForeseenOrder((model) => createCapiSession(api, model, options));
  return foreseen;
}

/** The C API, unless another way is asked for or it cannot be had. */
function chosenApi(choice = process.env[CHOICE] ?? ''): OrtApi | undefined {
  if (choice !== '' && choice !== 'capi' && choice !== 'binding') {
    throw new AnemoneError({
      code: 'engine.onnxruntime-way',
      message: `${CHOICE} is "${choice}"`,
      hint: 'capi (the C API, by koffi) and binding (that of onnxruntime-node) are the ways to ONNX Runtime',
    });
  }
  if (choice === 'binding') return undefined;
  const found = tryApi();
  if (choice === '' && found.failure && !(found.failure instanceof AnemoneError))
    warnOfBinding(found.failure);
  if (choice === '' || found.api) return found.api;
  if (found.failure instanceof AnemoneError) throw found.failure;
  if (found.failure) throw ortError("ONNX Runtime's C API cannot be used", found.failure);
  throw new AnemoneError({
    code: 'engine.onnxruntime-way',
    message: `${CHOICE}=capi needs @koromix/koffi-${process.platform}-${process.arch}, which is not installed`,
    hint: 'install it, or leave the variable out',
  });
}

let attempt: { readonly api?: OrtApi | undefined; readonly failure?: unknown } | undefined;

function tryApi(): NonNullable<typeof attempt> {
  if (!attempt) {
    try {
      attempt = { api: ortApi() };
    } catch (failure) {
      attempt = { failure };
    }
  }
  return attempt;
}

let isTold = false;

/** The binding does the same with more time and memory; nothing else would say why. */
function warnOfBinding(failure: unknown): void {
  if (isTold) return;
  isTold = true;
  const text = `${messageOf(failure)}: the binding of onnxruntime-node is used, which takes more memory`;
  process.emitWarning(text, { code: 'ANEMONE_ONNXRUNTIME_BINDING' });
}

/** A session whose failures are errors of this library. */
class GuardedSession implements DeviceSession {
  constructor(private readonly inner: DeviceSession) {}

  async run(feeds: Tensors, fetches: Tensors, settings: RunSettings = {}): Promise<void> {
    throwIfCancelled(settings.signal);
    try {
      await this.inner.run(feeds, fetches, settings);
    } catch (cause) {
      throw cause instanceof AnemoneError ? cause : ortError('a compiled program failed', cause);
    }
  }

  release(tensors: Iterable<RunTensor>): void {
    this.inner.release(tensors);
  }

  allocator(): DeviceAllocator {
    return this.inner.allocator();
  }

  dispose(): Promise<void> {
    return this.inner.dispose();
  }

  endProfiling(): void {
    this.inner.endProfiling();
  }
}

type Tensors = Readonly<Record<string, RunTensor>>;

function ortError(what: string, cause: unknown): AnemoneError {
  const text = messageOf(cause);
  if (isOutOfMemory(cause)) {
    return new AnemoneError({
      code: 'engine.out-of-memory',
      message: `${what}: not enough memory`,
      hint: 'use fewer or shorter examples in a batch (batch_size, batch_duration, max_duration)',
      cause,
    });
  }
  return (
    deviceError(text, cause) ??
    new AnemoneError({ code: 'engine.onnxruntime', message: `${what}: ${text}`, cause })
  );
}

/** What a device says that is gone, or that has refused a buffer before: whoever used that is told so. */
function deviceError(text: string, cause: unknown): AnemoneError | undefined {
  if (/device\]? (is|was) lost|device lost|DEVICE_LOST|DXGI_ERROR_DEVICE/i.test(text)) {
    return new AnemoneError({
      code: 'engine.device-lost',
      message: 'the device was lost while it computed: its driver was reset or ended, or it was taken away',
      hint: 'the same command goes on from the last checkpoint; if it happens again, use a smaller batch or provider cpu',
      cause,
    });
  }
  if (/due to a previous error|OUT_OF_DEVICE_MEMORY|max buffer size limit/i.test(text)) {
    return new AnemoneError({
      code: 'engine.device-memory',
      message: 'the device has no memory for what a program computes',
      hint: 'use fewer or shorter examples in a batch (batch_size, batch_duration, max_duration), or provider cpu',
      cause,
    });
  }
  return undefined;
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
