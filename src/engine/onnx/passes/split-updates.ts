// Splits a graph in what its outputs need, and what only the new values of states need beside that: a training step in loss
// and gradients, and the update. Between the two the host decides whether the update is made at all; so the update may
// write over what it reads.
import { sizeOf } from '../../tensors.js';
import { finishGraph, producers, usedNames } from '../graph-builder.js';
import { bytesOfType, type OnnxGraph, type OnnxNode, type OnnxValue } from '../onnx-graph.js';
import { withEarlyTransposes } from './early-transposes.js';
import { VIEWS } from './in-place.js';
import { POINTWISE } from './vectors.js';

export interface SplitGraph {
  /** The outputs, and what the updates take from there. */
  readonly compute: OnnxGraph;
  /** The updates. */
  readonly apply: OnnxGraph;
  /** Shapes and types of values, where they are known. */
  readonly describe: Describe;
}

/** More would cross than the states have: gradients cross, activations should not. */
const MOST_CROSSING = 1.5;
const SMALL = 1 << 20;
/** So many operators number by number are repeated rather than that a whole value crosses. */
const CHEAP = 3;

type Describe = (name: string) => OnnxValue | undefined;

/**
 * Undefined where nothing is gained: there is no update that the outputs do not need, or too much would cross.
 * @param outputs names that `compute` must give; the others of the graph are updates
 * @param shapeOf shapes of values, where they are known
 */
export function splitUpdates(
  graph: OnnxGraph,
  outputs: ReadonlySet<string>,
  shapeOf: Describe,
): SplitGraph | undefined {
  const computed = ancestors(graph.nodes, outputs);
  const first = graph.nodes.filter((node) => computed.has(node));
  const rest = graph.nodes.filter((node) => !computed.has(node));
  if (rest.length === 0) return undefined;
  const described = new Map([...graph.initializers, ...graph.inputs].map((value) => [value.name, value]));
  const describe = (name: string) => described.get(name) ?? shapeOf(name);
  const made = new Set(first.flatMap((node) => node.outputs));
  const repeated = repeatedNodes(first, rest, made, describe);
  const turned = withEarlyTransposes([...repeated, ...rest], describe, (name) => made.has(name));
  for (const value of turned.values) described.set(value.name, value);
  const compute = eachBehindItsInput(first, turned.transposes);
  const apply = turned.nodes;
  const own = new Set(apply.flatMap((node) => node.outputs));
  const read = new Set(apply.flatMap(usedNames));
  const crossing = compute.flatMap((node) => node.outputs).filter((name) => read.has(name) && !own.has(name));
  if (crossing.some((name) => describe(name) === undefined)) return undefined;
  const values = crossing.map((name) => describe(name) as OnnxValue);
  const updates = graph.outputs.filter(({ name }) => !made.has(name));
  if (bytes(values) > MOST_CROSSING * bytes(updates) + SMALL) return undefined;
  const early = graph.outputs.filter(({ name }) => made.has(name));
  const crossed = values.filter(({ name }) => !early.some((value) => value.name === name));
  return {
    compute: finishGraph(compute, graph.inputs, [...early, ...crossed], graph.initializers),
    apply: finishGraph(apply, [...graph.inputs, ...values], updates, graph.initializers),
    describe,
  };
}

/**
 * `nodes` with those of `others`, each behind the node that it reads. At the end they would be run first, for ONNX Runtime
 * begins with the last node that nobody reads, and the gradient of the first layer would be computed before all others: what
 * every layer keeps for its weights would then be alive at once.
 */
function eachBehindItsInput(nodes: readonly OnnxNode[], others: readonly OnnxNode[]): readonly OnnxNode[] {
  const readers = new Map<string, OnnxNode[]>();
  for (const other of others) readers.set(other.inputs[0], [...(readers.get(other.inputs[0]) ?? []), other]);
  const placed: OnnxNode[] = [];
  const place = (node: OnnxNode): void => {
    placed.push(node);
    for (const name of node.outputs) {
      for (const reader of readers.get(name) ?? []) place(reader);
      readers.delete(name);
    }
  };
  nodes.forEach(place);
  // What is left reads inputs of the graph.
  return [...[...readers.values()].flat(), ...placed];
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

/**
 * Nodes of `first` that are made again for `rest`, instead of what they make being kept: where that cannot cross, for its
 * shape is unknown (a transpose inside a convolution), and where it takes next to nothing to make.
 */
function repeatedNodes(
  first: readonly OnnxNode[],
  rest: readonly OnnxNode[],
  made: ReadonlySet<string>,
  shapeOf: Describe,
): readonly OnnxNode[] {
  const repeated = new Set<OnnxNode>();
  const maker = producers(first);
  const isSingle = (name: string) => sizeOf(shapeOf(name)?.shape ?? [2]) === 1;
  const readByUpdates = new Set(rest.flatMap(usedNames));
  /** Of the graph's inputs, of single numbers and of what crosses itself, by so few nodes at most. */
  const isCheap = ({ op, domain, inputs }: OnnxNode, most: number): boolean => {
    if (most === 0 || domain !== '' || !(VIEWS.has(op) || POINTWISE.has(op))) return false;
    return inputs.every(
      (name) =>
        !made.has(name) ||
        isSingle(name) ||
        readByUpdates.has(name) ||
        isCheap(maker.get(name) as OnnxNode, most - 1),
    );
  };
  const visit = (node: OnnxNode): void => {
    for (const name of usedNames(node)) {
      const source = maker.get(name);
      if (!source || repeated.has(source) || isSingle(name)) continue;
      if (shapeOf(name) !== undefined && !isCheap(source, CHEAP)) continue;
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
