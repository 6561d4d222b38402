// A linear map as a place for adapters: what an adapter slot is for features.
import { AnemoneError } from '../errors/index.js';
import type { Linear, Module } from '../nn/index.js';
import { LowRankAdapter } from './low-rank-adapter.js';

/** Where an adapter stands: a slot of its own in a network, or beside a linear map. */
export interface AdapterPlace {
  /** What the names of its weights start with. */
  readonly path: string;
  /** Width of what passes through. */
  readonly width: number;
  /** Puts an adapter there under a name. */
  add(name: string, adapter: Module): void;
  /** The adapter of a name, if it is there. */
  get(name: string): Module | undefined;
  /** Whether an adapter computes; one that does not stays. */
  enable(name: string, enabled: boolean): void;
  /** Takes an adapter away for good. */
  remove(name: string): void;
}

/** Beside a linear map. */
export class LinearPlace implements AdapterPlace {
  /** @param parts those of a fused map that are adapted each by itself; none: the map as one */
  constructor(
    readonly map: Linear,
    private readonly parts: readonly string[],
  ) {}

  get path(): string {
    return this.map.updatesPath;
  }

  get width(): number {
    return this.map.inFeatures;
  }

  /** Puts a low-rank adapter beside the map. @throws AnemoneError `adapter.unsupported`, `nn.not-adaptable` */
  add(name: string, adapter: Module): void {
    if (!(adapter instanceof LowRankAdapter)) {
      throw new AnemoneError({
        code: 'adapter.unsupported',
        path: `adapters.${name}`,
        message: `${adapter.constructor.name} does not stand beside linear maps`,
        hint: 'LoRA does',
      });
    }
    this.map.addUpdate(name, adapter).fit(this.map, this.parts);
  }

  /** The adapter of a name, if it is there. */
  get(name: string): LowRankAdapter | undefined {
    return this.map.updateOf(name) as LowRankAdapter | undefined;
  }

  /** Whether an adapter computes; one that does not stays. */
  enable(name: string, enabled: boolean): void {
    this.map.enableUpdate(name, enabled);
  }

  remove(name: string): void {
    this.map.removeUpdate(name);
  }
}
