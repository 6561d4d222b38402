// The class of values that outlive a run.
import { currentScope, type ProgramState } from './scope.js';
import { allocate, type DType, type HostData, sizeOf } from './tensors.js';
import type { Tensor } from './tf.js';

/**
 * A named value that lives across program runs: parameters, buffers (running statistics), optimizer slots,
 * accumulators. The engine in use holds the value; this object is only its identity and its start.
 */
export class State implements ProgramState {
  private stored: DType | undefined;

  constructor(
    readonly label: string,
    readonly shape: readonly number[],
    /** What programs compute with. */
    readonly computedAs: DType = 'float32',
    private readonly makeInitial?: () => HostData,
  ) {}

  /** The type that the engine holds, and files. */
  get dtype(): DType {
    return this.stored ?? this.computedAs;
  }

  /** Says that the engine holds the value in fewer bits than programs compute with. Call before it holds any; see `storeIn`. */
  storeAs(dtype: DType): void {
    this.stored = dtype;
  }

  /** Dotted name for messages and checkpoints; modules override it with the full path. */
  get name(): string {
    return this.label;
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  /** First value, made when an engine first needs it (zeros by default). */
  initialValue(): HostData {
    return this.makeInitial ? this.makeInitial() : allocate(this.computedAs, this.size);
  }

  /** The value inside the program being traced or run. */
  tensor(): Tensor {
    return currentScope().read(this);
  }

  /** Sets the value inside the program being traced or run. */
  assign(value: Tensor): void {
    currentScope().assign(this, value);
  }
}
