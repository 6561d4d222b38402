// Values between inputs and outputs whose places are planned (passes/memory-plan.ts): to ONNX Runtime they are outputs like
// others, with memory of ours.
import type { Pointer } from '../../native/koffi.js';
import type { PlacedValue } from '../passes/memory-plan.js';
import type { Room } from '../session.js';
import type { NativeValues } from './native-value.js';

export class PlannedValues {
  /** The block of the last run. Not kept: programs of other shapes may have made a larger one, and this would be beside it. */
  private block: WeakRef<ArrayBuffer> | undefined;
  private start = 0;
  private pointers: readonly Pointer[] = [];

  constructor(
    private readonly values: NativeValues,
    private readonly planned: readonly PlacedValue[],
  ) {}

  /** Writes pointers to the values, which lie in `memory`, into `table` from its place `first` on. */
  fill({ block, start }: Room, table: BigUint64Array, first: number): void {
    if (block === this.block?.deref() && start === this.start) return;
    this.release();
    this.pointers = this.planned.map(({ value, offset }) => this.values.within(block, start + offset, value));
    this.block = new WeakRef(block);
    this.start = start;
    this.pointers.forEach((pointer, i) => {
      table[first + i] = pointer;
    });
  }

  release(): void {
    for (const pointer of this.pointers) this.values.free(pointer);
    this.pointers = [];
    this.block = undefined;
  }
}
