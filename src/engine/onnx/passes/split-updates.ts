// Splits a graph in what its outputs need, and what only the new values of states need beside that: a training step in loss
// and gradients, and the update. Between the two the host decides whether the update is made at all; so the update may
// write over what it reads.
import { sizeOf } from '../../tensors.js';
import { finishGraph, usedNames } from '../graph-builder.js';
import { bytesOfType, type OnnxGraph, type OnnxNode, type OnnxValue } from '../onnx-graph.js';

export interface SplitGraph {
  /** The outputs, and what the updates take from there. */
  readonly compute: OnnxGraph;
  /** The updates. */
  readonly apply: OnnxGraph;
}

/** More would cross than the states have: gradients cross, activations should not. */
const MOST_CROSSING = 1.5;
const SMALL = 1 << 20;

/**
 * Undefined where nothing is gained: there is no update that the outputs do not need, or too much would cross.
 * @param outputs names that `compute` must give; the others of the graph are updates
 * @param shapeOf shapes of values, where they are known
 */
export function splitUpdates(
  graph: OnnxGraph,
  outputs: ReadonlySet<string>,
  shapeOf: (name: string) => OnnxValue | undefined,
): SplitGraph | undefined {
  const computed = ancestors(graph.nodes, outputs);
  const first = graph.nodes.filter((node) => computed.has(node));
  const rest = graph.nodes.filter((node) => !computed.has(node));
  if (rest.length === 0) return undefined;
  const made = new Set(first.flatMap((node) => node.outputs));
  const repeated = cheapToRepeat(first, rest, made, (name) => shapeOf(name) !== undefined);
  const applied = [...repeated, ...rest];
  const own = new Set(applied.flatMap((node) => node.outputs));
  const read = new Set(applied.flatMap(usedNames));
  const crossing = [...made].filter((name) => read.has(name) && !own.has(name));
  if (crossing.some((name) => shapeOf(name) === undefined)) return undefined;
  const values = crossing.map((name) => shapeOf(name) as OnnxValue);
  const updates = graph.outputs.filter(({ name }) => !made.has(name));
  if (bytes(values) > MOST_CROSSING * bytes(updates) + SMALL) return undefined;
  const early = graph.outputs.filter(({ name }) => made.has(name));
  const crossed = values.filter(({ name }) => !early.some((value) => value.name === name));
  return {
    compute: finishGraph(first, graph.inputs, [...early, ...crossed], graph.initializers),
    apply: finishGraph(applied, [...graph.inputs, ...values], updates, graph.initializers),
  };
}

/** Nodes that a set of values is computed by. */
function ancestors(nodes: readonly OnnxNode[], wanted: ReadonlySet<string>): ReadonlySet<OnnxNode> {
  const needed = new Set(wanted);
  const found = new Set<OnnxNode>();
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i];
    if (!node.outputs.some((name) => needed.has(name))) continue;
    found.add(node);
    for (const name of usedNames(node)) needed.add(name);
  }
  return found;
}

/** Nodes whose values cannot cross, for their shapes are unknown (a transpose inside a convolution): they are made again. */
function cheapToRepeat(
  first: readonly OnnxNode[],
  rest: readonly OnnxNode[],
  made: ReadonlySet<string>,
  canCross: (name: string) => boolean,
): readonly OnnxNode[] {
  const repeated = new Set<OnnxNode>();
  const maker = new Map(first.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const visit = (node: OnnxNode): void => {
    for (const name of usedNames(node)) {
      const source = made.has(name) && !canCross(name) ? maker.get(name) : undefined;
      if (!source || repeated.has(source)) continue;
      repeated.add(source);
      visit(source);
    }
  };
  rest.forEach(visit);
  return first.filter((node) => repeated.has(node));
}

function bytes(values: readonly OnnxValue[]): number {
  return values.reduce((sum, { shape, dtype }) => sum + sizeOf(shape) * bytesOfType(dtype), 0);
}
