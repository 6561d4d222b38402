// Operators that ONNX Runtime's CPU provider runs as the nodes they are. One without a kernel is taken apart into others when a
// session is made, and one of half precision gets conversions beside it: the nodes are then run in another order than that of the graph as
// it was written, and nothing can be planned by it.
import { HOST_CALL_DOMAIN } from '../host-call-node.js';
import { GEMM16_DOMAIN, type OnnxGraph, type OnnxNode, type OnnxValue } from '../onnx-graph.js';

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
  const isHalf = (name: string): boolean => HALF.has(shapeOf(name)?.dtype ?? '');
  const given = new Set(
    [...inputs, ...outputs].flatMap(({ name, dtype }) => (HALF.has(dtype) ? [name] : [])),
  );
  const takesHalf = (name: string): boolean => given.has(name) || isHalf(name);
  return nodes.every(
    (node) => isKnown(node) && (takesAny(node) || ![...node.inputs, ...node.outputs].some(takesHalf)),
  );
}

/** Whether its kernel is one for all types. */
function takesAny({ op, domain }: OnnxNode): boolean {
  return domain === '' ? op === 'Cast' : domain === GEMM16_DOMAIN;
}

function isKnown({ op, domain }: OnnxNode): boolean {
  if (domain === '') return OPERATORS.has(op);
  return (
    domain === HOST_CALL_DOMAIN ||
    domain === GEMM16_DOMAIN ||
    (domain === 'com.microsoft' && OWN_OPERATORS.has(op))
  );
}
