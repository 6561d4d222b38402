// Memory of a provider's device, where states stay between runs. What is in it belongs to a session, its home: a buffer
// whose session is released ends the process, and programs, with theirs, come and go.
import type { EngineStats } from '../engine.js';
import { allocate, type DType, type HostTensor, sizeOf, type TensorSpec } from '../tensors.js';
import { copyKey, copyModel } from './copy-model.js';
import { checkFits } from './device-limit.js';
import { bytesOfTensor, type DeviceTensor } from './run-tensor.js';
import type { DeviceAllocator, DeviceSession, Session, SessionModel } from './session.js';

/** Types that every device computes on. Values of others are fed and fetched at every run. */
const HELD: readonly DType[] = ['float32', 'int32'];

/** What the home session copies; any would do. */
const HOME: TensorSpec = { dtype: 'float32', shape: [1] };

export class DeviceMemory {
  /** By type and number of axes. */
  private readonly copies = new Map<string, Promise<Session>>();
  private readonly allocator: Promise<DeviceAllocator>;
  /** Bytes that are allocated now. */
  bytes = 0;

  /**
   * @param open makes a session of the provider
   * @param stats where bytes that are copied are counted
   * @param largestTensor bytes that a tensor may have
   */
  constructor(
    private readonly open: (model: SessionModel) => Promise<DeviceSession>,
    private readonly stats: EngineStats,
    private readonly largestTensor = Number.POSITIVE_INFINITY,
  ) {
    const home = open(copyModel(HOME));
    this.copies.set(copyKey(HOME), home);
    this.allocator = home.then((session) => session.allocator());
    // A device that is missing is told by whoever waits for it.
    this.allocator.catch(() => {});
  }

  /** Whether values of a type can lie here. */
  holds(dtype: DType): boolean {
    return HELD.includes(dtype);
  }

  /** Room for a tensor. @param name whose it is @throws AnemoneError `engine.device-limit` */
  async allocate(spec: TensorSpec, name: string): Promise<DeviceTensor> {
    const bytes = bytesOfTensor(spec);
    checkFits(spec, name, this.largestTensor);
    const tensor = (await this.allocator).allocate(spec);
    this.bytes += bytes;
    return tensor;
  }

  async free(tensor: DeviceTensor): Promise<void> {
    (await this.allocator).free(tensor);
    this.bytes -= bytesOfTensor(tensor);
  }

  async upload(from: HostTensor, to: DeviceTensor): Promise<void> {
    const session = await this.copier(from);
    await session.run({ x: from }, { y: to });
    session.release([from]);
    this.stats.bytesToDevice += bytesOfTensor(to);
  }

  /** A copy of a tensor in memory of the host. */
  async download(from: DeviceTensor): Promise<HostTensor> {
    const { dtype, shape } = from;
    const to: HostTensor = { dtype, shape, data: allocate(dtype, sizeOf(shape)) };
    const session = await this.copier(from);
    await session.run({ x: from }, { y: to });
    session.release([to]);
    this.stats.bytesToHost += bytesOfTensor(from);
    return to;
  }

  /** Call when no program runs any more: what is left is freed, then its home. */
  async dispose(): Promise<void> {
    const [allocator] = await Promise.allSettled([this.allocator]);
    if (allocator.status === 'fulfilled') allocator.value.dispose();
    for (const copy of await Promise.allSettled(this.copies.values())) {
      if (copy.status === 'fulfilled') await copy.value.dispose();
    }
    this.copies.clear();
  }

  private copier(spec: TensorSpec): Promise<Session> {
    const key = copyKey(spec);
    const known = this.copies.get(key) ?? this.open(copyModel(spec));
    this.copies.set(key, known);
    return known;
  }
}
