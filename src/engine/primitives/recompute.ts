// Gradient checkpointing (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost"): of a part of a network, only
// its inputs are kept for the gradient; the rest is computed again when the gradient is.
import { differentiated, nestedGradients, runCustom, withTensorsRead } from '../autodiff/tape.js';
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
import type { DType, HostTensor, TensorSpec } from '../tensors.js';
import { type Tensor, tf } from '../tf.js';
import { after } from './after.js';

/** What is computed twice. `again`: for the second time. */
export type Recomputed = (inputs: Tensor[], again: boolean) => Tensor[];

/**
 * The outputs of `fn(inputs)`, with the gradients that plain differentiation gives, bit for bit where there is one output.
 * `fn` runs twice, the second time with the random bits of the first; what it assigns to states counts once. Tensors
 * that it takes from elsewhere are kept, and get their gradients, but what is computed of them alone is not given up: name
 * them as inputs.
 * @param trained which of the states that `fn` reads want gradients
 */
export function recompute(
  fn: Recomputed,
  inputs: readonly Tensor[],
  trained: (state: ProgramState) => boolean,
): Tensor[] {
  return runCustom(inputs, (save) => {
    const scope = currentScope();
    const first = new CheckpointScope(scope);
    const { result: outputs, tensors } = withTensorsRead(() =>
      withScope(first, () => fn([...inputs], false)),
    );
    const { history } = first;
    const states = [...first.statesRead].filter(([state]) => trained(state));
    const parameters = states.map(([, value]) => value);
    const known = new Set([...inputs, ...history]);
    const elsewhere = tensors.filter((tensor) => !known.has(tensor));
    scope.retain?.(elsewhere);
    const alsoDifferentiated = differentiated(elsewhere);
    save([...inputs, ...parameters, ...history]);
    first.dispose();
    const part: Part = {
      fn,
      states: states.map(([state]) => state),
      inputs: inputs.length,
      elsewhere: alsoDifferentiated,
      floats: outputs.map(({ dtype }) => dtype === 'float32'),
    }; // biome-ignore format: one line reads better
    return {
      outputs: distinct(outputs, inputs),
      alsoRead: [...parameters, ...alsoDifferentiated],
      backward: (dys, saved) => gradientsAnew(part, dys, saved),
    };
  });
}

/** Tensors that are none of `inputs`, and each another: tfjs knows gradients by tensor. */
function distinct(tensors: readonly Tensor[], inputs: readonly Tensor[]): Tensor[] {
  const seen = new Set(inputs);
  return tensors.map((tensor) => {
    const own = seen.has(tensor) ? tf.clone(tensor) : tensor;
    seen.add(own);
    return own;
  });
}

/** Whether what is being traced is a part that is computed twice: inside, nothing is won by doing so once more. */
export function isRecomputed(): boolean {
  return currentScope() instanceof CheckpointScope;
}

/** What is computed again. */
interface Part {
  readonly fn: Recomputed;
  /** Whose gradients are wanted. */
  readonly states: readonly ProgramState[];
  /** How many. */
  readonly inputs: number;
  /** Tensors that are no inputs and want gradients. */
  readonly elsewhere: readonly Tensor[];
  /** Which outputs have gradients. */
  readonly floats: readonly boolean[];
}

/** @param saved the inputs, the values of the states, and what the first run drew and read */
function gradientsAnew(
  { fn, states, inputs, elsewhere, floats }: Part,
  dys: readonly Tensor[],
  saved: readonly Tensor[],
): Tensor[] {
  const xs = saved.slice(0, inputs).map((x) => after(x, dys));
  const weights = saved.slice(inputs, inputs + states.length);
  const values = new Map<ProgramState, Tensor>(states.map((state, i) => [state, weights[i]]));
  const history = saved.slice(inputs + states.length);
  const again = new CheckpointScope(currentScope(), { values, history, dys });
  const ofFloats = (tensors: readonly Tensor[]) => tensors.filter((_, i) => floats[i]);
  const outputs = () => ofFloats(withScope(again, () => fn(xs, true)));
  const grads = nestedGradients(outputs, [...xs, ...weights, ...elsewhere], ofFloats(dys));
  // The gradients of the parameters come first: what only they need of this part can then be given up.
  const weightGrads = grads.slice(inputs, inputs + states.length);
  return grads.map((grad, i) => (i < inputs ? after(grad, weightGrads) : grad));
}

interface Replay {
  /** What the states are during the second run. */
  readonly values: ReadonlyMap<ProgramState, Tensor>;
  /** What the first run has drawn and read, in order. */
  readonly history: readonly Tensor[];
  /** Gradients of the part's outputs, for which the second run waits. */
  readonly dys: readonly Tensor[];
}

/** The scope around. In a first run it remembers what is drawn and read; in a second it gives that again. */
class CheckpointScope implements ProgramScope {
  readonly history: Tensor[] = [];
  /** The first values that states had here. */
  readonly statesRead = new Map<ProgramState, Tensor>();
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

  get ordered(): boolean {
    return this.inner.ordered ?? false;
  }

  read(state: ProgramState): Tensor {
    const value = this.next(() => this.inner.read(state));
    if (!this.statesRead.has(state)) this.statesRead.set(state, value);
    return this.replay?.values.get(state) ?? value;
  }

  /** What is assigned was so by the first run. */
  assign(state: ProgramState, value: Tensor): void {
    if (!this.replay) this.inner.assign(state, value);
  }

  randomBits(count: number, bits: number): Tensor {
    // Masks are made of them once more: else the compiler would find them equal to those of the first run, and keep these.
    if (this.replay) return this.inner.after(this.replay.history[this.at++], this.replay.dys);
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

  retain(tensors: readonly Tensor[]): void {
    this.inner.retain?.(tensors);
  }

  private next(first: () => Tensor): Tensor {
    if (this.replay) return this.replay.history[this.at++];
    const tensor = first();
    this.history.push(tensor);
    return tensor;
  }
}
