// Nodes that a provider has no kernel for, as nodes that it has kernels for: what is left to the CPU is copied there and back,
// and the device waits. The gaps are those of ONNX Runtime 1.30's webgpu provider: it moves and compares bools only in few
// forms, cuts no integers, and knows some operators not at all.
import type { DType } from '../../tensors.js';
import {
  type OnnxGraph,
  type OnnxInitializer,
  type OnnxNode,
  type OnnxValue,
  onnxType,
} from '../onnx-graph.js';

type Attributes = OnnxNode['attributes'];

/** Names and values of the graph that is rewritten. */
interface Surroundings {
  typeOf(name: string): DType | undefined;
  shapeOf(name: string): readonly number[] | undefined;
  /** Values of a constant of whole numbers. */
  constantOf(name: string): readonly number[] | undefined;
  constant(dtype: 'float32' | 'int32', values: readonly number[], shape?: readonly number[]): string;
  /** Appends a node and returns the name of its output: `output`, or a new one of the type. */
  emit(op: string, inputs: readonly string[], dtype: DType, attributes?: Attributes, output?: string): string;
}

/** Appends what computes a node's outputs. Returns false to leave it as it is. */
type Rule = (node: OnnxNode, to: Surroundings) => boolean;

/** The graph without the gaps that are known. @param describe what is known of its values */
export function aroundGaps(graph: OnnxGraph, describe: (name: string) => OnnxValue | undefined): OnnxGraph {
  const nodes: OnnxNode[] = [];
  const initializers = [...graph.initializers];
  const to = surroundingsOf(graph, nodes, initializers, describe);
  for (const node of graph.nodes) {
    const rule = node.domain === '' ? RULES[node.op] : undefined;
    if (!rule?.(node, to)) to.keep(node);
  }
  return { ...graph, nodes, initializers };
}

/** Bools are moved as integers. @param data places of the inputs that are moved */
const moved =
  (data: (node: OnnxNode) => readonly number[]): Rule =>
  (node, to) => {
    const places = new Set(data(node));
    if (to.typeOf(node.inputs[0]) !== 'bool' || node.outputs.length !== 1) return false;
    const inputs = node.inputs.map((name, i) => (places.has(i) && name ? asType(name, 'int32', to) : name));
    const result = to.emit(node.op, inputs, 'int32', node.attributes);
    asType(result, 'bool', to, node.outputs[0]);
    return true;
  };

const first = () => [0];
const all = (node: OnnxNode) => node.inputs.map((_, i) => i);

/** Cut axis by axis, by the places that are kept. */
const slice: Rule = (node, to) => {
  const [x, starts, ends, axes, steps] = node.inputs;
  const dtype = to.typeOf(x);
  const shape = to.shapeOf(x);
  const [from, until, at] = [starts, ends, axes].map((name) => to.constantOf(name));
  if (dtype === 'float32' || !dtype || !shape || !from || !until || !at) return false;
  const by = steps ? to.constantOf(steps) : from.map(() => 1);
  if (!by) return false;
  at.reduce((name, axis, i) => {
    const size = shape[axis];
    const kept = placesOf(size, from[i], until[i], by[i]);
    const places = to.constant('int32', kept, [kept.length]);
    const output = i === at.length - 1 ? node.outputs[0] : undefined;
    return to.emit('Gather', [name, places], dtype, { axis }, output);
  }, x);
  return at.length > 0;
};

/** As Slice counts them: negative numbers from the end, and ends beyond either side. */
function placesOf(size: number, start: number, end: number, step: number): number[] {
  const within = (value: number, least: number, most: number) =>
    Math.min(most, Math.max(least, value < 0 ? value + size : value));
  const places: number[] = [];
  if (step > 0) {
    const last = within(end, 0, size);
    for (let i = within(start, 0, size); i < last; i += step) places.push(i);
  } else {
    const last = within(end, -1, size - 1);
    for (let i = within(start, 0, size - 1); i > last; i += step) places.push(i);
  }
  return places;
}

/** The larger of the two as numbers. */
const or: Rule = ({ inputs, outputs }, to) => {
  const numbers = inputs.map((name) => asType(name, 'int32', to));
  asType(to.emit('Max', numbers, 'int32'), 'bool', to, outputs[0]);
  return true;
};

const xor: Rule = ({ inputs, outputs }, to) => {
  const numbers = inputs.map((name) => asType(name, 'int32', to));
  to.emit('Not', [to.emit('Equal', numbers, 'bool')], 'bool', {}, outputs[0]);
  return true;
};

const equal: Rule = ({ inputs, outputs }, to) => {
  if (to.typeOf(inputs[0]) !== 'bool') return false;
  const numbers = inputs.map((name) => asType(name, 'int32', to));
  to.emit('Equal', numbers, 'bool', {}, outputs[0]);
  return true;
};

/** 1 above zero, -1 below, else the number itself: zeros and what is no number. */
const sign: Rule = ({ inputs: [x], outputs }, to) => {
  const dtype = to.typeOf(x);
  if (dtype !== 'float32' && dtype !== 'int32') return false;
  const [zero, one, minusOne] = [0, 1, -1].map((value) => to.constant(dtype, [value], []));
  const below = to.emit('Where', [to.emit('Less', [x, zero], 'bool'), minusOne, x], dtype);
  to.emit('Where', [to.emit('Greater', [x, zero], 'bool'), one, below], dtype, {}, outputs[0]);
  return true;
};

/** To the nearest whole number, halves to the even one: 2 ceil(floor(x) / 2) is that of the two beside a half. */
const round: Rule = ({ inputs: [x], outputs }, to) => {
  const f = (op: string, ...inputs: string[]) => to.emit(op, inputs, 'float32');
  const [half, one, two] = [0.5, 1, 2].map((value) => to.constant('float32', [value], []));
  const floor = f('Floor', x);
  const rest = f('Sub', x, floor);
  const even = f('Mul', f('Ceil', f('Mul', floor, half)), two);
  const notBelow = f('Where', to.emit('Greater', [rest, half], 'bool'), f('Add', floor, one), even);
  const isBelow = to.emit('Less', [rest, half], 'bool');
  to.emit('Where', [isBelow, floor, notBelow], 'float32', {}, outputs[0]);
  return true;
};

const ofIntegers =
  (compute: (x: string, to: Surroundings, output: string) => void): Rule =>
  ({ inputs: [x], outputs }, to) => {
    if (to.typeOf(x) !== 'int32') return false;
    compute(x, to, outputs[0]);
    return true;
  };

/** The remainder has the divisor's sign, where that of division that cuts has the dividend's. */
const mod: Rule = ({ inputs: [a, b], outputs }, to) => {
  if (to.typeOf(a) !== 'int32') return false;
  const i = (op: string, ...inputs: string[]) => to.emit(op, inputs, 'int32');
  const zero = to.constant('int32', [0], []);
  const rest = i('Sub', a, i('Mul', i('Div', a, b), b));
  // Of opposite signs, and not zero: their product is below zero, which could overflow; their signs' is not.
  const isNegative = (x: string) => asType(to.emit('Less', [x, zero], 'bool'), 'int32', to);
  const isZero = asType(to.emit('Equal', [rest, zero], 'bool'), 'int32', to);
  const differ = i('Sub', isNegative(rest), isNegative(b));
  const isWrong = i('Mul', i('Mul', differ, differ), i('Sub', to.constant('int32', [1], []), isZero));
  to.emit('Add', [rest, i('Mul', isWrong, b)], 'int32', {}, outputs[0]);
  return true;
};

const RULES: Readonly<Record<string, Rule>> = {
  Tile: moved(first),
  Transpose: moved(first),
  Identity: moved(first),
  Concat: moved(all),
  Pad: moved(() => [0, 2]),
  Slice: slice,
  Or: or,
  Xor: xor,
  Equal: equal,
  Sign: sign,
  Round: round,
  Mod: mod,
  Neg: ofIntegers((x, to, output) => {
    to.emit('Sub', [to.constant('int32', [0], []), x], 'int32', {}, output);
  }),
  Abs: ofIntegers((x, to, output) => {
    const negative = to.emit('Sub', [to.constant('int32', [0], []), x], 'int32');
    to.emit('Max', [x, negative], 'int32', {}, output);
  }),
  Relu: ofIntegers((x, to, output) => {
    to.emit('Max', [x, to.constant('int32', [0], [])], 'int32', {}, output);
  }),
};

function asType(name: string, dtype: DType, to: Surroundings, output?: string): string {
  if (output === undefined && to.typeOf(name) === dtype) return name;
  return to.emit('Cast', [name], dtype, { to: onnxType[dtype] }, output);
}

interface Rewriter extends Surroundings {
  keep(node: OnnxNode): void;
}

function surroundingsOf(
  graph: OnnxGraph,
  nodes: OnnxNode[],
  initializers: OnnxInitializer[],
  describe: (name: string) => OnnxValue | undefined,
): Rewriter {
  const constants = new Map(initializers.map((value) => [value.name, value]));
  const inputs = new Map(graph.inputs.map((value) => [value.name, value]));
  const types = new Map<string, DType>();
  let made = 0;
  const known = (name: string) => inputs.get(name) ?? constants.get(name) ?? describe(name);
  const typeOf = (name: string) => known(name)?.dtype ?? types.get(name);
  return {
    typeOf,
    shapeOf: (name) => known(name)?.shape,
    constantOf(name) {
      const constant = constants.get(name);
      if (constant?.dtype !== 'int64') return undefined;
      const { bytes } = constant;
      return Array.from(new BigInt64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8), Number);
    },
    constant(dtype, values, shape = [values.length]) {
      const name = `gap_${dtype}_${shape.length === 0 ? '' : 'list_'}${values.join('_')}`;
      if (!constants.has(name)) {
        const data = dtype === 'int32' ? Int32Array.from(values) : Float32Array.from(values);
        const constant = { name, shape, dtype, bytes: new Uint8Array(data.buffer) };
        constants.set(name, constant);
        initializers.push(constant);
      }
      return name;
    },
    emit(op, names, dtype, attributes = {}, output = `gap${made++}_${nodes.length}`) {
      nodes.push({ op, domain: '', inputs: names, outputs: [output], attributes });
      types.set(output, dtype);
      return output;
    },
    keep(node) {
      nodes.push(node);
      const dtype = typeMadeBy(node, typeOf);
      if (dtype) for (const output of node.outputs) types.set(output, dtype);
    },
  };
}

/** Of helper nodes, whose types were not recorded when they were traced. */
function typeMadeBy({ op, inputs, attributes }: OnnxNode, typeOf: Surroundings['typeOf']): DType | undefined {
  if (op === 'Cast')
    return (Object.keys(onnxType) as DType[]).find((dtype) => onnxType[dtype] === attributes['to']);
  if (op === 'ArgMax' || op === 'ArgMin' || op === 'Shape') return 'int64';
  return typeOf(op === 'Where' ? inputs[1] : inputs[0]);
}
