// A host call in a graph, as a node. Where nodes can be functions of ours (capi/host-calls.ts) it is run as it stands; else
// the program is cut there (trace.ts).
import type { HostFunctionCall } from '../host-function.js';
import { currentPart } from '../part.js';
import type { DType } from '../tensors.js';
import type { OnnxNode, OnnxValue } from './onnx-graph.js';

export const HOST_CALL_DOMAIN = 'anemone.host';
export const HOST_CALL_OPERATOR = 'Call';

export interface HostCall extends HostFunctionCall {
  readonly inputs: readonly HostValue[];
  readonly outputs: readonly HostValue[];
}

/** A value of a graph whose type the host has too. */
export interface HostValue extends OnnxValue {
  readonly dtype: DType;
}

export interface HostCallNode extends OnnxNode {
  /** Of the process: what a session looks its function up by. */
  readonly number: number;
  readonly call: HostCall;
}

let nodesMade = 0;

export function isHostCall(node: OnnxNode): node is HostCallNode {
  return node.domain === HOST_CALL_DOMAIN;
}

/** All host calls of a graph, those in loop bodies included. */
export function hostCallsOf(nodes: readonly OnnxNode[]): HostCallNode[] {
  return nodes.flatMap((node) => {
    if (isHostCall(node)) return [node];
    return Object.values(node.attributes).flatMap((attribute) =>
      typeof attribute === 'object' && 'graph' in attribute ? hostCallsOf(attribute.graph.nodes) : [],
    );
  });
}

/** @param anyValue a value that the function does not get: ONNX Runtime takes the type of a lone input for that of the outputs */
export function hostCallNode(call: HostCall, anyValue: () => string): HostCallNode {
  const names = call.inputs.map(({ name }) => name);
  const number = ++nodesMade;
  return {
    op: HOST_CALL_OPERATOR,
    domain: HOST_CALL_DOMAIN,
    inputs: names.length < 2 ? [...names, anyValue(), anyValue()].slice(0, 2) : names,
    outputs: call.outputs.map(({ name }) => name),
    attributes: { id: number },
    part: currentPart(),
    number,
    call,
  };
}
