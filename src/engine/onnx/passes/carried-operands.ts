// Values that reach products alone, through nodes that only move numbers: heads of attention that are cut out of one projection,
// turned, and taken in blocks. Rounded before they are moved they take half the memory, and are the same numbers.
import { usedNames } from '../graph-builder.js';
import type { OnnxNode } from '../onnx-graph.js';

/** Operators that move the numbers of their first input, and have kernels for bfloat16. */
export const CARRIERS: ReadonlySet<string> = new Set(['Reshape', 'Transpose', 'Slice', 'Split']);

/** A value that no more than products need, once it has been moved. */
export interface CarriedValue {
  readonly name: string;
  readonly maker: OnnxNode;
  /** It, and all that is made of it. */
  readonly names: ReadonlySet<string>;
  readonly carriers: ReadonlySet<OnnxNode>;
  /** When products take it, in order. */
  readonly uses: readonly number[];
}

/** A node that reads a value, and which of its inputs that is: -1 where a loop reads it in its body. */
interface Reader {
  readonly node: OnnxNode;
  readonly at: number;
  readonly input: number;
}

/**
 * Carried values that are wanted; of what is made of one no more are looked for.
 * @param order in which the nodes are run
 * @param kept names of values that are needed as they are
 * @param isOperand whether a product takes an input in 16 bits, too
 */
export function carriedValues(
  order: readonly OnnxNode[],
  kept: ReadonlySet<string>,
  isOperand: (node: OnnxNode, input: number) => boolean,
  isWanted: (value: CarriedValue) => boolean,
): readonly CarriedValue[] {
  const readers = readersOf(order);
  const carried = new Set<string>();
  const values: CarriedValue[] = [];
  for (const maker of order)
    for (const name of maker.outputs) {
      if (carried.has(name) || !readers.get(name)?.some(({ node }) => isCarrier(node))) continue;
      const value = follow(name, maker, readers, kept, isOperand);
      if (!value || !isWanted(value)) continue;
      for (const moved of value.names) carried.add(moved);
      values.push(value);
    }
  return values;
}

type Readers = ReadonlyMap<string, readonly Reader[]>;

/** A value with all that is made of it, or undefined where something else than a product reads that. */
function follow(
  name: string,
  maker: OnnxNode,
  readers: Readers,
  kept: ReadonlySet<string>,
  isOperand: (node: OnnxNode, input: number) => boolean,
): CarriedValue | undefined {
  const names = new Set([name]);
  const carriers = new Set<OnnxNode>();
  const uses: number[] = [];
  for (const moved of names) {
    if (kept.has(moved)) return undefined;
    for (const { node, at, input } of readers.get(moved) ?? []) {
      if (isOperand(node, input)) uses.push(at);
      else if (isCarrier(node) && input === 0) {
        carriers.add(node);
        for (const output of node.outputs) names.add(output);
      } else return undefined;
    }
  }
  return { name, maker, names, carriers, uses: uses.sort((a, b) => a - b) };
}

function isCarrier({ op, domain }: OnnxNode): boolean {
  return domain === '' && CARRIERS.has(op);
}

function readersOf(order: readonly OnnxNode[]): Readers {
  const readers = new Map<string, Reader[]>();
  const add = (name: string, reader: Reader) => {
    const readersOfName = readers.get(name);
    if (readersOfName) readersOfName.push(reader);
    else readers.set(name, [reader]);
  };
  order.forEach((node, at) => {
    node.inputs.forEach((name, input) => {
      add(name, { node, at, input });
    });
    const inLoops = usedNames({ ...node, inputs: [] });
    for (const name of inLoops) add(name, { node, at, input: -1 });
  });
  return readers;
}
