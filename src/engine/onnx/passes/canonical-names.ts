// Names by place instead of by when they were made, so that equal graphs of different traces are equal.
import { NATIVE_DOMAIN, type OnnxGraph, type OnnxNode, type OnnxValue } from '../onnx-graph.js';

export interface Renamed {
  readonly graph: OnnxGraph;
  /** The new name of each value. */
  readonly names: ReadonlyMap<string, string>;
  /** What is known of values, under their new names. */
  describing(describe: Describe): Describe;
}

type Describe = (name: string) => OnnxValue | undefined;

/** Undefined where nodes are more than an operator: loops, host calls. */
export function withCanonicalNames(graph: OnnxGraph): Renamed | undefined {
  if (!graph.nodes.every(isPlain)) return undefined;
  const names = new Map<string, string>();
  const rename = (name: string): string => {
    const known = names.get(name) ?? `x${names.size}`;
    names.set(name, known);
    return known;
  };
  const nodes = graph.nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map(rename),
    outputs: node.outputs.map(rename),
  }));
  const order = (name: string) => Number(rename(name).slice(1));
  const inOrder = <V extends { readonly name: string }>(values: readonly V[]): V[] =>
    [...values]
      .sort((a, b) => order(a.name) - order(b.name))
      .map((value) => ({ ...value, name: rename(value.name) }));
  return {
    graph: {
      nodes,
      inputs: inOrder(graph.inputs),
      outputs: inOrder(graph.outputs),
      initializers: inOrder(graph.initializers),
    },
    names,
    describing: (describe) => {
      const oldNames = new Map([...names].map(([old, name]) => [name, old]));
      return (name) => {
        const value = describe(oldNames.get(name) ?? name);
        return value && { ...value, name };
      };
    },
  };
}

function isPlain({ domain, inputs, attributes }: OnnxNode): boolean {
  if ((domain !== '' && domain !== NATIVE_DOMAIN) || inputs.includes('')) return false;
  return Object.values(attributes).every((value) => typeof value !== 'object' || !('graph' in value));
}
