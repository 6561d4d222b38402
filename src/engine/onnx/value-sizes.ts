// How large the values of a graph are, those included that kernels put in between without saying so (a transpose inside a
// convolution, a mask): their shapes follow from the operator. No more operators than the kernels emit are known here.
import { sizeOf } from '../tensors.js';
import { bytesOfElement, type OnnxGraph, type OnnxNode, type OnnxType, onnxType } from './onnx-graph.js';

/** What the size of a value follows from. */
export interface ValueShape {
  readonly shape: readonly number[];
  /** Element type of onnx.TensorProto. */
  readonly type: number;
}

export function bytesOfShape({ shape, type }: ValueShape): number {
  return sizeOf(shape) * bytesOfElement(type);
}

type KnownShapes = ReadonlyMap<string, { readonly shape: readonly number[]; readonly dtype: OnnxType }>;

const TRUTHS: ReadonlySet<string> = new Set([
  'Equal', 'Less', 'LessOrEqual', 'Greater', 'GreaterOrEqual', 'And', 'Or', 'Xor', 'Not', 'IsNaN', 'IsInf',
]); // biome-ignore format: a table

const INDICES: ReadonlySet<string> = new Set(['ArgMax', 'ArgMin', 'NonZero', 'Shape', 'Size']);

/**
 * Shapes of values by name: what was recorded while the graph was traced, and what follows from it.
 * @param known shapes that were recorded
 */
export class ValueSizes {
  private readonly found = new Map<string, ValueShape>();

  constructor(known: KnownShapes) {
    for (const [name, { shape, dtype }] of known) this.found.set(name, { shape, type: onnxType[dtype] });
  }

  /** Learns what a graph says of its ends and constants. Call before its nodes are asked for. */
  learn({ inputs, outputs, initializers }: OnnxGraph): void {
    for (const { name, shape, dtype } of [...inputs, ...outputs, ...initializers]) {
      this.found.set(name, { shape, type: onnxType[dtype] });
    }
  }

  /**
   * Of a value that `node` makes, whose inputs must have been asked for before: its bytes, and what it has in common with
   * values that may take its memory; '' for a single number.
   */
  layout(name: string, node: OnnxNode): { readonly bytes: number; readonly key: string } {
    const value = this.shapeOf(name, node);
    const { shape, type } = value;
    const key = shape.length === 0 ? '' : `${bytesOfElement(type)}:${shape.join()}`;
    return { bytes: bytesOfShape(value), key };
  }

  private shapeOf(name: string, node: OnnxNode): ValueShape {
    let shape = this.found.get(name);
    if (!shape) {
      shape = inferred(
        node,
        node.inputs.map((input) => this.found.get(input)),
      );
      this.found.set(name, shape);
    }
    return shape;
  }
}

/** Shape and type of what a node makes; of an operator that is not known here, those of its largest input. */
function inferred(node: OnnxNode, inputs: readonly (ValueShape | undefined)[]): ValueShape {
  const known = inputs.filter((input) => input !== undefined);
  return { shape: shapeMade(node, inputs, known), type: typeMade(node, known) };
}

function typeMade({ op, attributes }: OnnxNode, inputs: readonly ValueShape[]): number {
  if (op === 'Cast') return attributes['to'] as number;
  if (TRUTHS.has(op)) return onnxType.bool;
  if (INDICES.has(op)) return onnxType.int64;
  // Of ours: operands may be of other types.
  if (op === 'Gemm16' || op === 'Pointwise') return onnxType.float32;
  // The first is a condition.
  if (op === 'Where') return inputs.at(-1)?.type ?? onnxType.float32;
  return inputs[0]?.type ?? onnxType.float32;
}

function shapeMade(
  { op, attributes }: OnnxNode,
  inputs: readonly (ValueShape | undefined)[],
  known: readonly ValueShape[],
): readonly number[] {
  const shapes = known.map(({ shape }) => shape);
  const [first = []] = shapes;
  switch (op) {
    case 'Shape':
      return [first.slice(attributes['start'] as number, attributes['end'] as number).length];
    case 'Size':
      return [];
    case 'Transpose':
      return ((attributes['perm'] as readonly number[]) ?? first.map((_, i) => first.length - 1 - i)).map(
        (axis) => first[axis],
      );
    case 'Concat':
      return joined(shapes, attributes['axis'] as number);
    case 'Gemm':
    case 'MatMul':
    case 'FusedMatMul':
    case 'Gemm16':
      return productOf(inputs[0]?.shape ?? [], inputs[1]?.shape ?? [], attributes);
    default:
      return BROADCASTING.has(op) || TRUTHS.has(op) ? broadcast(shapes) : largest(shapes);
  }
}

const BROADCASTING: ReadonlySet<string> = new Set([
  'Add', 'Sub', 'Mul', 'Div', 'Pow', 'Mod', 'Min', 'Max', 'Where', 'Expand',
]); // biome-ignore format: a table

function broadcast(shapes: readonly (readonly number[])[]): readonly number[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, i) =>
    Math.max(1, ...shapes.map((shape) => shape[shape.length - rank + i] ?? 1)),
  );
}

function joined(shapes: readonly (readonly number[])[], axis: number): readonly number[] {
  const [first = []] = shapes;
  const at = axis < 0 ? axis + first.length : axis;
  return first.map((size, i) => (i === at ? shapes.reduce((sum, shape) => sum + (shape[i] ?? 0), 0) : size));
}

function productOf(
  a: readonly number[],
  b: readonly number[],
  attributes: OnnxNode['attributes'],
): readonly number[] {
  const rows = a.at(attributes['transA'] ? -1 : -2) ?? 1;
  // A packed operand of Gemm16 has but one axis.
  const columns = (attributes['columns'] as number) || (b.at(attributes['transB'] ? -2 : -1) ?? 1);
  return [...broadcast([a.slice(0, -2), b.slice(0, -2)]), rows, columns];
}

function largest(shapes: readonly (readonly number[])[]): readonly number[] {
  return shapes.reduce((best, shape) => (sizeOf(shape) > sizeOf(best) ? shape : best), shapes[0] ?? []);
}
