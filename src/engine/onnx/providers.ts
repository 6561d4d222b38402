// ONNX Runtime's execution providers by the names used here: which exist, which this machine's library has,
// and what to tell a user whose choice cannot run. Not where sessions are made (open-session.ts).
import { AnemoneError, didYouMean } from '../../errors/index.js';
import { ONNXRUNTIME_VERSION, onnxruntime } from './onnxruntime.js';

/** Names accepted as `provider`. The CPU one is in every build of ONNX Runtime. */
export const PROVIDERS = ['cpu', 'webgpu', 'cuda', 'dml', 'coreml'] as const;
/** One of {@link PROVIDERS}. */
export type Provider = (typeof PROVIDERS)[number];

/** A device with memory of its own, where states stay between runs. */
export interface ProviderDevice {
  /** What ONNX Runtime's C API calls the provider. */
  readonly name: string;
  /** What it calls the memory. */
  readonly memory: string;
  /** Option that names nodes for the CPU, one a line. */
  readonly onHost: string;
  /** What the provider is always told. */
  readonly options: Readonly<Record<string, string>>;
}

/**
 * Providers whose memory is known. That of cuda is called `Cuda` and would stand here; without such a device to run it on, it is
 * not.
 */
const DEVICES: Readonly<Partial<Record<Provider, ProviderDevice>>> = {
  webgpu: {
    name: 'WebGPU',
    memory: 'WebGPU_Buffer',
    onHost: 'forceCpuNodeNames',
    // Without it the places that ArgMax gives are cast by the CPU.
    options: { enableInt64: '1' },
  },
};

/** The device of a provider; undefined where programs are given memory of the host. */
export function deviceOf(provider: string): ProviderDevice | undefined {
  return DEVICES[provider as Provider];
}

const REMEDIES: Readonly<Record<Exclude<Provider, 'cpu'>, string>> = {
  webgpu:
    'webgpu needs a GPU driver: Vulkan on Linux (libvulkan1 and the vendor’s driver), Direct3D 12 on Windows, ' +
    'Metal on macOS; docs/engines.md shows how to check',
  cuda:
    'cuda needs Linux x64, an NVIDIA driver with CUDA 12 and cuDNN 9, and ONNX Runtime’s CUDA library: ' +
    `npm install onnxruntime-node@${ONNXRUNTIME_VERSION} --ignore-scripts, then ` +
    'node node_modules/onnxruntime-node/script/install.js (docs/engines.md)',
  dml: 'dml (DirectML) exists on Windows only; elsewhere use provider webgpu or cuda',
  coreml: 'coreml exists on macOS only; elsewhere use provider webgpu or cuda',
};

/** The provider called `name`, or an error naming the near ones. */
export function checkProvider(name: string): Provider {
  if ((PROVIDERS as readonly string[]).includes(name)) return name as Provider;
  throw new AnemoneError({
    code: 'engine.unknown-provider',
    path: 'provider',
    message: `"${name}" is not an execution provider; known: ${PROVIDERS.join(', ')}`,
    hint: didYouMean(name, PROVIDERS),
  });
}

/** Providers that the installed ONNX Runtime can try to load on this platform. */
export function supportedProviders(): string[] {
  return onnxruntime()
    .listSupportedBackends()
    .map((backend) => backend.name);
}

/** Throws unless the installed library knows `provider`; whether a device answers shows only in a session. */
export function requireProvider(provider: Provider): void {
  if (!supportedProviders().includes(provider)) throw missingProvider(provider);
}

/** The error for a provider whose library or device is not there. */
export function missingProvider(provider: string, cause?: unknown): AnemoneError {
  return new AnemoneError({
    code: 'engine.provider-unavailable',
    path: 'provider',
    message: `ONNX Runtime cannot use "${provider}" on this machine${cause ? ` (${firstLine(cause)})` : ''}`,
    hint: REMEDIES[provider as Exclude<Provider, 'cpu'>],
    details: { supported: supportedProviders() },
    cause,
  });
}

/** Whether ONNX Runtime's error text says that a provider could not be set up (rather than a bad graph). */
export function isProviderFailure(text: string): boolean {
  return /AppendExecutionProvider|shared library|backend not found|WebGPU adapter|WebGPU device|No supported adapters|CUDA failure|no CUDA-capable/i.test(
    text,
  );
}

function firstLine(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  // ONNX Runtime puts its source file and function before the sentence; the sentence is what helps.
  const sentence = text.split('\n')[0].split('was false. ').at(-1) as string;
  return sentence.length > 200 ? `${sentence.slice(0, 200)}…` : sentence;
}
