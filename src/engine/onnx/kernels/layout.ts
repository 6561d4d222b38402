// Axes orders. tfjs keeps images as NHWC, ONNX as NCHW, so convolutions stand between two transposes; elementwise
// operators between two convolutions work on the values before the transpose, and a transpose that meets its inverse
// disappears.
import { sizeOf } from '../../tensors.js';
import type { GraphBuilder } from '../graph-builder.js';
import type { TraceBackend } from '../trace-backend.js';

interface Raw {
  readonly name: string;
  readonly shape: readonly number[];
}
interface Context {
  readonly backend: TraceBackend;
  readonly graph: GraphBuilder;
}

const IMAGE_RANK = 4;

/** An operand so much smaller than the result is cheaply brought into another order. */
const SMALL = 16;

/** The value `name` with its axes in the order `perm`; two transposes in a row are one, or none. */
export function transposed(graph: GraphBuilder, name: string, perm: readonly number[]): string {
  const before = orderOf(graph, name);
  const whole = before ? perm.map((axis) => before.perm[axis]) : perm;
  const root = before?.input ?? name;
  if (whole.every((axis, i) => axis === i)) return root;
  return graph.one('Transpose', [root], { attributes: { perm: [...whole] } });
}

/**
 * Names of operands in the order of axes that the transposed images among them have in memory, and the transpose that
 * brings the result back; undefined where none is a transposed image, or where another would have to be moved.
 */
export function sharedLayout(
  raws: readonly Raw[],
  { backend, graph }: Context,
): { readonly names: string[]; readonly perm: number[] } | undefined {
  const orders = raws.map(({ name, shape }) =>
    shape.length === IMAGE_RANK ? orderOf(graph, name) : undefined,
  );
  const perm = orders.find((order) => order !== undefined)?.perm;
  if (!perm || backend.anyShape || raws.some(({ shape }) => shape.length > IMAGE_RANK)) return undefined;
  const largest = Math.max(...raws.map(({ shape }) => sizeOf(shape)));
  const fits = (raw: Raw, i: number) =>
    orders[i] ? orders[i].perm.join() === perm.join() : sizeOf(raw.shape) * SMALL <= largest;
  if (!raws.every(fits)) return undefined;
  const inverse = perm.map((_, axis) => perm.indexOf(axis));
  const names = raws.map(({ name, shape }, i) => {
    if (orders[i]) return orders[i].input;
    if (shape.length === 0) return name;
    const full = [...Array(IMAGE_RANK - shape.length).fill(1), ...shape] as number[];
    const moved = inverse.map((axis) => full[axis]);
    // Where at most one axis is longer than 1, another shape is all it takes.
    if (full.filter((n) => n > 1).length <= 1) return graph.one('Reshape', [name, graph.names.int64(moved)]);
    const image = full.length === shape.length ? name : graph.one('Reshape', [name, graph.names.int64(full)]);
    return graph.one('Transpose', [image], { attributes: { perm: inverse } });
  });
  return { names, perm: [...perm] };
}

/** What a transpose made `name` of. */
function orderOf(
  graph: GraphBuilder,
  name: string,
): { readonly input: string; readonly perm: readonly number[] } | undefined {
  const made = graph.producer(name);
  if (made?.op !== 'Transpose') return undefined;
  return { input: made.inputs[0], perm: made.attributes['perm'] as readonly number[] };
}
