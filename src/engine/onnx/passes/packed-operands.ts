// A matrix that a loop multiplies with in each turn, such as the recurrent weights of an LSTM, is laid out for products in bfloat16 once,
// before the loop: for the few rows of a turn that takes longer than the product itself. Loops inside loops are left as they are.
import { sizeOf } from '../../tensors.js';
import { NATIVE_DOMAIN, type OnnxNode } from '../onnx-graph.js';
import type { AutocastTools } from './autocast.js';
import { bodyOf } from './bodies.js';

/** Widths of the blocks and panels of native/gemm16.c, whose layout this is. */
const BLOCK_ROWS = 512;
const BLOCK_COLUMNS = 4096;
const PANEL = 32;

/** The nodes with Gemm16Pack before loops whose bodies multiply with matrices from around; the same list where there are none. */
export function packBeforeLoops(nodes: readonly OnnxNode[], tools: AutocastTools): readonly OnnxNode[] {
  const withPackings = nodes.flatMap((node) => withPackedOperands(node, tools));
  return withPackings.length > nodes.length ? withPackings : nodes;
}

/** A loop and what is packed for it, or a node as it is. */
function withPackedOperands(loop: OnnxNode, tools: AutocastTools): readonly OnnxNode[] {
  const entry = bodyOf(loop);
  if (!entry) return [loop];
  const { key, body } = entry;
  const inside = new Set([
    ...body.inputs.map(({ name }) => name),
    ...body.nodes.flatMap(({ outputs }) => outputs),
  ]);
  const packings = new Map<string, OnnxNode>();
  const nodes = body.nodes.map((node) => {
    const { op, domain, inputs, attributes } = node;
    const [rows, matrix, ...summand] = inputs;
    if (op !== 'Gemm16' || domain !== NATIVE_DOMAIN || attributes['transA'] || inside.has(matrix))
      return node;
    const shape = tools.describe(matrix)?.shape;
    if (shape?.length !== 2 || sizeOf(shape) === 0) return node;
    const { transB = 0, ...others } = attributes;
    const columns = transB ? shape[0] : shape[1];
    const use = `${transB} ${matrix}`;
    const packing = packings.get(use) ?? packingOf(matrix, Number(transB), shape, loop.part, tools);
    packings.set(use, packing);
    return { ...node, inputs: [rows, packing.outputs[0], ...summand], attributes: { ...others, columns } };
  });
  if (packings.size === 0) return [loop];
  const graph = { ...body, nodes };
  return [...packings.values(), { ...loop, attributes: { ...loop.attributes, [key]: { graph } } }];
}

function packingOf(
  matrix: string,
  transB: number,
  [rows, columns]: readonly number[],
  part: string | undefined,
  { fresh, record }: AutocastTools,
): OnnxNode {
  const output = fresh();
  const words = transB ? wordsOf(columns, rows) : wordsOf(rows, columns);
  record({ name: output, shape: [words], dtype: 'float32' });
  const attributes = { transB };
  return {
    op: 'Gemm16Pack',
    domain: NATIVE_DOMAIN,
    inputs: [matrix],
    outputs: [output],
    attributes,
    ...(part && { part }),
  };
}

/** Words of a packed matrix [k,n]: two neighbours along k are one, and panels are whole. */
export function wordsOf(k: number, n: number): number {
  const columns = blocksOf(n, BLOCK_COLUMNS).reduce(
    (sum, width) => sum + Math.ceil(width / PANEL) * PANEL,
    0,
  );
  const pairs = blocksOf(k, BLOCK_ROWS).reduce((sum, height) => sum + Math.ceil(height / 2), 0);
  return columns * pairs;
}

function blocksOf(size: number, most: number): readonly number[] {
  return Array.from({ length: Math.ceil(size / most) }, (_, i) => Math.min(most, size - i * most));
}
