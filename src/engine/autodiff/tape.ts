// tfjs's tape, where its public interface ends: operations with several outputs and gradients of their own, gradients
// that are taken while other gradients are, and what a function reads.
import { type Tensor, tf } from '../tf.js';

interface KernelCall {
  readonly inputs: Record<string, Tensor>;
}

interface CustomCall extends KernelCall {
  readonly forwardFunc: (backend: unknown, save: (tensors: Tensor[]) => void) => Tensor[];
  readonly backwardsFunc: (dys: Tensor | Tensor[], saved: Tensor[]) => Record<string, () => Tensor>;
}

/** What is used of tfjs's engine beyond its types. */
interface TapeEngine {
  readonly state: { activeTape: TapeNode[] | null };
  nextTensorId(): number;
  runKernelFunc(call: KernelCall | CustomCall): Tensor | Tensor[];
}

/** An operation that was recorded, and how its gradient is computed: from those of its outputs, one for each input. */
interface TapeNode {
  readonly outputs: readonly Tensor[];
  gradient?: ((dys: unknown) => Record<string, () => Tensor>) | undefined;
}

interface CustomOperation {
  readonly outputs: Tensor[];
  /** One gradient for each input, those of `alsoRead` last, from one for each output. */
  readonly backward: (dys: readonly Tensor[], saved: readonly Tensor[]) => Tensor[];
  /** Inputs that were not known before the operation ran. */
  readonly alsoRead?: readonly Tensor[];
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
  const inputTable = tableOf(inputs);
  const results = tape().runKernelFunc({
    inputs: inputTable,
    forwardFunc: (_, save) => {
      operation = forward(save);
      // tfjs writes the inputs on its tape when the operation has run.
      Object.assign(inputTable, tableOf([...inputs, ...(operation.alsoRead ?? [])]));
      return operation.outputs;
    },
    backwardsFunc: (dys, saved) => {
      const grads = operation?.backward([dys].flat(), saved) ?? [];
      return Object.fromEntries(grads.map((grad, i) => [i, () => grad]));
    },
  });
  return [results].flat();
}

function tableOf(tensors: readonly Tensor[]): Record<string, Tensor> {
  return Object.fromEntries(tensors.map((tensor, i) => [i, tensor]));
}

/** What `fn` returns, and the tensors made before that it has read. */
export function withTensorsRead<R>(fn: () => R): { result: R; tensors: readonly Tensor[] } {
  const engine = tape();
  const firstOwn = engine.nextTensorId();
  const tensors = new Map<number, Tensor>();
  const outer = Object.hasOwn(engine, 'runKernelFunc') ? engine.runKernelFunc : undefined;
  const run = engine.runKernelFunc;
  engine.runKernelFunc = function observed(this: TapeEngine, call) {
    for (const input of Object.values(call.inputs).flat()) {
      if (input && input.id < firstOwn) tensors.set(input.id, input);
    }
    return run.call(this, call);
  };
  try {
    return { result: fn(), tensors: [...tensors.values()] };
  } finally {
    if (outer) engine.runKernelFunc = outer;
    else delete (engine as Partial<TapeEngine>).runKernelFunc;
  }
}

/** Those of `tensors` that were computed under the differentiation in progress. */
export function differentiated(tensors: readonly Tensor[]): readonly Tensor[] {
  const nodes = tape().state.activeTape;
  if (!nodes || tensors.length === 0) return [];
  const computed = new Set(nodes.flatMap((node) => node.outputs.map(({ id }) => id)));
  return tensors.filter(({ id, dtype }) => dtype === 'float32' && computed.has(id));
}

/**
 * Gradients of Σ `outputs()` · `dys` for `xs`, zeros where there is none. May be
 * called while other gradients are being computed: tfjs would forget their tape.
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
    const floatInputs = xs.filter(({ dtype }) => dtype === 'float32');
    const { grads } = tf.engine().gradients(value, floatInputs, single ? dys[0] : undefined, true);
    const gradientOf = new Map(floatInputs.map((x, i) => [x, grads[i] as Tensor | null]));
    // tfjs wants floats for what is none, too.
    return xs.map((x) => gradientOf.get(x) ?? tf.zeros(x.shape));
  } finally {
    state.activeTape = outer;
  }
}

function innerProduct(outputs: readonly Tensor[], dys: readonly Tensor[]): Tensor {
  const products = outputs.map((output, i) => tf.sum(tf.mul(output, dys[i])));
  return products.reduce((sum, product) => tf.add(sum, product));
}

/** Operations whose gradients belong to a part. */
const surrounded = new WeakSet<object>();

/**
 * Runs `fn`, and later the gradients of the operations that it records inside `within`.
 * @param seen operations that have such a surrounding of this kind; the innermost counts
 */
export function gradientsWithin<R>(
  within: <T>(run: () => T) => T,
  fn: () => R,
  seen: WeakSet<object> = surrounded,
): R {
  const before = tape().state.activeTape?.length ?? 0;
  const result = fn();
  for (const node of tape().state.activeTape?.slice(before) ?? []) {
    const { gradient } = node;
    if (!gradient || seen.has(node)) continue;
    seen.add(node);
    node.gradient = (dys) => {
      const grads = within(() => gradient(dys));
      return Object.fromEntries(Object.entries(grads).map(([name, grad]) => [name, () => within(grad)]));
    };
  }
  return result;
}
