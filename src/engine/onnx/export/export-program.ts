// Makes an ONNX model, for other programs to run, of a function on tensors: states become weights inside, and axes
// are free. The tracer knows one size at a time, so the function is traced at many sizes and the graphs are compared
// (examples.ts, generalise.ts). Writing files, and checking what they compute, is the caller's.
import { AnemoneError } from '../../../errors/index.js';
import type { Tensors } from '../../engine.js';
import type { ProgramState } from '../../scope.js';
import type { DType, HostData, TensorSpec } from '../../tensors.js';
import { finishGraph, usedNames } from '../graph-builder.js';
import { encodeModel, OPSET } from '../model-proto.js';
import {
  type AttributeValue,
  type OnnxInitializer,
  type OnnxNode,
  type OnnxType,
  type OnnxValue,
  onnxType,
} from '../onnx-graph.js';
import { hostBytes } from '../trace-values.js';
import { type AlignedValue, alignExamples, type Example, traceExample } from './examples.js';
import { generalise } from './generalise.js';
import { type Axis, fitFormula, isConstant } from './sizes.js';

/** An input of an exported file. */
export interface ExportedInput {
  readonly dtype: DType;
  /** A size, or the name of an axis of any size. */
  readonly axes: readonly (number | string)[];
  /** The file takes int64, as most programs have it, for a tensor that is int32 in the function. */
  readonly int64?: boolean;
}

/** What is exported: a function, its inputs, and the sizes to trace it at. */
export interface ExportSpec {
  /** Name of the graph, for messages too. */
  readonly name: string;
  readonly fn: (inputs: Tensors) => Tensors;
  readonly inputs: Readonly<Record<string, ExportedInput>>;
  /** Outputs that are int32 in the function and int64 in the file. */
  readonly int64Outputs?: readonly string[];
  /**
   * Sizes of the named axes to trace at; the last is the longest that tables will serve. Give a dozen or more,
   * unlike one another and other numbers of the model, and no axis a function of another: what they have in
   * common by accident is taken for a rule.
   */
  readonly examples: readonly Readonly<Record<string, number>>[];
  /** Values of states, which become weights under the states' names. */
  readonly read: (state: ProgramState) => Promise<HostData>;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Where weights go that do not fit into the model's own file. */
export interface ExternalData {
  /** Name of the file beside the model. */
  readonly location: string;
  /** Bytes of weights from which on they go there. Default: what fits into one file. */
  readonly from?: number | undefined;
}

/** An ONNX file in memory, and the weights that lie beside it. */
export interface ExportedModel {
  readonly model: Uint8Array;
  /** Content of the file beside it, one part after the other, when there is one. */
  readonly data?: readonly Uint8Array[];
}

/** Protobuf's. */
const MOST_BYTES = 2 ** 31;
/** Room for everything but weights: nodes and tables. */
const MODEL_ROOM = 2 ** 28;
/** Weights start at whole pages, so that programs can map them. */
const PAGE = 4096;
/** Smaller ones stay in the model. */
const LEAST_EXTERNAL = 1024;

/** Version of the ONNX operators in exported models. */
export const EXPORT_OPSET = OPSET;

/**
 * The bytes of an ONNX model (standard operators only, opset `EXPORT_OPSET`) that computes `fn` for all sizes of the
 * named axes; inputs and outputs have the names they have in `fn`.
 * @throws AnemoneError `export.examples`, `export.program`, `export.topology` or `export.not-general`, with the node, when it is not
 *   clear from the examples how the computation depends on a size
 */
export async function exportProgram(spec: ExportSpec): Promise<Uint8Array> {
  return (await exportModel(spec)).model;
}

/**
 * As `exportProgram`, for weights of any size: with `external`, those that do not fit are put into a second file.
 * @throws AnemoneError also `export.size` for a model that does not fit and has no second file
 */
export async function exportModel(spec: ExportSpec, external?: ExternalData): Promise<ExportedModel> {
  checkIndependence(spec);
  const examples = spec.examples.map((sizes) => traceExample(spec.name, spec.fn, sized(spec.inputs, sizes)));
  const [first] = examples;
  const aligned = alignExamples(spec.name, examples);
  const read = Object.keys(spec.inputs).filter((key) => first.inputs.has(key));
  const fed = read.map((key) => alignedValue(examples, (example) => example.inputs.get(key) as OnnxValue));
  const weightsRead = [...first.states].map(([state, value]) => ({
    value,
    shapes: examples.map(() => state.shape),
  }));
  const general = generalise(spec.name, {
    nodes: aligned,
    inputs: [...fed, ...weightsRead],
    outputs: new Set([...first.outputs.values()].map(({ name }) => name)),
  });
  const weights: OnnxInitializer[] = [];
  const names = new Map<string, string>();
  for (const [state, value] of first.states) {
    names.set(value.name, state.name);
    const bytes = hostBytes(await spec.read(state), state.dtype);
    weights.push({ name: state.name, shape: state.shape, dtype: state.dtype, bytes });
  }
  const before: OnnxNode[] = [];
  const inputs = Object.entries(spec.inputs).map(([key, { dtype, axes, int64 }]): OnnxValue => {
    const own = first.inputs.get(key)?.name;
    if (own && int64) before.push(cast(key, own, dtype));
    else if (own) names.set(own, key);
    return { name: key, shape: [], dims: axes, dtype: int64 ? 'int64' : dtype };
  });
  const after: OnnxNode[] = [];
  const axisNames = new Map(
    Object.keys(spec.examples[0]).map((axis) => [spec.examples.map((sizes) => sizes[axis]).join(), axis]),
  );
  const outputs = [...first.outputs].map(([key, { name, dtype }]): OnnxValue => {
    const int64 = spec.int64Outputs?.includes(key);
    if (int64) after.push(cast(name, key, 'int64'));
    else names.set(name, key);
    const { shapes } = alignedValue(examples, (example) => example.outputs.get(key) as OnnxValue);
    return { name: key, shape: [], dims: outputAxes(key, shapes, axisNames), dtype: int64 ? 'int64' : dtype };
  });
  const nodes = [...before, ...general.nodes, ...after].map((node) => renamed(node, names));
  checkNames(spec.name, nodes, [...inputs, ...weights, ...general.initializers]);
  const { placed, data } = placeWeights(spec.name, weights, external);
  const graph = finishGraph(nodes, [], outputs, [...placed, ...general.initializers]);
  const { name, metadata } = spec;
  const model = encodeModel({ ...graph, inputs }, { name, metadata, ownOperators: false });
  return data.length === 0 ? { model } : { model, data };
}

/** Decides which weights lie beside the model, and what the file with them holds. */
function placeWeights(program: string, weights: readonly OnnxInitializer[], external?: ExternalData) {
  const total = weights.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const most = MOST_BYTES - MODEL_ROOM;
  const data: Uint8Array[] = [];
  if (external && total >= (external.from ?? most)) {
    let offset = 0;
    const placed = weights.map((weight): OnnxInitializer => {
      if (weight.bytes.length < LEAST_EXTERNAL) return weight;
      const start = offset;
      const gap = (PAGE - (weight.bytes.length % PAGE)) % PAGE;
      data.push(weight.bytes, new Uint8Array(gap));
      offset += weight.bytes.length + gap;
      return { ...weight, external: { location: external.location, offset: start } };
    });
    return { placed, data };
  }
  if (total < most) return { placed: weights, data };
  const message = `${total} bytes of weights; an ONNX file holds less than 2 GiB`;
  throw new AnemoneError({ code: 'export.size', path: program, message });
}

/** Else an axis could be taken for another, in all examples alike. The longest is apart and does not count. */
function checkIndependence({ name, examples }: ExportSpec): void {
  const usual = examples.slice(0, -1);
  const axes = Object.keys(examples[0]).map(
    (value): Axis => ({ value, index: 0, sizes: usual.map((sizes) => sizes[value]) }),
  );
  for (const axis of axes) {
    const other = axes.find((b) => b !== axis && !isConstant(axis.sizes) && fitFormula(axis.sizes, [b]));
    if (!other) continue;
    const message = `in the examples, axis ${axis.value} is a function of axis ${other.value}`;
    throw new AnemoneError({ code: 'export.examples', path: name, message });
  }
}

function sized(
  inputs: ExportSpec['inputs'],
  sizes: Readonly<Record<string, number>>,
): Record<string, TensorSpec> {
  const shape = (axes: ExportedInput['axes']) => axes.map((a) => (typeof a === 'number' ? a : sizes[a]));
  return Object.fromEntries(
    Object.entries(inputs).map(([key, { dtype, axes }]) => [key, { dtype, shape: shape(axes) }]),
  );
}

function alignedValue(examples: readonly Example[], pick: (example: Example) => OnnxValue): AlignedValue {
  return { value: pick(examples[0]), shapes: examples.map((example) => pick(example).shape) };
}

function outputAxes(
  key: string,
  shapes: readonly (readonly number[])[],
  names: Map<string, string>,
): (number | string)[] {
  return shapes[0].map((_, i) => {
    const sizes = shapes.map((shape) => shape[i]);
    if (isConstant(sizes)) return sizes[0];
    const name = names.get(sizes.join()) ?? `${key}_axis_${i}`;
    names.set(sizes.join(), name);
    return name;
  });
}

function cast(from: string, to: string, dtype: OnnxType): OnnxNode {
  return { op: 'Cast', domain: '', inputs: [from], outputs: [to], attributes: { to: onnxType[dtype] } };
}

/** The node under other names of values, inside loops too. */
function renamed(node: OnnxNode, names: ReadonlyMap<string, string>): OnnxNode {
  const own = (name: string): string => names.get(name) ?? name;
  const attributes = Object.entries(node.attributes).map(([key, value]): [string, AttributeValue] => {
    if (typeof value !== 'object' || !('graph' in value)) return [key, value];
    const { graph } = value;
    return [key, { graph: { ...graph, nodes: graph.nodes.map((inner) => renamed(inner, names)) } }];
  });
  return {
    ...node,
    inputs: node.inputs.map(own),
    outputs: node.outputs.map(own),
    attributes: Object.fromEntries(attributes),
  };
}

/** Everything read is made before, so that a mistake here does not become a file that no one can load. */
function checkNames(program: string, nodes: readonly OnnxNode[], given: readonly OnnxValue[]): void {
  const made = new Set(given.map(({ name }) => name));
  for (const node of nodes) {
    const inner = innerNames(node);
    const missing = usedNames(node).find((name) => !made.has(name) && !inner.has(name));
    if (missing !== undefined) {
      const message = `${node.op} reads ${missing}, which nothing makes`;
      throw new AnemoneError({ code: 'export.graph', path: program, message });
    }
    for (const output of node.outputs) made.add(output);
  }
}

/** Names made inside a node's loop. */
function innerNames(node: OnnxNode): Set<string> {
  const names = Object.values(node.attributes).flatMap((value) => {
    if (typeof value !== 'object' || !('graph' in value)) return [];
    const { inputs, nodes } = value.graph;
    return [
      ...inputs.map(({ name }) => name),
      ...nodes.flatMap((inner) => [...inner.outputs, ...innerNames(inner)]),
    ];
  });
  return new Set(names);
}
