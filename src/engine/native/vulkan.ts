// Which devices Vulkan has, asked of its loader: names, kinds and limits. Structures are read by their places in vulkan_core.h,
// which never change.
import {
  type Koffi,
  koffi,
  type NativeFunction,
  type NativeLibrary,
  openLibrary,
  type Pointer,
} from './koffi.js';

/** `VkPhysicalDeviceType` of the header. */
const KINDS = ['other', 'integrated', 'discrete', 'virtual', 'software'] as const;
export type DeviceKind = (typeof KINDS)[number];

export interface VulkanDevice {
  readonly name: string;
  readonly kind: DeviceKind;
  /** Bytes of one storage buffer that a shader sees. */
  readonly largestBinding: number;
  /** Bytes of one allocation. */
  readonly largestAllocation: number;
}

const LOADER = 'libvulkan.so.1';
const P = 'void *';
/** Values of `VkStructureType`, and of VK_MAKE_API_VERSION(0, 1, 1, 0). */
const INSTANCE_CREATE_INFO = 1;
const APPLICATION_INFO = 0;
const PROPERTIES_2 = 1000059001;
const MAINTENANCE_3_PROPERTIES = 1000168000;
const VERSION_1_1 = (1 << 22) | (1 << 12);
/** Places in VkPhysicalDeviceProperties: type, name, limits, and in these maxStorageBufferRange. */
const TYPE_AT = 16;
const NAME_AT = 20;
const NAME_BYTES = 256;
const LIMITS_AT = 296;
const MAX_STORAGE_BUFFER_RANGE_AT = LIMITS_AT + 28;
/** Places in VkPhysicalDeviceProperties2 and in VkPhysicalDeviceMaintenance3Properties; more room than they need. */
const PROPERTIES_AT = 16;
const PROPERTIES_2_BYTES = 2048;
const MAX_ALLOCATION_AT = 24;
const MAINTENANCE_3_BYTES = 32;

/** Devices by Vulkan's order; undefined where it cannot be asked: elsewhere than on Linux, without koffi, before Vulkan 1.1. */
export function vulkanDevices(): readonly VulkanDevice[] | undefined {
  if (process.platform !== 'linux') return undefined;
  const library = koffi();
  return library && devicesBy(library);
}

function devicesBy(library: Koffi): readonly VulkanDevice[] | undefined {
  let loader: NativeLibrary;
  try {
    loader = openLibrary(library, LOADER);
  } catch {
    return [];
  }
  try {
    return ask(loader, library);
  } catch {
    return undefined;
  }
}

function ask(loader: NativeLibrary, library: Koffi): readonly VulkanDevice[] {
  const createInstance = loader.func(`int vkCreateInstance(${P}, ${P}, ${P})`);
  const destroyInstance = loader.func(`void vkDestroyInstance(${P}, ${P})`);
  const enumerate = loader.func(`int vkEnumeratePhysicalDevices(${P}, ${P}, ${P})`);
  const properties = loader.func(`void vkGetPhysicalDeviceProperties2(${P}, ${P})`);
  const slot = new BigUint64Array(1);
  const application = structure(48, APPLICATION_INFO);
  application.setUint32(44, VERSION_1_1, true);
  const request = structure(64, INSTANCE_CREATE_INFO);
  request.setBigUint64(24, library.address(application), true);
  if (createInstance(request, null, slot) !== 0) return [];
  const instance = slot[0];
  try {
    return handles(instance, enumerate).map((device) => describe(device, properties, library));
  } finally {
    destroyInstance(instance, null);
  }
}

function handles(instance: Pointer, enumerate: NativeFunction): Pointer[] {
  const count = new Uint32Array(1);
  if (enumerate(instance, count, null) !== 0 || count[0] === 0) return [];
  const found = new BigUint64Array(count[0]);
  enumerate(instance, count, found);
  return [...found.subarray(0, count[0])];
}

function describe(device: Pointer, properties: NativeFunction, library: Koffi): VulkanDevice {
  const maintenance = structure(MAINTENANCE_3_BYTES, MAINTENANCE_3_PROPERTIES);
  const all = structure(PROPERTIES_2_BYTES, PROPERTIES_2);
  all.setBigUint64(8, library.address(maintenance), true);
  properties(device, all);
  const at = (place: number) => all.getUint32(PROPERTIES_AT + place, true);
  const text = Buffer.from(all.buffer, PROPERTIES_AT + NAME_AT, NAME_BYTES).toString('utf8');
  return {
    name: text.slice(0, text.indexOf('\0')),
    kind: KINDS[at(TYPE_AT)] ?? 'other',
    largestBinding: at(MAX_STORAGE_BUFFER_RANGE_AT),
    largestAllocation: Number(maintenance.getBigUint64(MAX_ALLOCATION_AT, true)),
  };
}

/** Zeros that begin with a type. */
function structure(bytes: number, type: number): DataView {
  const view = new DataView(new ArrayBuffer(bytes));
  view.setUint32(0, type, true);
  return view;
}
