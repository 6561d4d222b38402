// Memory of values that lie in the block which their program computes in, and are read by a later part of the program.
import { dataOver, type HostTensor, sizeOf, type TensorSpec } from '../tensors.js';
import type { Workspace } from './capi/workspace.js';
import type { MemoryPlan } from './passes/memory-plan.js';
import type { Room } from './session.js';

/** What a run has to itself. */
export interface PassingRoom {
  /** By the names of the values. */
  readonly tensors: ReadonlyMap<string, HostTensor>;
  /** Where the part computes that makes them. */
  readonly memory: Room;
  /** Where the part computes that reads them. */
  readonly behind: Room;
  giveBack(): void;
}

export class PassingPlaces {
  /** By the block, and for as long as there is one: programs of larger shapes have another made. */
  private readonly tensorsIn = new WeakMap<ArrayBuffer, ReadonlyMap<string, HostTensor>>();

  private readonly names: ReadonlySet<string>;

  /** @param behindBytes what the later part needs beside them */
  constructor(
    private readonly workspace: Workspace,
    private readonly plan: MemoryPlan,
    private readonly behindBytes: number,
  ) {
    this.names = new Set(plan.passing.map(({ value }) => value.name));
  }

  has(name: string): boolean {
    return this.names.has(name);
  }

  take(): PassingRoom {
    const { workspace, plan, behindBytes } = this;
    const block = workspace.take(plan.bytes + behindBytes);
    const tensors = this.tensorsIn.get(block) ?? placedIn(block, plan);
    this.tensorsIn.set(block, tensors);
    return {
      tensors,
      memory: { block, start: 0 },
      behind: { block, start: plan.bytes },
      giveBack: () => workspace.give(block),
    };
  }
}

function placedIn(block: ArrayBuffer, { passing }: MemoryPlan): ReadonlyMap<string, HostTensor> {
  return new Map(
    passing.map(({ value, offset }) => {
      const { dtype, shape } = value as TensorSpec;
      return [value.name, { dtype, shape, data: dataOver(dtype, block, offset, sizeOf(shape)) }] as const;
    }),
  );
}
