// What an update over vectors is, and what it is found in.
import type { ProgramState } from '../../scope.js';
import type { DType } from '../../tensors.js';
import type { OnnxGraph, OnnxValue } from '../onnx-graph.js';
import type { Vectors } from './vectors.js';

/** A graph over vectors of one length, and what it is run over. */
export interface FlatUpdate {
  readonly graph: OnnxGraph;
  /** Inputs of the graph that are vectors, in the order of `FlatMember.reads`. */
  readonly reads: readonly string[];
  /** Inputs of the graph that are one number, in the order of `FlatMember.scalars`. */
  readonly scalars: readonly string[];
  /** Outputs of the graph, in the order of `FlatMember.writes`. */
  readonly writes: readonly FlatWrite[];
  readonly members: readonly FlatMember[];
}

export interface FlatWrite {
  readonly output: string;
  readonly dtype: DType;
  /** Whether the graph may write it over the old value, which it reads. */
  readonly inPlace: boolean;
}

/** States of one size that are updated together. Values have the names of the whole program. */
export interface FlatMember {
  readonly size: number;
  readonly reads: readonly string[];
  readonly scalars: readonly string[];
  readonly writes: readonly Update[];
}

/** A state and its new value. */
export type Update = readonly [ProgramState, OnnxValue];

export interface UpdatesToFlatten {
  readonly graph: OnnxGraph;
  /** Those that are no outputs of the graph are left alone. */
  readonly updates: readonly Update[];
  /** Names of the old values, of states that are read. */
  readonly stateInputs: ReadonlyMap<ProgramState, string>;
  /** Shapes and types of values, where they are known. */
  readonly describe: (name: string) => OnnxValue | undefined;
}

/** Updates that have more in common than single numbers. */
export interface Component {
  readonly updates: readonly Update[];
  readonly vectors: Vectors;
}
