// Operators that ONNX Runtime's CPU provider runs as the nodes they are. One without a kernel is taken apart into others when a
// session is made, and one of half precision gets conversions beside it: the nodes are then run in another order than that of the graph as
// it was written, and nothing can be planned by it.
import { HOST_CALL_DOMAIN } from '../host-call-node.js';
import { NATIVE_DOMAIN, type OnnxGraph, type OnnxNode, type OnnxValue } from '../onnx-graph.js';
import { CARRIERS } from './carried-operands.js';

const OPERATORS: ReadonlySet<string> = new Set([
  'Abs', 'Add', 'And', 'ArgMax', 'ArgMin', 'Cast', 'Ceil', 'Clip', 'Concat', 'Conv', 'ConvTranspose', 'Cos', 'CumSum', 'Div',
  'Elu', 'Equal', 'Erf', 'Exp', 'Expand', 'Flatten', 'Floor', 'Gather', 'GatherElements', 'Gemm', 'Greater', 'GreaterOrEqual',
  'Identity', 'IsInf', 'IsNaN', 'LayerNormalization', 'LeakyRelu', 'Less', 'LessOrEqual', 'Log', 'LogSoftmax', 'MatMul', 'Max',
  'Min', 'Mod', 'Mul', 'Neg', 'Not', 'Or', 'PRelu', 'Pad', 'Pow', 'Range', 'Reciprocal', 'ReduceMax', 'ReduceMean', 'ReduceMin',
  'ReduceProd', 'ReduceSum', 'Relu', 'Reshape', 'Round', 'Scan', 'ScatterElements', 'Shape', 'Sigmoid', 'Sign',
  'SimplifiedLayerNormalization', 'Sin', 'Slice', 'Softmax', 'Softplus', 'Split', 'Sqrt', 'Squeeze', 'Sub', 'Tanh', 'Tile',
  'Transpose', 'Unsqueeze', 'Where',
]); // biome-ignore format: a table
/** Of the domain com.microsoft. */
const OWN_OPERATORS: ReadonlySet<string> = new Set([
  'FastGelu', 'FusedMatMul', 'Gelu', 'GroupQueryAttention', 'MatMulNBits', 'QuickGelu', 'RotaryEmbedding',
]); // biome-ignore format: a table
const HALF: ReadonlySet<string> = new Set(['float16', 'bfloat16']);

/** Whether the nodes of a graph are run as they stand. @param shapeOf shapes and types of values, where they are known */
export function runsAsWritten(
  { nodes, inputs, outputs }: OnnxGraph,
  shapeOf: (name: string) => OnnxValue | undefined,
): boolean {
  const given = new Map([...inputs, ...outputs].map(({ name, dtype }) => [name, dtype]));
  const halfOf = (name: string): string | undefined => {
    const dtype = given.get(name) ?? shapeOf(name)?.dtype;
    return dtype !== undefined && HALF.has(dtype) ? dtype : undefined;
  };
  return nodes.every((node) => {
    const halves = [...node.inputs, ...node.outputs].flatMap((name) => halfOf(name) ?? []);
    return isKnown(node) && halves.every((type) => takes(node, type));
  });
}

/** Whether a node has a kernel for a type of half precision, which is run as it is. */
function takes({ op, domain }: OnnxNode, type: string): boolean {
  if (domain !== '') return domain === NATIVE_DOMAIN;
  return op === 'Cast' || (type === 'bfloat16' && CARRIERS.has(op));
}

function isKnown({ op, domain }: OnnxNode): boolean {
  if (domain === '') return OPERATORS.has(op);
  return (
    domain === HOST_CALL_DOMAIN ||
    domain === NATIVE_DOMAIN ||
    (domain === 'com.microsoft' && OWN_OPERATORS.has(op))
  );
}
