// Weights as ONNX Runtime lays them out for matrix products, one copy for all sessions of a generation.
import type { Pointer } from '../../native/koffi.js';
import type { OrtApi } from './api.js';

interface Container {
  readonly pointer: Pointer;
  /** Sessions that hold weights in it. */
  users: number;
}

/** The containers of generations that sessions use. */
export class PackedWeights {
  private readonly containers = new WeakMap<object, Container>();

  constructor(private readonly api: OrtApi) {}

  /** The container of a generation, for one more session, which gives it back. */
  borrow(generation: object): Pointer {
    let container = this.containers.get(generation);
    if (!container) {
      container = { pointer: this.api.make('CreatePrepackedWeightsContainer'), users: 0 };
      this.containers.set(generation, container);
    }
    container.users++;
    return container.pointer;
  }

  /** Call when the session has been released: its weights are in the container. */
  giveBack(generation: object): void {
    const container = this.containers.get(generation);
    if (!container || --container.users > 0) return;
    this.containers.delete(generation);
    this.api.release('ReleasePrepackedWeightsContainer', container.pointer);
  }
}
