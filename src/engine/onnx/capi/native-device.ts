// Tensors of ONNX Runtime in the memory of a session's device.
import type { Pointer } from '../../native/koffi.js';
import type { TensorSpec } from '../../tensors.js';
import { onnxType } from '../onnx-graph.js';
import type { DeviceTensor } from '../run-tensor.js';
import type { DeviceAllocator } from '../session.js';
import type { OrtApi } from './api.js';

/** `OrtDeviceAllocator` and `OrtMemTypeDefault` of the header. */
const DEVICE_ALLOCATOR = 0;
const DEFAULT_MEMORY = 0;
const FIRST_DEVICE = 0;

export interface NativeDeviceTensor extends DeviceTensor {
  readonly handle: Pointer;
}

export class NativeDeviceAllocator implements DeviceAllocator {
  private readonly memory: Pointer;
  private readonly pointer: Pointer;
  private readonly live = new Set<Pointer>();
  private readonly abandoned: FinalizationRegistry<Pointer>;
  private isOpen = true;

  /**
   * @param session outlives the allocator
   * @param memory what ONNX Runtime calls the memory
   * @throws OrtError
   */
  constructor(
    private readonly api: OrtApi,
    session: Pointer,
    memory: string,
  ) {
    this.memory = api.make('CreateMemoryInfo', memory, DEVICE_ALLOCATOR, FIRST_DEVICE, DEFAULT_MEMORY);
    try {
      this.pointer = api.make('CreateAllocator', session, this.memory);
    } catch (error) {
      api.release('ReleaseMemoryInfo', this.memory);
      throw error;
    }
    this.abandoned = new FinalizationRegistry((pointer) => this.release(pointer));
  }

  allocate({ dtype, shape }: TensorSpec): NativeDeviceTensor {
    const dimensions = BigInt64Array.from([...shape, 0], BigInt);
    const handle = this.api.make(
      'CreateTensorAsOrtValue',
      this.pointer,
      dimensions,
      shape.length,
      onnxType[dtype],
    );
    const tensor = { dtype, shape, handle };
    this.live.add(handle);
    this.abandoned.register(tensor, handle, tensor);
    return tensor;
  }

  free(tensor: DeviceTensor): void {
    this.abandoned.unregister(tensor);
    this.release(tensor.handle as Pointer);
  }

  dispose(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    for (const pointer of this.live) this.release(pointer);
    this.api.release('ReleaseAllocator', this.pointer);
    this.api.release('ReleaseMemoryInfo', this.memory);
  }

  /** Once for each. */
  private release(pointer: Pointer): void {
    if (this.live.delete(pointer)) this.api.release('ReleaseValue', pointer);
  }
}
