// The interface of engines.
import { token } from '../container/index.js';
import type { CounterRandom } from '../random/index.js';
import type { LowType } from './precision.js';
import type { ProgramMemory } from './program-memory.js';
import type { ProgramState } from './scope.js';
import type { HostData, HostTensor, TensorSpec } from './tensors.js';
import type { Tensor } from './tf.js';

/** Inputs or outputs inside a program, by name. */
export type Tensors = Record<string, Tensor>;
/** Inputs or outputs outside of a program, by name. */
export type HostTensors = Record<string, HostTensor>;

/** How one run of a program differs from others. */
export interface RunOptions {
  /** Key of the run's random streams; required when the program draws random bits (dropout). */
  readonly random?: CounterRandom;
  /**
   * Decides, from the outputs, whether assigned states keep their new values. Default: always.
   * A training step returns false for a non-finite loss, and nothing has changed.
   */
  readonly commitIf?: (outputs: HostTensors) => boolean;
  /**
   * Ends the run, as if it had not been: it rejects with `engine.cancelled`, and no state has changed. An update that has
   * begun is finished. Default: the signal of `cancellable` around. Until then the event loop is free where the engine can
   * compute beside it; one engine makes one run at a time.
   */
  readonly signal?: AbortSignal;
  /**
   * Where outputs of these names are written, instead of into new memory, which they are then given back in. A tensor may be an
   * input too: operators that work in place, such as attention over a cache, then do.
   */
  readonly into?: HostTensors;
}

/** A compiled function. One compilation per signature of input shapes; see EngineStats. */
export interface Program {
  readonly name: string;
  /**
   * Runs once, compiling first where the inputs' shapes are new.
   * @throws AnemoneError `engine.*` where the inputs are not those of the program
   */
  run(inputs: HostTensors, options?: RunOptions): Promise<HostTensors>;
  /**
   * Bytes of the values between inputs and outputs that are alive at once in a run with inputs of these shapes.
   * States and the heap's fragmentation are not in it. Absent where the engine cannot know before it runs.
   */
  peakBytes?(inputs: Readonly<Record<string, TensorSpec>>): number;
  /** All that such a run takes, and what is alive when it takes the most. Absent where `peakBytes` is. */
  memory?(inputs: Readonly<Record<string, TensorSpec>>): ProgramMemory;
  /** Multiplications and additions of the products and convolutions of such a run. Absent where `memory` is. */
  flops?(inputs: Readonly<Record<string, TensorSpec>>): number;
  /** Call when the function computes another way from now on: what was traced and compiled is not used again. */
  forget?(): void;
  /** Frees compiled code (not states). */
  dispose(): void;
}

/** What an engine may assume of a program. */
export interface CompileOptions {
  /** At most so many shape signatures are kept compiled; the least recently used goes first. Default 64. */
  readonly maxSignatures?: number;
  /**
   * For small programs that run many times between changes of the states they read, e.g. a step of decoding: the
   * engine may keep the states' values in the compiled code, laid out for speed. It notices changes. Default false.
   */
  readonly constantStates?: boolean;
  /**
   * With `constantStates`: a run that waits for its weights to come from memory rather than for arithmetic may have fewer threads than the
   * engine, of which so many read as fast as all. Default false.
   */
  readonly sparesThreads?: boolean;
}

/** What an engine has done since it was made. */
export interface EngineStats {
  compilations: number;
  compileSeconds: number;
  evictions: number;
  runs: number;
  /** Compiled graphs that are held now: signatures share those of equal updates. 0 where nothing is compiled. */
  sessions: number;
  /** Bytes of inputs, states, random bits and results that went between the host and the device of a provider. */
  bytesToDevice: number;
  bytesToHost: number;
}

/** Those of an engine that has done nothing. */
export function noStats(): EngineStats {
  return {
    compilations: 0,
    compileSeconds: 0,
    evictions: 0,
    runs: 0,
    sessions: 0,
    bytesToDevice: 0,
    bytesToHost: 0,
  };
}

/**
 * What an engine is: it holds the values of states and turns functions on tfjs ops into programs. Implementations:
 * onnx/ (compiles, default), eager/ (reference on tfjs cpu, tensorflow on tfjs-node).
 */
export interface Engine {
  readonly name: string;
  readonly stats: Readonly<EngineStats>;
  /**
   * `fn` is called with tensors of the inputs and returns named outputs. It may read and assign states,
   * and must be pure otherwise: a compiling engine calls it once per shape signature.
   */
  compile(name: string, fn: (inputs: Tensors) => Tensors, options?: CompileOptions): Program;
  /** Copies a state's value to the host. */
  read(state: ProgramState): Promise<HostData>;
  /**
   * Sets a state's value from the host (copied).
   * @param given the value's memory is the engine's from now on, which then need not copy it
   */
  write(state: ProgramState, value: HostData, given?: boolean): Promise<void>;
  /**
   * How programs made by `withProductsIn`, or inside `inLowPrecision`, compute products in `type`: the end of a sentence. Absent
   * where it is not known that they do.
   * @throws AnemoneError `engine.precision` where they cannot
   */
  lowProducts?(type: LowType): Promise<string>;
  /** Forgets the value of states that are no longer used. */
  release(states: Iterable<ProgramState>): void;
  /** Forgets all programs and states and gives back their memory. */
  dispose(): Promise<void>;
}

/** The engine that holds the weights and runs what is compiled. With a Trainer, the one that `trainer.engine` names. */
export const ENGINE = token<Engine>(
  'engine',
  undefined,
  'give the model an engine: pass a trainer, or { engine }',
);
