// Gradient checkpointing (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost"): of a part of a network, only
// its inputs are kept for the gradient; the rest is computed again when the gradient is.
import { nestedGradients, runCustom } from '../autodiff/tape.js';
import {
  currentScope,
  type HostFunction,
  type NativeCall,
  type ProgramScope,
  type ProgramState,
  type ScanBody,
  type ScanResult,
  withScope,
} from '../scope.js';
import type { State } from '../state.js';
import type { DType, HostTensor, TensorSpec } from '../tensors.js';
import { type Tensor, tf } from '../tf.js';
import { after } from './after.js';

/**
 * The outputs of `fn(inputs)`, with gradients for `inputs` and `states` only, bit for bit those of plain differentiation.
 * `fn` runs twice, the second time with the random bits of the first; what it assigns to states counts once. Tensors that
 * it takes from elsewhere (masks, positions) get no gradient.
 * @param states that `fn` reads and whose gradients are wanted
 */
export function recompute(
  fn: (inputs: Tensor[]) => Tensor[],
  inputs: readonly Tensor[],
  states: readonly State[],
): Tensor[] {
  const parameters = states.map((state) => state.tensor());
  return runCustom([...inputs, ...parameters], (save) => {
    const first = new CheckpointScope(currentScope());
    const outputs = withScope(first, () => fn([...inputs]));
    save([...inputs, ...parameters, ...first.history]);
    first.dispose();
    return { outputs, backward: (dys, saved) => gradientsAnew(fn, states, inputs.length, dys, saved) };
  });
}

/** @param saved the inputs, the values of `states`, and what the first run drew and read */
function gradientsAnew(
  fn: (inputs: Tensor[]) => Tensor[],
  states: readonly State[],
  inputCount: number,
  dys: readonly Tensor[],
  saved: readonly Tensor[],
): Tensor[] {
  const xs = saved.slice(0, inputCount).map((x) => after(x, dys));
  const weights = saved.slice(inputCount, inputCount + states.length);
  const values = new Map<ProgramState, Tensor>(states.map((state, i) => [state, weights[i]]));
  const again = new CheckpointScope(currentScope(), {
    values,
    history: saved.slice(inputCount + states.length),
  });
  const grads = nestedGradients(() => withScope(again, () => fn(xs)), [...xs, ...weights], dys);
  // The gradients of the parameters come first: what only they need of this part can then be given up.
  const weightGrads = grads.slice(inputCount);
  return [...grads.slice(0, inputCount).map((grad) => after(grad, weightGrads)), ...weightGrads];
}

interface Replay {
  /** What the states are during the second run. */
  readonly values: ReadonlyMap<ProgramState, Tensor>;
  /** What the first run has drawn and read, in order. */
  readonly history: readonly Tensor[];
}

/** The scope around. In a first run it remembers what is drawn and read; in a second it gives that again. */
class CheckpointScope implements ProgramScope {
  readonly history: Tensor[] = [];
  /** Random bits that outlive the parts inside, which would end with the tidy scopes that they were drawn in. */
  private readonly drawn: Tensor[] = [];
  private at = 0;

  constructor(
    private readonly inner: ProgramScope,
    private readonly replay?: Replay,
  ) {}

  get anyShape(): boolean {
    return this.inner.anyShape ?? false;
  }

  read(state: ProgramState): Tensor {
    const value = this.next(() => this.inner.read(state));
    return this.replay?.values.get(state) ?? value;
  }

  /** What is assigned was so by the first run. */
  assign(state: ProgramState, value: Tensor): void {
    if (!this.replay) this.inner.assign(state, value);
  }

  randomBits(count: number, bits: number): Tensor {
    return this.next(() => {
      const drawn = this.inner.randomBits(count, bits);
      if (!(this.inner instanceof CheckpointScope)) this.drawn.push(tf.keep(drawn));
      return drawn;
    });
  }

  /** Call when what is remembered has been saved. */
  dispose(): void {
    for (const tensor of this.drawn) tensor.dispose();
  }

  scan(body: ScanBody, init: Tensor[], xs: Tensor[], reverse: boolean): ScanResult {
    return this.inner.scan(body, init, xs, reverse);
  }

  hostCall(name: string, fn: HostFunction, inputs: Tensor[], outputs: readonly TensorSpec[]): Tensor[] {
    return this.inner.hostCall(name, fn, inputs, outputs);
  }

  nativeOp(call: NativeCall): Tensor[] {
    return this.inner.nativeOp(call);
  }

  cast(x: Tensor, dtype: DType): Tensor {
    return this.inner.cast(x, dtype);
  }

  typeOf(x: Tensor): DType {
    return this.inner.typeOf(x);
  }

  constant(value: HostTensor): Tensor {
    return this.inner.constant(value);
  }

  after(x: Tensor, others: readonly Tensor[]): Tensor {
    return this.inner.after(x, others);
  }

  private next(first: () => Tensor): Tensor {
    if (this.replay) return this.replay.history[this.at++];
    const tensor = first();
    this.history.push(tensor);
    return tensor;
  }
}
