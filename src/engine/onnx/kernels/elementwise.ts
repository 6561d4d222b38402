// Elementwise kernels as ONNX nodes.
import type { DType } from '../../tensors.js';
import { NATIVE_DOMAIN, type OnnxNode, onnxType } from '../onnx-graph.js';
import type { TraceBackend } from '../trace-backend.js';
import { sameShape } from '../trace-values.js';
import {
  broadcastShape,
  dtypeOf,
  emitBroadcast,
  type Info,
  type Kernel,
  type KernelContext,
  type KernelTable,
} from './kernel.js';
import { transposed } from './layout.js';
import { withBias } from './native-depthwise.js';

const binary =
  (op: string, resultType?: DType): Kernel =>
  ({ a, b }, _attrs, context) =>
    emitBroadcast(context, op, [a, b], broadcastShape(a, b), resultType ?? dtypeOf(a));

const unary =
  (op: string, resultType?: DType): Kernel =>
  ({ x }, _attrs, context) =>
    emitBroadcast(context, op, [x], x.shape, resultType ?? dtypeOf(x));

/** x (op) number, the number on either side, can be x itself: `neutral` on the right always, on the left if commutative. */
const withNeutral =
  (kernel: Kernel, neutral: number, commutative: boolean): Kernel =>
  (inputs, attrs, context) => {
    const { a, b } = inputs;
    const { backend } = context;
    if (backend.anyShape) return kernel(inputs, attrs, context);
    const shape = broadcastShape(a, b);
    if (backend.repeatedNumber(b) === neutral && sameShape(a.shape, shape))
      return backend.broadcast(a, shape);
    if (commutative && backend.repeatedNumber(a) === neutral && sameShape(b.shape, shape))
      return backend.broadcast(b, shape);
    return kernel(inputs, attrs, context);
  };

/** A product or convolution plus bias is one operator if not used otherwise (the plain one is dropped then). */
const add: Kernel = (inputs, attrs, context) => {
  const { a, b } = inputs;
  return gemmWithBias(a, b, context) ?? convWithBias(a, b, context) ?? binary('Add')(inputs, attrs, context);
};

/** `image` [N,H,W,C] comes from a convolution without bias, and `bias` is a vector [C]. */
function convWithBias(image: Info, bias: Info, { backend, graph }: KernelContext): Info | undefined {
  const { raw, dtype } = backend.of(bias);
  const { name, raw: imageRaw } = backend.of(image);
  if (image.shape.length !== 4 || raw.length !== 1 || raw[0] !== image.shape[3] || dtype !== 'float32')
    return undefined;
  if (name === undefined || !sameShape(imageRaw, image.shape)) return undefined;
  const order = graph.producer(name);
  const depthwise = order && withBias(order, backend.raw(bias).name);
  if (depthwise) {
    const { inputs, attributes } = depthwise;
    const options = { attributes, domain: NATIVE_DOMAIN };
    return backend.value(graph.one('DepthwiseConv', inputs, options), image.shape, 'float32');
  }
  const conv = order?.op === 'Transpose' ? graph.producer(order.inputs[0]) : undefined;
  if (order === undefined || conv?.op !== 'Conv' || conv.inputs.length !== 2) return undefined;
  if (`${order.attributes['perm']}` !== '0,2,3,1') return undefined;
  const { attributes } = conv;
  const biased = graph.one('Conv', [...conv.inputs, backend.raw(bias).name], { attributes });
  const { shape } = backend.shapeOfName(order.inputs[0]) ?? {};
  if (shape) backend.value(biased, shape, 'float32');
  return backend.value(transposed(graph, biased, [0, 2, 3, 1]), image.shape, 'float32');
}

/** `product` is a matrix product [.., N], perhaps reshaped since, and `bias` a vector [N]. */
function gemmWithBias(product: Info, bias: Info, { backend, graph }: KernelContext): Info | undefined {
  const { raw, dtype } = backend.of(bias);
  const value = backend.of(product);
  const width = product.shape[product.shape.length - 1];
  if (raw.length !== 1 || raw[0] !== width || dtype !== 'float32' || value.name === undefined)
    return undefined;
  if (!sameShape(value.raw, product.shape)) return undefined;
  const made = graph.producer(value.name);
  const gemm = made?.op === 'Reshape' ? graph.producer(made.inputs[0]) : made;
  if (
    gemm?.op !== 'Gemm' ||
    gemm.inputs.length !== 2 ||
    'beta' in gemm.attributes ||
    !sameWidth(gemm, width, backend)
  )
    return undefined;
  const name = graph.one('Gemm', [...gemm.inputs, backend.raw(bias).name], { attributes: gemm.attributes });
  if (made?.op !== 'Reshape') return backend.value(name, product.shape, 'float32');
  backend.value(name, backend.shapeOfName(gemm.outputs[0])?.shape ?? [], 'float32');
  return backend.value(graph.one('Reshape', [name, made.inputs[1]]), product.shape, 'float32');
}

/** Whether the product's rows are as wide as the bias: a reshape may have cut them. */
function sameWidth(gemm: OnnxNode, width: number, backend: TraceBackend): boolean {
  const shape = backend.shapeOfName(gemm.outputs[0])?.shape;
  return shape !== undefined && shape[1] === width;
}

const multiplyBySelf: Kernel = ({ x }, _attrs, context) =>
  emitBroadcast(context, 'Mul', [x, x], x.shape, dtypeOf(x));

const select: Kernel = ({ condition, t, e }, _attrs, context) => {
  const { backend, graph } = context;
  let c = condition;
  if (c.shape.length === 1 && t.shape.length > 1) {
    // tfjs: a vector condition chooses whole rows.
    const rows = [c.shape[0], ...t.shape.slice(1).map(() => 1)];
    c = backend.value(graph.one('Reshape', [backend.name(c), graph.names.int64(rows)]), rows, 'bool');
  }
  if (dtypeOf(t) === 'bool') {
    const chosen = emitBroadcast(context, 'And', [c, t], t.shape, 'bool');
    const not = emitBroadcast(context, 'Not', [c], c.shape, 'bool');
    const other = emitBroadcast(context, 'And', [not, e], t.shape, 'bool');
    return emitBroadcast(context, 'Or', [chosen, other], t.shape, 'bool');
  }
  return emitBroadcast(context, 'Where', [c, t, e], t.shape, dtypeOf(t));
};

const comparedWith =
  (op: string): Kernel =>
  (inputs, attrs, context) => {
    const { a, b } = inputs;
    // ONNX Runtime compares no bools with < and >; tfjs promotes them.
    const promote = (x: Info): Info =>
      dtypeOf(x) === 'bool' && op !== 'Equal' ? castTo(x, 'int32', context) : x;
    return binary(op, 'bool')({ a: promote(a), b: promote(b) }, attrs, context);
  };

export function castTo(x: Info, dtype: DType, context: KernelContext): Info {
  return emitBroadcast(context, 'Cast', [x], x.shape, dtype, { attributes: { to: onnxType[dtype] } });
}

export const elementwiseKernels: KernelTable = {
  Add: withNeutral(add, 0, true),
  Sub: withNeutral(binary('Sub'), 0, false),
  Multiply: withNeutral(binary('Mul'), 1, true),
  RealDiv: withNeutral(binary('Div'), 1, false),
  Pow: binary('Pow'),
  Maximum: binary('Max'),
  Minimum: binary('Min'),
  Mod: binary('Mod'),
  Prelu: ({ x, alpha }, _attrs, context) => emitBroadcast(context, 'PRelu', [x, alpha], x.shape, 'float32'),
  SquaredDifference: ({ a, b }, _attrs, context) => {
    const difference = emitBroadcast(context, 'Sub', [a, b], broadcastShape(a, b), dtypeOf(a));
    return multiplyBySelf({ x: difference }, {}, context);
  },
  FloorDiv: ({ a, b }, _attrs, context) => {
    if (dtypeOf(a) === 'float32') {
      const quotient = emitBroadcast(context, 'Div', [a, b], broadcastShape(a, b), 'float32');
      return emitBroadcast(context, 'Floor', [quotient], quotient.shape, 'float32');
    }
    // Integer Div truncates; (a - mod(a, b)) / b is exact, and Mod has the divisor's sign.
    const remainder = emitBroadcast(context, 'Mod', [a, b], broadcastShape(a, b), 'int32');
    const exact = emitBroadcast(context, 'Sub', [a, remainder], remainder.shape, 'int32');
    return emitBroadcast(context, 'Div', [exact, b], remainder.shape, 'int32');
  },
  Greater: comparedWith('Greater'),
  GreaterEqual: comparedWith('GreaterOrEqual'),
  Less: comparedWith('Less'),
  LessEqual: comparedWith('LessOrEqual'),
  Equal: comparedWith('Equal'),
  NotEqual: (inputs, attrs, context) => {
    const equal = comparedWith('Equal')(inputs, attrs, context) as Info;
    return emitBroadcast(context, 'Not', [equal], equal.shape, 'bool');
  },
  LogicalAnd: binary('And'),
  LogicalOr: binary('Or'),
  LogicalNot: unary('Not'),
  Select: select,
  AddN: (inputs, attrs, context) => {
    const [first, ...rest] = Object.values(inputs);
    return rest.reduce<Info>((sum, x) => binary('Add')({ a: sum, b: x }, attrs, context) as Info, first);
  },
  Neg: unary('Neg'),
  Abs: unary('Abs'),
  Sign: unary('Sign'),
  Exp: unary('Exp'),
  Expm1: ({ x }, _attrs, context) => {
    const exp = emitBroadcast(context, 'Exp', [x], x.shape, 'float32');
    return emitBroadcast(context, 'Sub', [exp, context.backend.fill(1, [], 'float32')], x.shape, 'float32');
  },
  Log: unary('Log'),
  Log1p: ({ x }, _attrs, context) => {
    const shifted = emitBroadcast(
      context,
      'Add',
      [x, context.backend.fill(1, [], 'float32')],
      x.shape,
      'float32',
    );
    return emitBroadcast(context, 'Log', [shifted], x.shape, 'float32');
  },
  Sqrt: unary('Sqrt'),
  Rsqrt: ({ x }, _attrs, context) => {
    const root = emitBroadcast(context, 'Sqrt', [x], x.shape, 'float32');
    return emitBroadcast(context, 'Reciprocal', [root], x.shape, 'float32');
  },
  Reciprocal: unary('Reciprocal'),
  Square: multiplyBySelf,
  Sigmoid: unary('Sigmoid'),
  Tanh: unary('Tanh'),
  Relu: unary('Relu'),
  Relu6: ({ x }, _attrs, context) =>
    emitBroadcast(
      context,
      'Clip',
      [x, context.backend.fill(0, [], 'float32'), context.backend.fill(6, [], 'float32')],
      x.shape,
      'float32',
    ),
  LeakyRelu: ({ x }, { alpha }, context) =>
    emitBroadcast(context, 'LeakyRelu', [x], x.shape, 'float32', { attributes: { alpha: { float: alpha } } }),
  Elu: unary('Elu'),
  Softplus: unary('Softplus'),
  Erf: unary('Erf'),
  Sin: unary('Sin'),
  Cos: unary('Cos'),
  Floor: unary('Floor'),
  Ceil: unary('Ceil'),
  Round: unary('Round'),
  IsNan: unary('IsNaN', 'bool'),
  IsInf: unary('IsInf', 'bool'),
  IsFinite: ({ x }, _attrs, context) => {
    const nan = emitBroadcast(context, 'IsNaN', [x], x.shape, 'bool');
    const infinite = emitBroadcast(context, 'IsInf', [x], x.shape, 'bool');
    const either = emitBroadcast(context, 'Or', [nan, infinite], x.shape, 'bool');
    return emitBroadcast(context, 'Not', [either], x.shape, 'bool');
  },
  ClipByValue: ({ x }, { clipValueMin, clipValueMax }, context) => {
    const { backend } = context;
    const low = emitBroadcast(
      context,
      'Max',
      [x, backend.fill(clipValueMin, [], dtypeOf(x))],
      x.shape,
      dtypeOf(x),
    );
    return emitBroadcast(
      context,
      'Min',
      [low, backend.fill(clipValueMax, [], dtypeOf(x))],
      x.shape,
      dtypeOf(x),
    );
  },
  Step: ({ x }, { alpha }, context) => {
    const { backend } = context;
    const positive = emitBroadcast(context, 'Greater', [x, backend.fill(0, [], 'float32')], x.shape, 'bool');
    return emitBroadcast(
      context,
      'Where',
      [positive, backend.fill(1, [], 'float32'), backend.fill(alpha ?? 0, [], 'float32')],
      x.shape,
      'float32',
    );
  },
  Identity: ({ x }, _attrs, { backend }) => backend.broadcast(x, x.shape),
  Cast: ({ x }, { dtype }, context) => {
    if (x.dtype === dtype) return context.backend.broadcast(x, x.shape);
    const number = context.backend.repeatedNumber(x);
    if (number !== undefined)
      return context.backend.fill(dtype === 'bool' ? Number(number !== 0) : number, x.shape, dtype);
    return castTo(x, dtype, context);
  },
};
