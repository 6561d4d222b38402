// What a traced graph keeps for the sake of other sizes, and what all examples agree on leaving out.
import type { OnnxInitializer } from '../onnx-graph.js';
import type { AlignedNode, AlignedValue } from './examples.js';
import { numbersOf } from './tables.js';

/** A node, or the value that its only output equals (then `identity` is the node to copy it with). */
export type Simplified =
  | { readonly node: AlignedNode }
  | { readonly same: string; readonly identity: AlignedNode };

type Shapes = AlignedValue['shapes'];

/** `shapesOf`: a value's shape in each example, where known. */
export function simplified(
  aligned: AlignedNode,
  shapesOf: (value: string) => Shapes | undefined,
): Simplified {
  if (aligned.node.op === 'Slice') return partialSlice(aligned, shapesOf);
  if (aligned.node.op === 'Tile') return realTile(aligned);
  return { node: aligned };
}

/** Without the axes of which every example keeps all. */
function partialSlice(aligned: AlignedNode, shapesOf: (value: string) => Shapes | undefined): Simplified {
  const [data, ...limits] = aligned.operands;
  if (!('name' in data) || limits.length !== 3) return { node: aligned };
  const shapes = shapesOf(data.name);
  const constants = limits.map((limit) => ('constants' in limit ? limit.constants : undefined));
  if (!shapes || constants.includes(undefined)) return { node: aligned };
  const [starts, ends, axes] = (constants as OnnxInitializer[][]).map((list) => list.map(numbersOf));
  const partial = axes[0]
    .map((_, i) => i)
    .filter((i) => shapes.some((shape, k) => starts[k][i] !== 0 || ends[k][i] !== shape[axes[k][i]]));
  if (partial.length === axes[0].length) return { node: aligned };
  if (partial.length === 0) return { same: data.name, identity: copyOf(aligned) };
  const kept = (constants as OnnxInitializer[][]).map((list) => ({
    constants: list.map((constant) => chosen(constant, partial)),
  }));
  return { node: { ...aligned, operands: [data, ...kept] } };
}

function realTile(aligned: AlignedNode): Simplified {
  const [data, times] = aligned.operands;
  if (!('name' in data) || !('constants' in times)) return { node: aligned };
  const once = times.constants.every((constant) => numbersOf(constant).every((n) => n === 1));
  return once ? { same: data.name, identity: copyOf(aligned) } : { node: aligned };
}

function copyOf({ node, operands, shapes }: AlignedNode): AlignedNode {
  const identity = { ...node, op: 'Identity', inputs: node.inputs.slice(0, 1), attributes: {} };
  return { node: identity, operands: operands.slice(0, 1), shapes, body: undefined };
}

/** The numbers at `places` of a list int64 [n]. */
function chosen(constant: OnnxInitializer, places: readonly number[]): OnnxInitializer {
  const numbers = numbersOf(constant);
  const values = BigInt64Array.from(places, (i) => BigInt(numbers[i]));
  return { ...constant, name: '', shape: [places.length], bytes: new Uint8Array(values.buffer) };
}
