// What a program takes in memory, as far as an engine knows before it runs.
import type { ProgramState } from './scope.js';

/** Values of one part of a program that one operator made. */
export interface LiveValues {
  /** As `inPart` named it: a module's path, or '' for what stands in none. */
  readonly part: string;
  /** The operator. */
  readonly kind: string;
  readonly bytes: number;
  readonly count: number;
}

/** Bytes of a run with inputs of given shapes. The heap's fragmentation is not in them. */
export interface ProgramMemory {
  /** Of the values between inputs and outputs, at the moment at which they take the most. */
  readonly aliveBytes: number;
  /** Whether these values lie in one block, whose layout is made before the run: else the heap takes more than is alive. */
  readonly planned: boolean;
  /** What is alive then, the largest first. */
  readonly alive: readonly LiveValues[];
  /** Of values that go from one part of the program to the next (gradients to the update), kept from run to run. */
  readonly crossingBytes: number;
  /** Of inputs, random bits included. */
  readonly inputBytes: number;
  readonly outputBytes: number;
  /** Of constants that are part of the program. */
  readonly constantBytes: number;
  /** Operators, those of loops included: what a compiled program itself takes follows from them. */
  readonly nodes: number;
  /** What is held for each state that is read or assigned: twice its size where old and new value cannot share memory. */
  readonly states: ReadonlyMap<ProgramState, number>;
}
