// The device that a provider computes on, asked for before anything is compiled: whether there is one, whether it is one, and what
// it can hold.
import { type DeviceKind, type VulkanDevice, vulkanDevices } from '../native/vulkan.js';
import { missingProvider } from './providers.js';

export interface Adapter {
  readonly name: string;
  readonly isSoftware: boolean;
  /** Bytes of one buffer, and so of one tensor. */
  readonly largestTensor: number;
}

/** The order in which the provider prefers devices. */
const PREFERRED: readonly DeviceKind[] = ['discrete', 'integrated', 'virtual', 'other', 'software'];

/**
 * The device of webgpu; undefined for other providers, and where nothing can be asked: there ONNX Runtime tells what is wrong
 * when the first program is compiled.
 * @param devices those of Vulkan, undefined where that cannot be asked
 * @throws AnemoneError `engine.provider-unavailable` where there is none
 */
export function adapterOf(
  provider: string,
  devices: () => readonly VulkanDevice[] | undefined = vulkanDevices,
): Adapter | undefined {
  if (provider !== 'webgpu') return undefined;
  const found = devices();
  if (!found) return undefined;
  const [best] = PREFERRED.flatMap((kind) => found.filter((device) => device.kind === kind));
  if (!best) throw missingProvider(provider, new Error('Vulkan finds no device'));
  return { name: best.name, isSoftware: best.kind === 'software', largestTensor: best.largestAllocation };
}

const told = new Set<string>();

/** One line for each software device: it computes rightly, and slower than the CPU does by itself. */
export function nameSoftware({ name, isSoftware }: Adapter): void {
  if (!isSoftware || told.has(name)) return;
  told.add(name);
  process.emitWarning(`webgpu computes on ${name}, a device in software: provider cpu is faster`, {
    code: 'ANEMONE_SOFTWARE_DEVICE',
  });
}
