// Values of states, two tensors each: a program reads one and writes the other, and committing a run swaps them. (Writing in
// place would let an update overtake a reader inside the graph.) With a device they lie there from the first program that
// reads them on, and come back when somebody reads them.
import { AnemoneError } from '../../errors/index.js';
import type { ProgramState } from '../scope.js';
import { firstValue } from '../stored-types.js';
import { allocate, checkTensor, type HostData, type HostTensor } from '../tensors.js';
import type { DeviceMemory } from './device-memory.js';
import { isOnDevice, type RunTensor } from './run-tensor.js';

interface Slot {
  current: RunTensor;
  spare: RunTensor | undefined;
  /** Changes with the value. */
  version: number;
}

export class StateStore {
  private readonly slots = new Map<ProgramState, Slot>();
  private versions = 0;
  /** Device tensors that no state has any more. */
  private unused: RunTensor[] = [];

  /** @param device where states lie instead of on the host, as far as it holds their types */
  constructor(private readonly device?: () => DeviceMemory) {}

  /** Puts states where programs read them. Call before a run. */
  async place(states: Iterable<ProgramState>): Promise<void> {
    const device = this.device?.();
    if (!device) return;
    await this.freeUnused(device);
    for (const state of states) {
      const slot = this.slot(state);
      if (isOnDevice(slot.current) || !device.holds(state.dtype)) continue;
      const tensor = await device.allocate(state, state.name);
      await device.upload(slot.current, tensor);
      slot.current = tensor;
    }
  }

  /** Makes room for the next values of states. Call before a run that writes them. */
  async makeRoom(states: Iterable<ProgramState>): Promise<void> {
    const device = this.device?.();
    for (const state of states) {
      const slot = this.slot(state);
      if (slot.spare) continue;
      slot.spare = device?.holds(state.dtype)
        ? await device.allocate(state, state.name)
        : makeTensor(state, allocate(state.dtype, state.size));
    }
  }

  /** The tensor holding the state's value, where programs read it. */
  current(state: ProgramState): RunTensor {
    return this.slot(state).current;
  }

  /** The same of a state that lies on the host. */
  currentOnHost(state: ProgramState): HostTensor {
    const { current } = this.slot(state);
    if (isOnDevice(current)) throw new Error(`${state.name} lies on the device`);
    return current;
  }

  /** The state's value on the host: the tensor that holds it, or a copy. */
  async read(state: ProgramState): Promise<HostTensor> {
    const { current } = this.slot(state);
    const device = this.device?.();
    return isOnDevice(current) && device ? device.download(current) : this.currentOnHost(state);
  }

  /** Another number after every change of the state's value. */
  version(state: ProgramState): number {
    return this.slot(state).version;
  }

  /** The tensor a run writes the state's next value into; see `makeRoom`. */
  next(state: ProgramState): RunTensor {
    const { spare } = this.slot(state);
    if (!spare) throw new Error(`there is no room for the next value of ${state.name}`);
    return spare;
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
    this.giveUp(slot.current);
    slot.current = makeTensor(state, value);
    slot.version = ++this.versions;
  }

  release(states: Iterable<ProgramState>): void {
    for (const state of states) {
      const slot = this.slots.get(state);
      if (!slot) continue;
      this.giveUp(slot.current);
      if (slot.spare) this.giveUp(slot.spare);
      this.slots.delete(state);
    }
  }

  clear(): void {
    this.slots.clear();
    this.unused = [];
  }

  private giveUp(tensor: RunTensor): void {
    if (isOnDevice(tensor)) this.unused.push(tensor);
  }

  private async freeUnused(device: DeviceMemory): Promise<void> {
    for (const tensor of this.unused.splice(0)) if (isOnDevice(tensor)) await device.free(tensor);
  }

  private slot(state: ProgramState): Slot {
    let slot = this.slots.get(state);
    if (!slot) {
      slot = this.newSlot(state, firstValue(state));
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
