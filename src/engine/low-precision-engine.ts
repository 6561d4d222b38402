// An engine whose programs compute their products in 16 bits; all else is that of the engine behind it.
import { AnemoneError } from '../errors/index.js';
import type { CompileOptions, Engine, EngineStats, Program, Tensors } from './engine.js';
import { type LowType, withProductType } from './precision.js';
import type { ProgramState } from './scope.js';
import type { HostData } from './tensors.js';

/**
 * An engine that holds the same states as `engine`, and whose programs compute matrix products and convolutions in `type`, but for
 * those inside `inFullPrecision`. Source: PyTorch Lightning's MixedPrecision, which runs steps inside `torch.autocast`.
 */
export function withProductsIn(engine: Engine, type: LowType): Engine {
  return new LowPrecisionEngine(engine, type);
}

class LowPrecisionEngine implements Engine {
  constructor(
    private readonly inner: Engine,
    private readonly type: LowType,
  ) {}

  get name(): string {
    return this.inner.name;
  }

  get stats(): Readonly<EngineStats> {
    return this.inner.stats;
  }

  /** Steps of decoding, which hold their weights laid out for float32, stay in that. */
  compile(name: string, fn: (inputs: Tensors) => Tensors, options?: CompileOptions): Program {
    const type = options?.constantStates ? undefined : this.type;
    return this.inner.compile(name, (inputs) => withProductType(type, () => fn(inputs)), options);
  }

  lowProducts(type: LowType): Promise<string> {
    return lowProductsOf(this.inner, type);
  }

  read(state: ProgramState): Promise<HostData> {
    return this.inner.read(state);
  }

  write(state: ProgramState, value: HostData, given?: boolean): Promise<void> {
    return this.inner.write(state, value, given);
  }

  release(states: Iterable<ProgramState>): void {
    this.inner.release(states);
  }

  dispose(): Promise<void> {
    return this.inner.dispose();
  }
}

/** How an engine computes products in a type. @throws AnemoneError `engine.precision` where it cannot */
export async function lowProductsOf(engine: Engine, type: LowType): Promise<string> {
  if (engine.lowProducts) return engine.lowProducts(type);
  throw new AnemoneError({
    code: 'engine.precision',
    message: `engine ${engine.name} does not say how it computes products in ${type}`,
    hint: 'use precision: 32, or give the engine a method lowProducts',
  });
}
