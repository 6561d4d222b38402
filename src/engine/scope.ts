// The program being traced or run right now. This is the only global of the library ("the engine in use").
import { AnemoneError } from '../errors/index.js';
import type { DType, HostData, HostTensor, TensorSpec } from './tensors.js';
import type { Tensor } from './tf.js';

/** What a scan leaves. */
export interface ScanResult {
  /** Carried values after the last iteration. */
  readonly carry: Tensor[];
  /** Per-iteration outputs, stacked along a new axis 0. */
  readonly ys: Tensor[];
}

/**
 * One iteration: the values carried so far and this iteration's slices of `xs`, to the values carried on and the
 * outputs.
 */
export type ScanBody = (carry: Tensor[], xs: Tensor[]) => { carry: Tensor[]; ys: Tensor[] };
/** What a host call computes: plain JavaScript on host tensors, in the order of the call's inputs and outputs. */
export interface HostFunction {
  (inputs: HostTensor[]): HostTensor[];
  /** The same on addresses, for engines that have them; see `rawHostCall`. */
  readonly raw?: RawHostFunction;
}

/** A tensor in memory of the engine's. */
export interface RawTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Valid until the function returns. */
  readonly address: bigint;
  readonly bytes: number;
}

/**
 * A host function on addresses, for functions of C. It writes all outputs; one may have the address of the input at its place,
 * where nobody else reads that. It returns what is wrong: a status that is not 0, or a text; else 0 or nothing.
 */
export type RawHostFunction = (
  inputs: readonly RawTensor[],
  outputs: readonly RawTensor[],
  // biome-ignore lint/suspicious/noConfusingVoidType: most such functions return nothing
) => number | string | void;

/** Attributes of an operator: whole numbers, lists of them, text, and `{ float: x }` for one that is not whole by its type. */
export type NativeAttributes = Readonly<
  Record<string, number | readonly number[] | string | { readonly float: number }>
>;

/** What an operator computes, in ops of tfjs: its outputs from its inputs, of which some may be left out. */
export type Twin = (
  inputs: readonly (Tensor | undefined)[],
  attributes: NativeAttributes,
  outputs: readonly TensorSpec[],
) => Tensor[];

/** An operator of the runtime with what it is given; see `nativeOp`. */
export interface NativeCall {
  readonly op: string;
  readonly domain: string;
  readonly inputs: readonly (Tensor | undefined)[];
  readonly outputs: readonly TensorSpec[];
  readonly attributes: NativeAttributes;
  readonly twin: Twin;
}

/** What an engine and its programs need to know of a state; `State` is one. The object itself is the identity. */
export interface ProgramState {
  /** For messages. */
  readonly name: string;
  readonly shape: readonly number[];
  /** What the engine holds. */
  readonly dtype: DType;
  /** What programs see of it. Default: `dtype`. */
  readonly computedAs?: DType;
  readonly size: number;
  /** First value, of either type, asked for when the engine first needs it. */
  initialValue(): HostData;
}

/**
 * The program being traced or run right now: what `State.tensor()`, `randomBits`, `scan` and `hostCall` talk to.
 * This is the only global of the library ("the engine in use").
 */
export interface ProgramScope {
  /** See `tracesAnyShape`. Absent: no. */
  readonly anyShape?: boolean;
  /** See `ordersByDependence`. Absent: no. */
  readonly ordered?: boolean;
  /** The current value of a state inside this program. */
  read(state: ProgramState): Tensor;
  /** Makes `value` the state's value for later reads and, when the run is committed, for later runs. */
  assign(state: ProgramState, value: Tensor): void;
  /** `count` fresh uniform integers in [0, 2^bits), int32 [count]: a function of the run's random key and the site. */
  randomBits(count: number, bits: number): Tensor;
  /** A loop inside the program; see `scan`. */
  scan(body: ScanBody, init: Tensor[], xs: Tensor[], reverse: boolean): ScanResult;
  /** A call of host code from the program; see `hostCall`. */
  hostCall(name: string, fn: HostFunction, inputs: Tensor[], outputs: readonly TensorSpec[]): Tensor[];
  /** See `nativeOp`. */
  nativeOp(call: NativeCall): Tensor[];
  /** See `cast`. */
  cast(x: Tensor, dtype: DType): Tensor;
  /** See `typeOf`. */
  typeOf(x: Tensor): DType;
  /** See `constant`. */
  constant(value: HostTensor): Tensor;
  /** See `after`. */
  after(x: Tensor, others: readonly Tensor[]): Tensor;
  /** Keeps tensors, which memory scopes of tfjs would end, until the program has run. Absent: nothing ends before. */
  retain?(tensors: readonly Tensor[]): void;
}

let active: ProgramScope | undefined;

/** The program in progress; an error outside of one. */
export function currentScope(): ProgramScope {
  if (!active) {
    throw new AnemoneError({
      code: 'engine.no-program',
      message: 'parameters have tensor values only inside a program',
      hint: 'wrap the computation in engine.compile(name, fn) and call run()',
    });
  }
  return active;
}

/**
 * Whether the program being traced is to hold for other batch sizes and lengths than its inputs have (it becomes
 * a file for other programs). Code that computes differently for different sizes must then take one form.
 */
export function tracesAnyShape(): boolean {
  return active?.anyShape ?? false;
}

/**
 * Whether values of the program being traced wait for others when told to (`after`), and what nobody needs is not computed:
 * then it is cheap to compute some things twice instead of keeping them.
 */
export function ordersByDependence(): boolean {
  return active?.ordered ?? false;
}

/** Runs `fn` with `scope` as the current program. */
export function withScope<R>(scope: ProgramScope, fn: () => R): R {
  const outerScope = active;
  active = scope;
  try {
    return fn();
  } finally {
    active = outerScope;
  }
}
