// tfjs's tape, where its public interface ends: operations with several outputs and gradients of their own, and gradients
// that are taken while other gradients are.
import { type Tensor, tf } from '../tf.js';

/** What is used of tfjs's engine beyond its types. */
interface TapeEngine {
  readonly state: { activeTape: TapeNode[] | null | undefined };
  runKernelFunc(operation: {
    readonly forwardFunc: (backend: unknown, save: (tensors: Tensor[]) => void) => Tensor[];
    readonly backwardsFunc: (dys: Tensor | Tensor[], saved: Tensor[]) => Record<string, () => Tensor>;
    readonly inputs: Record<string, Tensor>;
  }): Tensor | Tensor[];
}

/** An operation that was recorded, and how its gradient is computed: from those of its outputs, one for each input. */
interface TapeNode {
  gradient?: ((dys: unknown) => Record<string, () => Tensor>) | undefined;
}

interface CustomOperation {
  readonly outputs: Tensor[];
  /** One gradient for each input, from one for each output. */
  readonly backward: (dys: readonly Tensor[], saved: readonly Tensor[]) => Tensor[];
}

const tape = (): TapeEngine => tf.engine() as unknown as TapeEngine;

/**
 * As `tf.customGrad`, with any number of outputs. Nothing inside is recorded.
 * @param forward gets a function that keeps tensors for `backward`
 */
export function runCustom(
  inputs: readonly Tensor[],
  forward: (save: (tensors: Tensor[]) => void) => CustomOperation,
): Tensor[] {
  let operation: CustomOperation | undefined;
  const results = tape().runKernelFunc({
    inputs: Object.fromEntries(inputs.map((input, i) => [i, input])),
    forwardFunc: (_, save) => {
      operation = forward(save);
      return operation.outputs;
    },
    backwardsFunc: (dys, saved) => {
      const grads = operation?.backward([dys].flat(), saved) ?? [];
      return Object.fromEntries(grads.map((grad, i) => [i, () => grad]));
    },
  });
  return [results].flat();
}

/**
 * Gradients of Σ `outputs()` · `dys` for `xs`, zeros where there is none. May be called while other gradients are being
 * computed: tfjs would forget their tape.
 */
export function nestedGradients(
  outputs: () => readonly Tensor[],
  xs: readonly Tensor[],
  dys: readonly Tensor[],
): Tensor[] {
  const { state } = tape();
  const outer = state.activeTape;
  try {
    const single = dys.length === 1;
    const value = () => (single ? outputs()[0] : innerProduct(outputs(), dys));
    const { grads } = tf.engine().gradients(value, [...xs], single ? dys[0] : undefined, true);
    return grads.map((grad, i) => grad ?? tf.zerosLike(xs[i]));
  } finally {
    state.activeTape = outer;
  }
}

function innerProduct(outputs: readonly Tensor[], dys: readonly Tensor[]): Tensor {
  const products = outputs.map((output, i) => tf.sum(tf.mul(output, dys[i])));
  return products.reduce((sum, product) => tf.add(sum, product));
}

/** Operations whose gradients have a surrounding: the innermost counts. */
const surrounded = new WeakSet<TapeNode>();

/** Runs `fn`, and later the gradients of the operations that it records inside `within`. */
export function gradientsWithin<R>(within: <T>(run: () => T) => T, fn: () => R): R {
  const before = tape().state.activeTape?.length ?? 0;
  const result = fn();
  for (const node of tape().state.activeTape?.slice(before) ?? []) {
    const { gradient } = node;
    if (!gradient || surrounded.has(node)) continue;
    surrounded.add(node);
    node.gradient = (dys) => {
      const grads = within(() => gradient(dys));
      return Object.fromEntries(Object.entries(grads).map(([name, grad]) => [name, () => within(grad)]));
    };
  }
  return result;
}
