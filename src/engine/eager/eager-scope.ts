// The running program of an eager engine: states are tensors already, loops are loops.

import type { CounterRandom } from '../../random/index.js';
import { callHost } from '../host-function.js';
import { drawBits } from '../primitives/draw-bits.js';
import type { HostFunction, NativeCall, ProgramScope, ProgramState, ScanBody, ScanResult } from '../scope.js';
import { checkAssigned } from '../state-misfit.js';
import type { DType, HostTensor, TensorSpec } from '../tensors.js';
import { type Tensor, tf } from '../tf.js';
import { cast, fromHost, toHost, typeOf } from './foreign-types.js';

export class EagerScope implements ProgramScope {
  readonly assigned = new Map<ProgramState, Tensor>();
  /** Values of states in the type that programs compute with, by those that the engine holds. */
  private readonly computed = new Map<Tensor, Tensor>();
  private site = 0;
  private readonly retained = new Set<Tensor>();

  constructor(
    private readonly currentValue: (state: ProgramState) => Tensor,
    private readonly random: CounterRandom | undefined,
  ) {}

  read(state: ProgramState): Tensor {
    const stored = this.assigned.get(state) ?? this.currentValue(state);
    const { computedAs = state.dtype } = state;
    if (computedAs === state.dtype) return stored;
    const value = this.computed.get(stored) ?? tf.keep(cast(stored, computedAs));
    this.computed.set(stored, value);
    return value;
  }

  assign(state: ProgramState, value: Tensor): void {
    const stored = typeOf(value) === state.computedAs ? cast(value, state.dtype) : value;
    checkAssigned(state, value.shape, typeOf(stored));
    // A copy of its own: the value may die with the tidy scope it was made in (differentiation has one).
    this.assigned.get(state)?.dispose();
    this.assigned.set(state, tf.keep(tf.clone(stored)));
  }

  randomBits(count: number, bits: number): Tensor {
    return tf.tensor1d(drawBits(this.random, this.site++, count, bits), 'int32');
  }

  scan(body: ScanBody, init: Tensor[], xs: Tensor[], reverse: boolean): ScanResult {
    const steps = xs[0].shape[0];
    const slices = xs.map((x) => tf.unstack(x, 0));
    let carry = init;
    const outputs: Tensor[][] = [];
    for (let i = 0; i < steps; i++) {
      const t = reverse ? steps - 1 - i : i;
      const result = body(
        carry,
        slices.map((slice) => slice[t]),
      );
      carry = result.carry;
      result.ys.forEach((y, k) => {
        outputs[k] ??= new Array<Tensor>(steps);
        outputs[k][t] = y;
      });
    }
    return { carry, ys: outputs.map((ys) => tf.stack(ys, 0)) };
  }

  hostCall(name: string, fn: HostFunction, inputs: Tensor[], outputs: readonly TensorSpec[]): Tensor[] {
    return callHost({ name, fn, outputs }, inputs.map(toHost)).map(fromHost);
  }

  nativeOp({ inputs, attributes, outputs, twin }: NativeCall): Tensor[] {
    return twin(inputs, attributes, outputs).map((y, i) => cast(y, outputs[i].dtype));
  }

  cast(x: Tensor, dtype: DType): Tensor {
    return cast(x, dtype);
  }

  typeOf(x: Tensor): DType {
    return typeOf(x);
  }

  constant(value: HostTensor): Tensor {
    return fromHost(value);
  }

  retain(tensors: readonly Tensor[]): void {
    for (const tensor of tensors) {
      if (!tensor.kept) this.retained.add(tf.keep(tensor));
    }
  }

  /** Call when the program has run. */
  dispose(): void {
    for (const tensor of [...this.retained, ...this.computed.values()]) tensor.dispose();
  }

  /** Everything is computed in the order in which it is written. */
  after(x: Tensor): Tensor {
    return tf.clone(x);
  }
}
