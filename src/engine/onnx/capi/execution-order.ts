// Whether the library at hand runs nodes in the order that `executionOrder` foresees. Plans of memory rest on it: a library
// with another order computes without them.

import type { HostTensor } from '../../tensors.js';
import { hostCallNode, hostCallsOf } from '../host-call-node.js';
import { encodeModel } from '../model-proto.js';
import type { OnnxGraph, OnnxNode, OnnxValue } from '../onnx-graph.js';
import { executionOrder } from '../passes/node-order.js';
import type { Session, SessionModel } from '../session.js';
import { OrtError } from './api.js';

const NODES = 64;
const value = (name: string): OnnxValue & { readonly dtype: 'float32' } => ({
  name,
  shape: [1],
  dtype: 'float32',
});
const one = (): HostTensor => ({ dtype: 'float32', shape: [1], data: new Float32Array(1) });

/** Runs a graph of many branches, of nodes that say when they run. @param open makes a session */
export async function runsInForeseenOrder(open: (model: SessionModel) => Session): Promise<boolean> {
  const seen: string[] = [];
  const graph = branches((name) => seen.push(name));
  const names = (values: readonly OnnxValue[]) => values.map(({ name }) => name);
  const outputs = names(graph.outputs);
  let session: Session | undefined;
  try {
    session = open({
      bytes: encodeModel(graph),
      inputs: names(graph.inputs),
      outputs,
      calls: hostCallsOf(graph.nodes),
      weights: [],
      generation: {},
    });
    await session.run({ x: one() }, Object.fromEntries(outputs.map((name) => [name, one()])));
  } catch (cause) {
    if (cause instanceof OrtError) return false;
    throw cause;
  } finally {
    await session?.dispose();
  }
  return (
    seen.join() ===
    executionOrder(graph)
      .map(({ outputs }) => outputs[0])
      .join()
  );
}

/** A graph that several orders would be right for. */
function branches(run: (name: string) => void): OnnxGraph {
  const nodes: OnnxNode[] = [];
  const names = ['x'];
  const unused = new Set<string>();
  for (let i = 0; i < NODES; i++) {
    // Near and far ones in turn, in no order.
    const picks = [
      names[(i * 7 + 3) % names.length],
      names[(i * i + 5) % names.length],
      names[names.length >> 1],
    ];
    const inputs = [...new Set(picks.slice(0, 1 + (i % 3)))].map(value);
    const output = value(`n${i}`);
    const fn = () => {
      run(output.name);
      return [one()];
    };
    nodes.push(hostCallNode({ name: output.name, fn, inputs, outputs: [output] }, () => 'x'));
    for (const { name } of inputs) unused.delete(name);
    unused.add(output.name);
    names.push(output.name);
  }
  return { nodes, inputs: [value('x')], outputs: [...unused].map(value), initializers: [] };
}
