// Runs a program's function once on symbolic tensors and cuts the recorded graph into segments at host calls.
import type { Tensors } from '../engine.js';
import type { ProgramState } from '../scope.js';
import { withScope } from '../scope.js';
import type { TensorSpec } from '../tensors.js';
import { type Tensor, tf } from '../tf.js';
import { finishGraph, GraphBuilder, GraphNames, usedNames } from './graph-builder.js';
import { type HostCall, isHostCall } from './host-call-node.js';
import { registerKernels } from './kernels/index.js';
import type { OnnxGraph, OnnxNode, OnnxValue } from './onnx-graph.js';
import { aroundGaps } from './passes/around-gaps.js';
import { type AutocastTools, autocast } from './passes/autocast.js';
import type { FlatUpdate } from './passes/flat-update.js';
import { flattenUpdates } from './passes/flat-updates.js';
import { mayUpdateInPlace } from './passes/in-place.js';
import { packBeforeLoops } from './passes/packed-operands.js';
import { withPointwise } from './passes/pointwise.js';
import { fuseChains } from './passes/pointwise-chains.js';
import { type SplitGraph, splitUpdates } from './passes/split-updates.js';
import { NO_LIMITS, type ProviderLimits } from './provider-limits.js';
import { TRACE_BACKEND, traceBackend } from './trace-backend.js';
import { type RandomSite, TraceScope } from './trace-scope.js';

export interface TracedProgram {
  readonly segments: readonly OnnxGraph[];
  /** calls[i] runs between segments[i] and segments[i + 1]. */
  readonly calls: readonly HostCall[];
  readonly apply: ApplyPart | undefined;
  /** Values that wait for others (see `after`). */
  readonly barriers: number;
  /** User inputs that the graph really reads: key → value. */
  readonly inputs: ReadonlyMap<string, OnnxValue>;
  readonly states: ReadonlyMap<ProgramState, OnnxValue>;
  readonly updates: ReadonlyMap<ProgramState, OnnxValue>;
  readonly outputs: ReadonlyMap<string, OnnxValue>;
  readonly random: readonly RandomSite[];
  /** Shapes and types of values, where they are known. */
  readonly shapes: ReadonlyMap<string, OnnxValue>;
}

/** What is run after the outputs, if the host wants the updates. */
export interface ApplyPart {
  /** What is run first. */
  readonly graph: OnnxGraph;
  /** What is then run over stretches of states. */
  readonly flat: readonly FlatUpdate[];
  /** Values that come from the parts before. */
  readonly crossing: readonly OnnxValue[];
  /** States whose new values take the memory of the old. */
  readonly inPlace: ReadonlySet<ProgramState>;
}

export interface TraceOptions {
  /** What kernels must work around. Default: nothing. */
  readonly limits?: ProviderLimits;
  /** The graph serves as an example of one for any batch size and length (export/). Default false. */
  readonly anyShape?: boolean;
  /** Host calls become nodes of the graph, which is then whole. Default false: the program is cut at them. */
  readonly callsAreNodes?: boolean;
  /** Nothing is folded away: values may wait for others to save memory. Default true. */
  readonly ordered?: boolean;
  /** Updates are made when the outputs are known, over the old values where that can be. Default: where the graph is whole. */
  readonly apart?: boolean;
}

let kernelsRegistered = false;

export function trace(
  fn: (inputs: Tensors) => Tensors,
  inputs: Readonly<Record<string, TensorSpec>>,
  {
    limits = NO_LIMITS,
    anyShape = false,
    callsAreNodes = false,
    ordered = true,
    apart = true,
  }: TraceOptions = {},
): TracedProgram {
  const backend = traceBackend();
  backend.limits = limits;
  backend.anyShape = anyShape;
  if (!kernelsRegistered) {
    registerKernels(backend);
    kernelsRegistered = true;
  }
  const root = new GraphBuilder(new GraphNames(anyShape ? 'memory' : 'small'));
  const scope = new TraceScope(backend, root, callsAreNodes, ordered && !anyShape);
  return onTraceBackend(() =>
    backend.within(root, () => {
      tf.engine().startScope('trace');
      try {
        const entries = Object.entries(inputs);
        const tensors = entries.map(([key, v], i): [string, Tensor] => [
          key,
          scope.input(`i${i}`, v.shape, v.dtype),
        ]);
        const userInputs = new Map(entries.map(([key], i) => [key, scope.inputs[i]]));
        const results = withScope(scope, () => fn(Object.fromEntries(tensors)));
        return assemble(scope, userInputs, results, apart);
      } finally {
        tf.engine().endScope();
        scope.dispose();
      }
    }),
  );
}

function assemble(
  scope: TraceScope,
  inputs: Map<string, OnnxValue>,
  results: Tensors,
  apart: boolean,
): TracedProgram {
  const taken = new Set<string>();
  const outputs = new Map(Object.entries(results).map(([key, t]) => [key, outputValue(scope, t, taken)]));
  const updates = new Map([...scope.assigned].map(([state, t]) => [state, outputValue(scope, t, taken)]));
  const all = [...outputs.values(), ...updates.values()];
  const shapeOf = (name: string) => traceBackend().shapeOfName(name);
  const whole = withoutGaps(cut(scope, all), shapeOf);
  const { calls } = whole;
  const split =
    apart && whole.segments.length === 1 && scope.callsAreNodes
      ? splitUpdates(whole.segments[0], new Set([...outputs.values()].map(({ name }) => name)), shapeOf)
      : undefined;
  const segments = withChains(split ? [split.compute] : whole.segments, split?.describe ?? shapeOf);
  const apply = split && applyPart(split, scope, updates);
  const parts = split ? [...segments, split.apply] : segments;
  const read = new Set(
    parts
      .flatMap((s) => s.inputs.map((v) => v.name))
      .concat(calls.flatMap((c) => c.inputs.map((v) => v.name))),
  );
  const states = [...scope.stateInputs].filter(([, name]) => read.has(name));
  const byName = new Map(scope.inputs.map((v) => [v.name, v]));
  return {
    segments,
    calls,
    apply,
    barriers: scope.barriers,
    inputs: new Map([...inputs].filter(([, v]) => read.has(v.name))),
    states: new Map(states.map(([state, name]) => [state, byName.get(name) as OnnxValue])),
    updates,
    outputs,
    random: scope.randomSites,
    shapes: traceBackend().knownShapes,
  };
}

type Cut = Pick<TracedProgram, 'segments' | 'calls'>;

function withoutGaps(whole: Cut, describe: (name: string) => OnnxValue | undefined): Cut {
  if (!traceBackend().limits.gaps) return whole;
  return { ...whole, segments: whole.segments.map((segment) => aroundGaps(segment, describe)) };
}

function withChains(segments: readonly OnnxGraph[], describe: (name: string) => OnnxValue | undefined) {
  if (!traceBackend().limits.pointwise) return segments;
  return segments.map((segment) => fuseChains(segment, describe));
}

function applyPart(
  { compute, apply, describe }: SplitGraph,
  { stateInputs }: TraceScope,
  updates: ReadonlyMap<ProgramState, OnnxValue>,
): ApplyPart {
  const given = new Set(compute.outputs.map(({ name }) => name));
  const { rest, flat: written } = flattenUpdates({
    graph: apply,
    updates: [...updates],
    stateInputs,
    describe,
  });
  const flat = traceBackend().limits.pointwise ? written.map(withPointwise) : written;
  const late = new Set(rest.outputs.map(({ name }) => name));
  const inPlace = [...updates].filter(([state, { name: output, shape }]) => {
    const input = stateInputs.get(state);
    const isRead = input !== undefined;
    return (
      late.has(output) &&
      (!isRead || mayUpdateInPlace(rest, { input, output, shape }, (name) => describe(name)?.shape))
    );
  });
  const flatStates = flat.flatMap(({ members }) => members.flatMap(({ writes }) => writes));
  return {
    graph: rest,
    flat,
    crossing: apply.inputs.filter(({ name }) => given.has(name)),
    inPlace: new Set([...inPlace, ...flatStates].map(([state]) => state)),
  };
}

/** A graph output for `tensor`: the node's own output, or a copy where a name can't serve (inputs, constants, doubles). */
function outputValue(scope: TraceScope, tensor: Tensor, taken: Set<string>): OnnxValue {
  const backend = traceBackend();
  let name = backend.name(tensor, true);
  const made = scope.root.producer(name);
  if (!made || (isHostCall(made) && !scope.callsAreNodes) || taken.has(name)) {
    const copy = scope.root.names.fresh();
    scope.root.nodes.push({ op: 'Identity', domain: '', inputs: [name], outputs: [copy], attributes: {} });
    name = copy;
  }
  taken.add(name);
  return { name, shape: tensor.shape, dtype: backend.typeOf(tensor) };
}

/**
 * Splits the recorded nodes at host calls; values that cross a cut become outputs and inputs of segments.
 * Helper nodes whose shape was not recorded (transposes inside a convolution) are made again instead.
 */
function cut(scope: TraceScope, outputs: readonly OnnxValue[]): Cut {
  castProducts(scope, outputs);
  const whole = finishGraph(scope.root.nodes, scope.inputs, outputs, []);
  const parts: OnnxNode[][] = [[]];
  const calls: HostCall[] = [];
  for (const node of whole.nodes) {
    if (isHostCall(node) && !scope.callsAreNodes) {
      calls.push(node.call);
      parts.push([]);
    } else parts[parts.length - 1].push(node);
  }
  const known = new Map(scope.inputs.map((v) => [v.name, v]));
  for (const call of calls) for (const v of [...call.inputs, ...call.outputs]) known.set(v.name, v);
  for (const v of outputs) known.set(v.name, v);
  const initializers = scope.root.names.initializers;
  const constants = new Set(initializers.map((v) => v.name));
  const shapeOf = (name: string) => known.get(name) ?? traceBackend().shapeOfName(name);
  const complete = parts.map((nodes) =>
    withRemade(nodes, (name) => constants.has(name) || shapeOf(name) !== undefined, scope.root),
  );
  const uses = complete.map(segmentInputs);
  const segments = complete.map((nodes, i) => {
    const later = new Set([
      ...uses.slice(i + 1).flat(),
      ...calls.slice(i).flatMap((call) => call.inputs.map((v) => v.name)),
      ...outputs.map((v) => v.name),
    ]);
    const outs = parts[i].flatMap((n) => n.outputs).filter((name) => later.has(name));
    const describe = (name: string): OnnxValue => shapeOf(name) as OnnxValue;
    return finishGraph(
      nodes,
      uses[i].filter((name) => !constants.has(name)).map(describe),
      outs.map(describe),
      initializers,
    );
  });
  return { segments, calls };
}

/** Puts products that were made inside `inLowPrecision` in 16 bits. */
function castProducts({ root, callsAreNodes, inputs }: TraceScope, outputs: readonly OnnxValue[]): void {
  const backend = traceBackend();
  const { nodes } = finishGraph(root.nodes, inputs, outputs, []);
  const tools: AutocastTools = {
    products: backend.limits.lowProducts,
    fresh: () => root.names.fresh(),
    describe: (name) => backend.shapeOfName(name),
    // Values of 16 bits do not cross a cut: those without a known shape are made again behind it.
    record: (value) => {
      if (callsAreNodes || value.dtype === 'float32') backend.describe(value);
    },
  };
  const cast = packBeforeLoops(autocast(nodes, outputs, tools), tools);
  if (cast !== nodes) root.replace(cast);
}

/** The values a list of nodes takes from outside. */
function segmentInputs(nodes: readonly OnnxNode[]): string[] {
  const made = new Set(nodes.flatMap((n) => [...n.outputs, ...bodyNames(n)]));
  return [...new Set(nodes.flatMap(usedNames))].filter((name) => !made.has(name));
}

/** `nodes`, preceded by copies of the outside nodes whose values cannot cross a cut. */
function withRemade(nodes: OnnxNode[], canCross: (name: string) => boolean, root: GraphBuilder): OnnxNode[] {
  const missing = segmentInputs(nodes).filter((name) => !canCross(name));
  if (missing.length === 0) return nodes;
  const remade = new Set(missing.map((name) => root.producer(name) as OnnxNode));
  return withRemade([...remade, ...nodes], canCross, root);
}

/** Names defined inside loop bodies: not inputs of the segment. */
function bodyNames(node: OnnxNode): string[] {
  return Object.values(node.attributes).flatMap((attribute) => {
    if (typeof attribute !== 'object' || !('graph' in attribute)) return [];
    const { inputs, nodes } = attribute.graph;
    return [...inputs.map((v) => v.name), ...nodes.flatMap((n) => [...n.outputs, ...bodyNames(n)])];
  });
}

function onTraceBackend<R>(fn: () => R): R {
  const previous = tf.engine().backendName;
  void tf.setBackend(TRACE_BACKEND);
  try {
    return fn();
  } finally {
    if (previous && previous !== TRACE_BACKEND) void tf.setBackend(previous);
  }
}
