// The graph of a component over vectors of any length, with names of its own, so that components that compute alike have
// one graph.
import { sizeOf } from '../../tensors.js';
import type { OnnxGraph, OnnxNode, OnnxValue } from '../onnx-graph.js';
import { type Renamed, withCanonicalNames } from './canonical-names.js';
import type { Component, FlatMember, FlatUpdate, UpdatesToFlatten } from './flat-update.js';
import { mayUpdateInPlace, VIEWS } from './in-place.js';

/** Stands for the length of the vectors, on which nothing depends. */
const LENGTH = [2];
const ANY_LENGTH = ['n'];

export interface VectorGraph {
  /** Equal for components that compute alike. */
  readonly key: string;
  readonly member: FlatMember;
  make(): Omit<FlatUpdate, 'members'>;
}

export function vectorGraph(
  { updates, vectors }: Component,
  { graph, stateInputs, describe }: UpdatesToFlatten,
): VectorGraph {
  const reads = [...vectors.leaves];
  const scalars = [...vectors.scalars];
  const names = new Map<string, string>();
  for (const [i, name] of reads.entries()) names.set(name, `r${i}`);
  for (const [i, name] of scalars.entries()) names.set(name, `c${i}`);
  const nodes: OnnxNode[] = [];
  const append = (op: string, inputs: readonly string[], attributes: OnnxNode['attributes'] = {}): string => {
    const output = `n${nodes.length}`;
    nodes.push({ op, domain: '', inputs, outputs: [output], attributes });
    return output;
  };
  const own = (name: string) => names.get(name) ?? name;
  for (const { op, inputs, outputs, attributes } of vectors.nodes) {
    names.set(outputs[0], VIEWS.has(op) ? own(inputs[0]) : append(op, inputs.map(own), attributes));
  }
  const taken = new Set(reads.map(own));
  const outputs = updates.map(([, { name }]) => {
    const value = taken.has(own(name)) ? append('Identity', [own(name)]) : own(name);
    taken.add(value);
    return value;
  });
  const oldValues = updates.map(([state]) => {
    const old = stateInputs.get(state);
    return old !== undefined && vectors.leaves.has(old) ? own(old) : undefined;
  });
  const types = [...reads, ...scalars].map((name) => describe(name) as OnnxValue);
  const dtypes = updates.map(([state]) => state.dtype);
  return {
    key: JSON.stringify([nodes, outputs, oldValues, types.map(({ dtype, shape }, i) => [dtype, i < reads.length || shape.length]), dtypes]), // biome-ignore format: one line reads better
    member: { size: sizeOf(updates[0][1].shape), reads, scalars, writes: updates },
    make: () => {
      const vector = (name: string, dtype: OnnxValue['dtype']) => ({
        name,
        shape: LENGTH,
        dims: ANY_LENGTH,
        dtype,
      });
      const whole: OnnxGraph = {
        nodes,
        inputs: types.map(({ dtype, shape }, i) =>
          i < reads.length
            ? vector(own(reads[i]), dtype)
            : { name: own(scalars[i - reads.length]), shape, dtype },
        ),
        outputs: outputs.map((name, i) => vector(name, dtypes[i])),
        initializers: graph.initializers.filter(({ name }) =>
          nodes.some(({ inputs }) => inputs.includes(name)),
        ),
      };
      const single = new Set([...scalars.map(own), ...whole.initializers.map(({ name }) => name)]);
      const shapes = (name: string) => (single.has(name) ? [] : LENGTH);
      // Names by which sessions are shared, so that no run has to find them.
      const { graph: renamed, names: finalNames } = withCanonicalNames(whole) as Renamed;
      const final = (name: string) => finalNames.get(name) as string;
      return {
        graph: renamed,
        reads: reads.map(own).map(final),
        scalars: scalars.map(own).map(final),
        writes: outputs.map((output, i) => {
          const input = oldValues[i];
          return {
            output: final(output),
            dtype: dtypes[i],
            inPlace: input === undefined || mayUpdateInPlace(whole, { input, output, shape: LENGTH }, shapes),
          };
        }),
      };
    },
  };
}
