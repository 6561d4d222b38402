// Reads how values are computed number by number.
import { sizeOf } from '../../tensors.js';
import { usedNames } from '../graph-builder.js';
import type { OnnxGraph, OnnxNode, OnnxValue } from '../onnx-graph.js';
import { VIEWS } from './in-place.js';

/** How values of one size are computed of others of that size, and of single numbers. */
export interface Vectors {
  /** Nodes, each behind those whose values it takes; among them views, which are the same vector. */
  readonly nodes: readonly OnnxNode[];
  /** Vectors from outside of these nodes. */
  readonly leaves: ReadonlySet<string>;
  /** Single numbers from outside; not constants. */
  readonly scalars: ReadonlySet<string>;
  /** Vectors that are old values of states, or computed of them. */
  readonly ofStates: ReadonlySet<string>;
}

interface Surroundings {
  readonly graph: OnnxGraph;
  readonly stateInputs: ReadonlyMap<unknown, string>;
  readonly describe: (name: string) => OnnxValue | undefined;
}

/** Operators that compute a number of numbers in the same places, to the same bits wherever in memory these are. */
export const POINTWISE: ReadonlySet<string> = new Set([
  'Add', 'Sub', 'Mul', 'Div', 'Min', 'Max', 'Neg', 'Abs', 'Sqrt', 'Sign', 'Relu', 'Where', 'Cast',
  'Less', 'LessOrEqual', 'Greater', 'GreaterOrEqual', 'Equal', 'And', 'Or', 'Not',
]); // biome-ignore format: a table

/** Undefined where a number of an output needs others than those in its place. */
export function vectorsOf(
  outputs: readonly (readonly [unknown, OnnxValue])[],
  surroundings: Surroundings,
): Vectors | undefined {
  const walk = new Walk(surroundings, sizeOf(outputs[0][1].shape));
  return outputs.every(([, { name }]) => walk.takeVector(name)) ? walk : undefined;
}

class Walk implements Vectors {
  readonly nodes: OnnxNode[] = [];
  readonly leaves = new Set<string>();
  readonly scalars = new Set<string>();
  readonly ofStates = new Set<string>();
  private readonly names = new Set<string>();
  private readonly sources: Sources;

  constructor(
    { graph, stateInputs, describe }: Surroundings,
    private readonly size: number,
  ) {
    this.sources = sourcesOf(graph, stateInputs, describe);
  }

  /** Whether a value is a vector that is computed number by number, or one from outside. */
  takeVector(name: string): boolean {
    if (this.names.has(name)) return true;
    // A single number could as well be a scalar that others share.
    if (this.size === 1 || this.sources.sizeOf(name) !== this.size) return false;
    const node = this.sources.makerOf(name);
    if (node?.domain !== '') return this.takeLeaf(name);
    if (VIEWS.has(node.op)) return this.takeVector(node.inputs[0]) && this.takeNode(node);
    if (!POINTWISE.has(node.op)) return this.takeLeaf(name);
    return node.inputs.every((input) => this.takeOperand(input)) && this.takeNode(node);
  }

  private takeOperand(name: string): boolean {
    if (!this.sources.isScalar(name)) return this.takeVector(name);
    if (this.sources.isConstant(name)) return true;
    this.scalars.add(name);
    return this.sources.isOfHost(name);
  }

  private takeNode(node: OnnxNode): true {
    if (!this.nodes.includes(node)) this.nodes.push(node);
    for (const name of node.outputs) this.takeName(name);
    return true;
  }

  /** Of what is computed otherwise, only what no old value of a state is needed for: a gradient. */
  private takeLeaf(name: string): boolean {
    if (this.sources.isConstant(name) || !this.sources.isOfHost(name)) return false;
    if (this.sources.makerOf(name) && this.sources.isOfStates(name)) return false;
    this.leaves.add(name);
    this.takeName(name);
    return true;
  }

  private takeName(name: string): void {
    this.names.add(name);
    if (this.sources.isOfStates(name)) this.ofStates.add(name);
  }
}

interface Sources {
  makerOf(name: string): OnnxNode | undefined;
  /** Undefined where it is not known. */
  sizeOf(name: string): number | undefined;
  isScalar(name: string): boolean;
  isConstant(name: string): boolean;
  /** Whether it is of a type that the host has too. */
  isOfHost(name: string): boolean;
  /** Whether it is computed of the old value of a state. */
  isOfStates(name: string): boolean;
}

const sourcesOfGraphs = new WeakMap<OnnxGraph, Sources>();

function sourcesOf(
  graph: OnnxGraph,
  stateInputs: ReadonlyMap<unknown, string>,
  describe: (name: string) => OnnxValue | undefined,
): Sources {
  const known = sourcesOfGraphs.get(graph);
  if (known) return known;
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const told = new Map([...graph.initializers, ...graph.inputs, ...graph.outputs].map((v) => [v.name, v]));
  const constants = new Set(graph.initializers.map(({ name }) => name));
  const ofStates = new Set(stateInputs.values());
  for (const node of graph.nodes) {
    if (usedNames(node).some((name) => ofStates.has(name)))
      for (const name of node.outputs) ofStates.add(name);
  }
  const value = (name: string) => told.get(name) ?? describe(name);
  const shape = (name: string) => value(name)?.shape;
  const sources: Sources = {
    makerOf: (name) => makers.get(name),
    sizeOf: (name) => {
      const found = shape(name);
      return found && sizeOf(found);
    },
    isScalar: (name) => {
      const found = shape(name);
      return found !== undefined && found.length <= 1 && sizeOf(found) === 1;
    },
    isConstant: (name) => constants.has(name),
    isOfHost: (name) => value(name)?.dtype !== 'int64',
    isOfStates: (name) => ofStates.has(name),
  };
  sourcesOfGraphs.set(graph, sources);
  return sources;
}
