// What runs are given and fill: tensors of the host, and of the device of a provider.
import { bytesOf, type HostTensor, sizeOf, type TensorSpec } from '../tensors.js';

/** A tensor on a device. */
export interface DeviceTensor extends TensorSpec {
  /** What the sessions know it by. */
  readonly handle: unknown;
}

/** What a run is given and fills. */
export type RunTensor = HostTensor | DeviceTensor;

/** Whether a tensor lies on a device. */
export function isOnDevice(tensor: RunTensor): tensor is DeviceTensor {
  return 'handle' in tensor;
}

/** Bytes of a tensor's elements. */
export function bytesOfTensor({ dtype, shape }: TensorSpec): number {
  return bytesOf(dtype, sizeOf(shape));
}
