// Values of states on the host, two buffers each: a program reads one and writes the other, and committing a
// run swaps them. (Writing in place would let an update overtake a reader inside the graph.)
import { AnemoneError } from '../../errors/index.js';
import type { ProgramState } from '../scope.js';
import { allocate, checkTensor, type HostData, type HostTensor } from '../tensors.js';

interface Slot {
  current: HostTensor;
  spare: HostTensor | undefined;
  /** Changes with the value. */
  version: number;
}

export class StateStore {
  private readonly slots = new Map<ProgramState, Slot>();
  private versions = 0;

  /** The tensor holding the state's value. */
  current(state: ProgramState): HostTensor {
    return this.slot(state).current;
  }

  /** Another number after every change of the state's value. */
  version(state: ProgramState): number {
    return this.slot(state).version;
  }

  /** The tensor a run writes the state's next value into. */
  next(state: ProgramState): HostTensor {
    const slot = this.slot(state);
    slot.spare ??= makeTensor(state, allocate(state.dtype, state.size));
    return slot.spare;
  }

  /** Call when a run has written the new value into `current`. */
  overwritten(state: ProgramState): void {
    this.slot(state).version = ++this.versions;
  }

  /** Makes what was written into `next` the value. */
  commit(state: ProgramState): void {
    const slot = this.slot(state);
    if (!slot.spare) return;
    [slot.current, slot.spare] = [slot.spare, slot.current];
    slot.version = ++this.versions;
  }

  /** @param value the store's from now on */
  set(state: ProgramState, value: HostData): void {
    if (value.length !== state.size) {
      throw new AnemoneError({
        code: 'engine.state-size',
        path: state.name,
        message: `expected ${state.size} values, got ${value.length}`,
      });
    }
    checkTensor(makeTensor(state, value), state.name);
    const slot = this.slots.get(state);
    if (!slot) {
      this.slots.set(state, this.newSlot(state, value));
      return;
    }
    slot.current = makeTensor(state, value);
    slot.version = ++this.versions;
  }

  release(states: Iterable<ProgramState>): void {
    for (const state of states) this.slots.delete(state);
  }

  clear(): void {
    this.slots.clear();
  }

  private slot(state: ProgramState): Slot {
    let slot = this.slots.get(state);
    if (!slot) {
      slot = this.newSlot(state, state.initialValue());
      this.slots.set(state, slot);
    }
    return slot;
  }

  private newSlot(state: ProgramState, value: HostData): Slot {
    return { current: makeTensor(state, value), spare: undefined, version: ++this.versions };
  }
}

function makeTensor({ dtype, shape }: ProgramState, data: HostData): HostTensor {
  return { dtype, shape, data };
}
