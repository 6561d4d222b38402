// A session that tells, after its first run, on which devices its nodes ran.

import type { Placement, PlacementProbe } from './placement.js';
import type { RunTensor } from './run-tensor.js';
import type { DeviceAllocator, DeviceSession, RunSettings } from './session.js';

type Tensors = Readonly<Record<string, RunTensor>>;

export class ProbedSession implements DeviceSession {
  private isProfiled = true;

  /** @param session writes its profile where the probe says */
  constructor(
    private readonly session: DeviceSession,
    private readonly probe: PlacementProbe,
    private readonly onPlacement: (placement: Placement) => void,
  ) {}

  async run(feeds: Tensors, fetches: Tensors, settings?: RunSettings): Promise<void> {
    await this.session.run(feeds, fetches, settings);
    if (!this.isProfiled) return;
    this.isProfiled = false;
    this.session.endProfiling();
    this.onPlacement(this.probe.take());
  }

  release(tensors: Iterable<RunTensor>): void {
    this.session.release(tensors);
  }

  allocator(): DeviceAllocator {
    return this.session.allocator();
  }

  /** The profile is the probe's. */
  endProfiling(): void {}

  async dispose(): Promise<void> {
    await this.session.dispose();
    if (this.isProfiled) this.probe.discard();
    this.isProfiled = false;
  }
}
