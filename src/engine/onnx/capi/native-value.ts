// Tensors of ONNX Runtime over memory of ours. ONNX Runtime keeps a bare pointer to that memory, so an owner keeps the
// memory; and a value that nobody disposed of is released when its owner is collected.
import type { Pointer } from '../../native/koffi.js';
import { type HostTensor, sizeOf } from '../../tensors.js';
import { bytesOfType, type OnnxType, type OnnxValue, onnxType } from '../onnx-graph.js';
import { isOnDevice, type RunTensor } from '../run-tensor.js';
import type { OrtApi } from './api.js';

/** `OrtDeviceAllocator` and `OrtMemTypeDefault` of the header. */
const DEVICE_ALLOCATOR = 0;
const DEFAULT_MEMORY = 0;

/** What a value is made of: elements in the order of rows. */
export interface ValueData {
  readonly dtype: OnnxType;
  readonly shape: readonly number[];
  readonly data: ArrayBufferView;
}

/** Makes values, and keeps those of tensors that are used again, such as states. */
export class NativeValues {
  private readonly cpuMemory: Pointer;
  private readonly dimensions = new BigInt64Array(16);
  private readonly kept = new WeakMap<HostTensor, NativeValue>();
  private readonly abandoned: FinalizationRegistry<Pointer>;

  constructor(private readonly api: OrtApi) {
    this.cpuMemory = api.make('CreateCpuMemoryInfo', DEVICE_ALLOCATOR, DEFAULT_MEMORY);
    this.abandoned = new FinalizationRegistry((pointer) => api.release('ReleaseValue', pointer));
  }

  /** What the value of a tensor is reached by; data on the host must stay where it is. */
  pointerOf(tensor: RunTensor): Pointer {
    return isOnDevice(tensor) ? (tensor.handle as Pointer) : this.of(tensor).pointer;
  }

  private of(tensor: HostTensor): NativeValue {
    const keptValue = this.kept.get(tensor);
    if (keptValue) return keptValue.whole();
    const value = this.make(tensor);
    this.kept.set(tensor, value);
    return value;
  }

  /** A value in memory that the caller keeps, and whose pointer it frees. */
  within(block: ArrayBuffer, offset: number, { shape, dtype }: OnnxValue): Pointer {
    const bytes = sizeOf(shape) * bytesOfType(dtype);
    return this.pointerTo(new Uint8Array(block, offset, bytes), shape, dtype);
  }

  free(pointer: Pointer): void {
    this.api.release('ReleaseValue', pointer);
  }

  /** A value of the caller's, who disposes of it. The data must stay where it is. */
  make({ dtype, shape, data }: ValueData): NativeValue {
    const pointer = this.pointerTo(data, shape, dtype);
    const value = new NativeValue(pointer, data);
    this.abandoned.register(value, pointer, value);
    return value;
  }

  private pointerTo(data: ArrayBufferView, shape: readonly number[], dtype: OnnxType): Pointer {
    shape.forEach((size, axis) => {
      this.dimensions[axis] = BigInt(size);
    });
    return this.api.make(
      'CreateTensorWithData',
      this.cpuMemory,
      data,
      data.byteLength,
      this.dimensions,
      shape.length,
      onnxType[dtype],
    );
  }

  /** Gives up the value of a tensor; the tensor itself is the caller's. */
  release(tensor: RunTensor): void {
    if (isOnDevice(tensor)) return;
    const value = this.kept.get(tensor);
    if (!value) return;
    this.kept.delete(tensor);
    this.dispose(value);
  }

  dispose(value: NativeValue): void {
    this.abandoned.unregister(value);
    this.api.release('ReleaseValue', value.pointer);
  }
}

/** Keeps its tensor's memory for as long as it is reachable itself. */
export class NativeValue {
  private readonly bytes: number;

  constructor(
    readonly pointer: Pointer,
    readonly data: ArrayBufferView,
  ) {
    this.bytes = data.byteLength;
  }

  /** Itself. @throws Error if its memory has gone to another thread, or was cut: ONNX Runtime would use what is not there */
  whole(): this {
    if (this.data.byteLength === this.bytes) return this;
    throw new Error('the data of a tensor was transferred or resized since it was last used');
  }
}
