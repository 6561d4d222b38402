// The bodies of loops: graphs that nodes have as an attribute, and that read values from around by their names.
import type { OnnxGraph, OnnxNode } from '../onnx-graph.js';

/** The graph that a node runs, and the attribute that it is. */
export function bodyOf({
  attributes,
}: OnnxNode): { readonly key: string; readonly body: OnnxGraph } | undefined {
  for (const [key, attribute] of Object.entries(attributes)) {
    if (typeof attribute === 'object' && 'graph' in attribute) return { key, body: attribute.graph };
  }
  return undefined;
}

/** A body that takes values by other names, in the bodies inside too. */
export function withNames(body: OnnxGraph, names: ReadonlyMap<string, string>): OnnxGraph {
  const nodes = body.nodes.map((node) => {
    const inputs = node.inputs.map((name) => names.get(name) ?? name);
    const entry = bodyOf(node);
    if (!entry) return { ...node, inputs };
    const graph = withNames(entry.body, names);
    return { ...node, inputs, attributes: { ...node.attributes, [entry.key]: { graph } } };
  });
  return { ...body, nodes };
}
