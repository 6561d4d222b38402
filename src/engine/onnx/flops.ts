// How much a program computes, counted from its graph: multiplications and additions of products and convolutions, which is
// what a rate in FLOP/s is usually said of. What works on single elements does not count.
import { sizeOf } from '../tensors.js';
import type { OnnxGraph, OnnxNode } from './onnx-graph.js';
import type { TracedProgram } from './trace.js';

type ShapeOf = (name: string) => readonly number[] | undefined;

/** Floating-point operations of one run. */
export function flopsOf({ segments, apply, shapes }: TracedProgram): number {
  const graphs = apply ? [...segments, apply.graph] : segments;
  return graphs.reduce((sum, graph) => sum + graphFlops(graph, (name) => shapes.get(name)?.shape), 0);
}

function graphFlops(graph: OnnxGraph, outer: ShapeOf): number {
  const own = new Map([...graph.inputs, ...graph.initializers].map(({ name, shape }) => [name, shape]));
  const shapeOf: ShapeOf = (name) => own.get(name) ?? outer(name);
  return graph.nodes.reduce((sum, node) => sum + nodeFlops(node, shapeOf), 0);
}

function nodeFlops(node: OnnxNode, shapeOf: ShapeOf): number {
  const { attributes, inputs, op, outputs } = node;
  const body = attributes['body'];
  if (typeof body === 'object' && 'graph' in body) return turnsOf(node, shapeOf) * graphFlops(body.graph, shapeOf); // biome-ignore format: one line
  const [first, second] = [shapeOf(inputs[0]), shapeOf(inputs[1] ?? '')];
  const result = shapeOf(outputs[0]);
  if (!result || !first) return 0;
  switch (op) {
    case 'MatMul':
    case 'FusedMatMul':
    case 'Gemm16':
      return 2 * sizeOf(result) * (attributes['transA'] ? (first.at(-2) ?? 1) : (first.at(-1) ?? 1));
    case 'Gemm':
    case 'FusedGemm':
      return 2 * sizeOf(result) * (attributes['transA'] ? first[0] : first[1]);
    case 'MatMulNBits':
      return 2 * sizeOf(result) * (first.at(-1) ?? 1);
    case 'Conv':
    case 'FusedConv':
      // weight [out, in / groups, kernel…]
      return second ? 2 * sizeOf(result) * sizeOf(second.slice(1)) : 0;
    case 'ConvTranspose':
      // weight [in, out / groups, kernel…]: each number of the input is added to so many of the output
      return second ? 2 * sizeOf(first) * sizeOf(second.slice(1)) : 0;
    case 'DepthwiseConv':
      return second ? 2 * sizeOf(result) * sizeOf(second.slice(0, 2)) : 0;
    case 'DepthwiseConvInputGradient':
      return second ? 2 * sizeOf(first) * sizeOf(second.slice(0, 2)) : 0;
    default:
      return 0;
  }
}

/** Turns of a Scan: the length of what it goes over. */
function turnsOf({ attributes, inputs }: OnnxNode, shapeOf: ShapeOf): number {
  const scanned = (attributes['num_scan_inputs'] as number | undefined) ?? 0;
  return scanned === 0 ? 1 : (shapeOf(inputs[inputs.length - 1])?.[0] ?? 1);
}
