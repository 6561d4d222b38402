// Writes an ONNX model in its protobuf wire format. Only what the graphs of this engine need.
import { ProtoWriter } from '../../formats/index.js';
import { HOST_CALL_DOMAIN, hostCallsOf, isHostCall } from './host-call-node.js';
import {
  type AttributeValue,
  NATIVE_DOMAIN,
  type OnnxGraph,
  type OnnxNode,
  type OnnxValue,
  onnxType,
} from './onnx-graph.js';

const IR_VERSION = 9;
export const OPSET = 18;

export interface ModelOptions {
  /** Name of the graph. Default "program". */
  readonly name?: string;
  /** The model may use ONNX Runtime's own operators. Default true. */
  readonly ownOperators?: boolean;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

export function encodeModel(graph: OnnxGraph, options: ModelOptions = {}): Uint8Array {
  const { name = 'program', ownOperators = true, metadata = {} } = options;
  const writer = new ProtoWriter(1 << 16);
  writer.int64(1, IR_VERSION).string(2, 'anemone');
  writer.message(7, (w) => writeGraph(w, graph, name));
  writer.message(8, (w) => w.string(1, '').int64(2, OPSET));
  if (hostCallsOf(graph.nodes).length > 0) {
    writer.message(8, (w) => w.string(1, HOST_CALL_DOMAIN).int64(2, 1));
  }
  if (usesDomain(graph.nodes, NATIVE_DOMAIN))
    writer.message(8, (w) => w.string(1, NATIVE_DOMAIN).int64(2, 1));
  if (ownOperators) writer.message(8, (w) => w.string(1, 'com.microsoft').int64(2, 1));
  for (const [key, value] of Object.entries(metadata)) {
    writer.message(14, (w) => w.string(1, key).string(2, value));
  }
  return writer.finish();
}

function usesDomain(nodes: readonly OnnxNode[], domain: string): boolean {
  return nodes.some(
    (node) =>
      node.domain === domain ||
      Object.values(node.attributes).some(
        (value) => typeof value === 'object' && 'graph' in value && usesDomain(value.graph.nodes, domain),
      ),
  );
}

function writeGraph(writer: ProtoWriter, graph: OnnxGraph, name: string): void {
  for (const node of graph.nodes) writer.message(1, (w) => writeNode(w, node));
  writer.string(2, name);
  for (const initializer of graph.initializers) {
    writer.message(5, (w) => {
      for (const dim of initializer.shape) w.int64(1, dim);
      w.int32(2, onnxType[initializer.dtype]).string(8, initializer.name);
      if (initializer.external) writeExternal(w, initializer.external, initializer.bytes.length);
      else w.bytes(9, initializer.bytes);
    });
  }
  for (const input of graph.inputs) writer.message(11, (w) => writeValue(w, input));
  for (const output of graph.outputs) writer.message(12, (w) => writeValue(w, output));
  writeHostValues(writer, graph);
}

/** ONNX Runtime infers types and shapes for its own operators; where it knows them it lets a host call work in place. */
function writeHostValues(writer: ProtoWriter, { nodes, inputs, outputs, initializers }: OnnxGraph): void {
  const told = new Set([...inputs, ...outputs, ...initializers].map(({ name }) => name));
  for (const node of nodes) {
    if (!isHostCall(node)) continue;
    for (const value of [...node.call.inputs, ...node.call.outputs]) {
      if (told.has(value.name)) continue;
      told.add(value.name);
      writer.message(13, (w) => writeValue(w, value));
    }
  }
}

function writeExternal(
  writer: ProtoWriter,
  { location, offset }: { readonly location: string; readonly offset: number },
  length: number,
): void {
  for (const [key, value] of Object.entries({ location, offset, length })) {
    writer.message(13, (w) => w.string(1, key).string(2, String(value)));
  }
  writer.int32(14, 1);
}

/** What a model calls a node. */
export function nodeName({ op, outputs }: OnnxNode): string {
  return `${op}_${outputs[0]}`;
}

function writeNode(writer: ProtoWriter, node: OnnxNode): void {
  for (const input of node.inputs) writer.string(1, input);
  for (const output of node.outputs) writer.string(2, output);
  writer.string(3, nodeName(node)).string(4, node.op);
  for (const [name, value] of Object.entries(node.attributes)) {
    writer.message(5, (w) => writeAttribute(w, name, value));
  }
  if (node.domain !== '') writer.string(7, node.domain);
}

function writeAttribute(writer: ProtoWriter, name: string, value: AttributeValue): void {
  writer.string(1, name);
  if (typeof value === 'number') writer.int64(3, value).int32(20, 2);
  else if (typeof value === 'string') writer.bytes(4, new TextEncoder().encode(value)).int32(20, 3);
  else if ('float' in value) writer.float(2, value.float).int32(20, 1);
  else if ('graph' in value) writer.message(6, (w) => writeGraph(w, value.graph, 'body')).int32(20, 5);
  else {
    for (const item of value) writer.int64(8, item);
    writer.int32(20, 7);
  }
}

function writeValue(writer: ProtoWriter, value: OnnxValue): void {
  writer.string(1, value.name);
  writer.message(2, (type) => {
    type.message(1, (tensor) => {
      tensor.int32(1, onnxType[value.dtype]);
      tensor.message(2, (shape) => {
        for (const dim of value.dims ?? value.shape) {
          shape.message(1, (d) => {
            if (typeof dim === 'number') d.int64(1, dim);
            else if (dim !== '') d.string(2, dim);
          });
        }
      });
    });
  });
}
