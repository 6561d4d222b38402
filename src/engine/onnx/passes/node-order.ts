// In which order ONNX Runtime runs the nodes of a graph.
import { producers, usedNames } from '../graph-builder.js';
import type { OnnxGraph, OnnxNode } from '../onnx-graph.js';

/**
 * ONNX Runtime's default order: depth first from the nodes whose results nobody uses, the last of them first, and at
 * each node from its latest input on; a node stands behind its inputs.
 */
export function executionOrder({ nodes }: Pick<OnnxGraph, 'nodes'>): OnnxNode[] {
  const made = producers(nodes);
  const index = new Map(nodes.map((node, i) => [node, i]));
  const inputsOf = (node: OnnxNode): OnnxNode[] => {
    const found = new Set(usedNames(node).map((name) => made.get(name)));
    found.delete(undefined);
    return ([...found] as OnnxNode[]).sort((a, b) => (index.get(a) ?? 0) - (index.get(b) ?? 0));
  };
  const used = new Set(nodes.flatMap(inputsOf));
  const stack = nodes.filter((node) => !used.has(node)).map((node) => ({ node, done: false }));
  const seen = new Set<OnnxNode>();
  const order: OnnxNode[] = [];
  for (let entry = stack.pop(); entry; entry = stack.pop()) {
    if (entry.done) {
      order.push(entry.node);
      continue;
    }
    if (seen.has(entry.node)) continue;
    seen.add(entry.node);
    stack.push({ node: entry.node, done: true });
    for (const node of inputsOf(entry.node)) if (!seen.has(node)) stack.push({ node, done: false });
  }
  return order;
}
