// A model that copies a tensor: what moves values between the host and a device.
import type { TensorSpec } from '../tensors.js';
import { encodeModel } from './model-proto.js';
import type { OnnxGraph } from './onnx-graph.js';
import type { SessionModel } from './session.js';

/** The same for tensors that one model copies: those of a type and number of axes. */
export function copyKey({ dtype, shape }: TensorSpec): string {
  return `${dtype} ${shape.length}`;
}

/** Its input is `x`, its output `y`. */
export function copyModel({ dtype, shape }: TensorSpec): SessionModel {
  const value = (name: string) => ({ name, dtype, shape: [], dims: shape.map(() => '') });
  const graph: OnnxGraph = {
    nodes: [{ op: 'Identity', domain: '', inputs: ['x'], outputs: ['y'], attributes: {} }],
    inputs: [value('x')],
    outputs: [value('y')],
    initializers: [],
  };
  return { bytes: encodeModel(graph), inputs: ['x'], outputs: ['y'], calls: [], weights: [], generation: {} };
}
