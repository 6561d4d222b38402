// One traced program with its sessions, ready to run for one signature of input shapes.
import { AnemoneError } from '../../errors/index.js';
import type { CounterRandom } from '../../random/index.js';
import { throwIfCancelled } from '../cancellation.js';
import type { HostTensors, RunOptions } from '../engine.js';
import { callHost } from '../host-function.js';
import { drawBits } from '../primitives/draw-bits.js';
import type { ProgramState } from '../scope.js';
import { allocate, type DType, type HostTensor, sizeOf, type TensorSpec, taking } from '../tensors.js';
import { runFlatUpdate, scratchOf } from './flat-runner.js';
import type { OnnxGraph, OnnxInitializer, OnnxValue } from './onnx-graph.js';
import { takesWeights } from './open-session.js';
import type { FlatUpdate } from './passes/flat-update.js';
import type { Loan, PassingBuffers } from './passing-buffers.js';
import { PassingPlaces, type PassingRoom } from './passing-places.js';
import { passingValues } from './passing-values.js';
import type { RunTensor } from './run-tensor.js';
import type { RunSettings, Session, SessionOptions } from './session.js';
import type { Part, Sessions } from './sessions.js';
import type { StateStore } from './state-store.js';
import type { TracedProgram } from './trace.js';

/** The updates, where they are made when the outputs are known. */
interface Apply {
  /** What is run first. */
  readonly rest: Part;
  readonly flat: readonly { readonly update: FlatUpdate; readonly part: Part }[];
}

/** What the programs of an engine have in common. */
interface Surroundings {
  readonly sessions: Sessions;
  readonly session: SessionOptions;
  readonly buffers: PassingBuffers;
}

/** Values of states that become part of the code instead of being fed. */
export interface BuiltWeights {
  /** By the names of the inputs that they take the place of. */
  readonly weights: readonly OnnxInitializer[];
  /** See `SessionModel.generation`. */
  readonly generation: object;
}

const NO_WEIGHTS: BuiltWeights = { weights: [], generation: {} };
/** Weights up to so many bytes are written into the model. */
const SMALL_BYTES = 1024;

export class CompiledProgram {
  /** Values that go from one part to a later one, and have no place in the block that they are computed in. */
  private readonly passing: ReadonlyMap<string, OnnxValue>;
  private running: Promise<void> | undefined;

  private constructor(
    private readonly traced: TracedProgram,
    private readonly parts: readonly Part[],
    private readonly apply: Apply | undefined,
    private readonly buffers: PassingBuffers,
    /** Those that have. */
    private readonly places: PassingPlaces | undefined,
    /** States whose values are fed. */
    private readonly fedStates: ReadonlyMap<ProgramState, OnnxValue> = traced.states,
  ) {
    const known = new Set([...traced.outputs.values(), ...traced.updates.values()].map(({ name }) => name));
    const once = apply ? [...parts, apply.rest] : parts;
    const passing = once
      .flatMap(({ graph }) => graph.outputs)
      .filter(({ name }) => !known.has(name) && !places?.has(name));
    this.passing = new Map(passing.map((value) => [value.name, value]));
    buffers.expect(
      this,
      (passing as TensorSpec[]).concat((apply?.flat ?? []).flatMap(({ update }) => scratchOf(update))),
    );
  }

  static async create(
    traced: TracedProgram,
    { sessions, session: options, buffers }: Surroundings,
    { weights, generation }: BuiltWeights = NO_WEIGHTS,
  ): Promise<CompiledProgram> {
    const outside = takesWeights(options.provider);
    const complete = (graph: OnnxGraph) => withConstants(graph, weights, outside);
    const shapeOf = (name: string) => traced.shapes.get(name);
    const passing = passingValues(traced);
    const parts: Part[] = [];
    for (const segment of traced.segments)
      parts.push(await sessions.own(complete(segment), options, { shapeOf, generation, passing }));
    if (!traced.apply)
      return new CompiledProgram(traced, parts, undefined, buffers, undefined, statesBeside(traced, weights));
    const rest = await sessions.shared(complete(traced.apply.graph), options, { shapeOf, generation });
    const flat: Apply['flat'][number][] = [];
    for (const update of traced.apply.flat)
      flat.push({ update, part: await sessions.shared(update.graph, options) });
    const places = placesOf(parts, rest, options);
    return new CompiledProgram(traced, parts, { rest, flat }, buffers, places);
  }

  get nodeCount(): number {
    return this.allParts.reduce((sum, { graph }) => sum + graph.nodes.length, 0);
  }

  async run(inputs: HostTensors, store: StateStore, options: RunOptions): Promise<HostTensors> {
    const outputs = this.runParts(inputs, store, options);
    this.running = outputs.then(
      () => {},
      () => {},
    );
    return outputs;
  }

  private async runParts(inputs: HostTensors, store: StateStore, options: RunOptions): Promise<HostTensors> {
    const { traced, apply } = this;
    const { signal, into = {} } = options;
    await store.place(this.fedStates.keys());
    await store.makeRoom([...traced.updates.keys()].filter((state) => !this.isInPlace(state)));
    const values = this.feeds(inputs, store, options.random);
    const results = this.results(store, into);
    const loan = this.buffers.lend();
    for (const [name, value] of this.passing) results.set(name, loan.tensor(value as TensorSpec));
    const room = this.places?.take();
    for (const [name, tensor] of room?.tensors ?? []) results.set(name, tensor);
    try {
      for (const [i, part] of this.parts.entries()) {
        await runPart(part, values, results, { signal, memory: room?.memory });
        if (i < traced.calls.length) this.runHostCall(i, values);
      }
      const outputs: HostTensors = {};
      for (const [key, value] of traced.outputs) outputs[key] = values.get(value.name) as HostTensor;
      throwIfCancelled(signal);
      const wanted = options.commitIf?.(outputs) ?? true;
      if (wanted && apply) await this.runApply(apply, values, results, store, { loan, room });
      if (wanted) this.commit(store);
      return outputs;
    } finally {
      loan.giveBack();
      room?.giveBack();
      const kept = new Set<RunTensor>(Object.values(into));
      const ofThisRun = [...values, ...results].filter(([, tensor]) => !kept.has(tensor));
      this.releaseAllBut(this.fedStates.values(), traced.updates.values(), ofThisRun);
    }
  }

  /** A run that is under way ends first. */
  async dispose(): Promise<void> {
    await this.running;
    this.buffers.forget(this);
    for (const { session } of this.allParts) await session?.dispose();
  }

  endProfiling(): void {
    for (const { session } of this.allParts) session?.endProfiling();
  }

  private get allParts(): readonly Part[] {
    const { apply, parts } = this;
    return apply ? [...parts, apply.rest, ...apply.flat.map(({ part }) => part)] : parts;
  }

  /** Where results go: outputs into memory of their own, new values of states over the old ones or beside them. */
  private results(store: StateStore, into: HostTensors): Map<string, RunTensor> {
    const { traced } = this;
    const results = new Map<string, RunTensor>();
    for (const [key, value] of traced.outputs) results.set(value.name, placeFor(key, value, into));
    for (const [state, value] of traced.updates) {
      results.set(value.name, this.isInPlace(state) ? store.current(state) : store.next(state));
    }
    return results;
  }

  /** @throws AnemoneError `engine.half-updated`: states that are written over cannot be had back */
  private async runApply(
    { rest, flat }: Apply,
    values: Map<string, RunTensor>,
    results: Map<string, RunTensor>,
    store: StateStore,
    { loan, room }: { readonly loan: Loan; readonly room: PassingRoom | undefined },
  ): Promise<void> {
    try {
      await runPart(rest, values, results, { memory: room?.behind });
      for (const { update, part } of flat) {
        await runFlatUpdate(update, part.session as Session, values, store, loan);
      }
    } catch (cause) {
      if (!this.traced.apply?.inPlace.size) throw cause;
      const text = cause instanceof Error ? cause.message : String(cause);
      throw new AnemoneError({
        code: 'engine.half-updated',
        message: `the update failed when some values may have been written already: ${text}`,
        hint: 'go on from the last checkpoint',
        cause,
      });
    }
  }

  private commit(store: StateStore): void {
    for (const state of this.traced.updates.keys()) {
      if (this.isInPlace(state)) store.overwritten(state);
      else store.commit(state);
    }
  }

  private isInPlace(state: ProgramState): boolean {
    return this.traced.apply?.inPlace.has(state) ?? false;
  }

  private feeds(
    inputs: HostTensors,
    store: StateStore,
    random: CounterRandom | undefined,
  ): Map<string, RunTensor> {
    const values = new Map<string, RunTensor>();
    for (const [key, value] of this.traced.inputs) values.set(value.name, inputs[key]);
    for (const [state, value] of this.fedStates) values.set(value.name, store.current(state));
    this.traced.random.forEach((site, i) => {
      const data = drawBits(random, i, site.count, site.bits);
      values.set(site.name, { dtype: 'int32', shape: [site.count], data });
    });
    return values;
  }

  private runHostCall(index: number, values: Map<string, RunTensor>): void {
    const call = this.traced.calls[index];
    const results = callHost(
      call,
      call.inputs.map(({ dtype, shape, name }) => ({
        dtype,
        shape,
        data: (values.get(name) as HostTensor).data,
      })),
    );
    call.outputs.forEach(({ name }, i) => {
      values.set(name, results[i]);
    });
  }

  /** Sessions keep what states and crossing values are to them; everything else is of one run. */
  private releaseAllBut(
    read: Iterable<OnnxValue>,
    written: Iterable<OnnxValue>,
    tensors: readonly (readonly [string, RunTensor])[],
  ): void {
    const session = this.allParts.find(({ session }) => session !== undefined)?.session;
    const keptNames = new Set([...read, ...written].map(({ name }) => name));
    const isKept = (name: string) =>
      keptNames.has(name) || this.passing.has(name) || this.places?.has(name) === true;
    session?.release(tensors.flatMap(([name, tensor]) => (isKept(name) ? [] : [tensor])));
  }
}

async function runPart(
  { graph, session }: Part,
  values: Map<string, RunTensor>,
  results: ReadonlyMap<string, RunTensor>,
  settings: RunSettings,
): Promise<void> {
  if (!session) return;
  const feeds: Record<string, RunTensor> = {};
  for (const { name } of graph.inputs) feeds[name] = values.get(name) as RunTensor;
  const fetches: Record<string, RunTensor> = {};
  for (const { name } of graph.outputs) fetches[name] = results.get(name) as RunTensor;
  await session.run(feeds, fetches, settings);
  for (const [name, tensor] of Object.entries(fetches)) values.set(name, tensor);
}

/** Where what goes to the updates lies, if it has places beside the values in between. */
function placesOf(
  [{ plan }]: readonly Part[],
  rest: Part,
  { workspace }: SessionOptions,
): PassingPlaces | undefined {
  if (!workspace || !plan?.passing.length) return undefined;
  return new PassingPlaces(workspace, plan, rest.plan?.bytes ?? 0);
}

function withConstants(graph: OnnxGraph, weights: readonly OnnxInitializer[], outside: boolean): OnnxGraph {
  const names = new Set(weights.map(({ name }) => name));
  const read = new Set(graph.inputs.map(({ name }) => name));
  const built = weights.filter(({ name }) => read.has(name));
  return {
    ...graph,
    inputs: graph.inputs.filter(({ name }) => !names.has(name)),
    initializers: [...graph.initializers, ...(outside ? built.map(namedOnly) : built)],
  };
}

/** States that are not among the weights: a step of generation has hundreds of those, and would look each up in every run. */
function statesBeside(
  { states }: TracedProgram,
  weights: readonly OnnxInitializer[],
): ReadonlyMap<ProgramState, OnnxValue> {
  const built = new Set(weights.map(({ name }) => name));
  return new Map([...states].filter(([, { name }]) => !built.has(name)));
}

/** The same, not written into a model unless it is small: a model holds 2 GB, and would be one more copy. */
function namedOnly(weight: OnnxInitializer): OnnxInitializer {
  if (weight.bytes.byteLength <= SMALL_BYTES) return weight;
  return { ...weight, external: { location: 'memory', offset: 0 } };
}

/** @throws AnemoneError `engine.into` where what was given is of another shape or type */
function placeFor(key: string, value: OnnxValue, into: HostTensors): HostTensor {
  const given = into[key];
  const dtype = value.dtype as DType;
  if (given) return taking(given, { dtype, shape: value.shape }, key);
  return { dtype, shape: value.shape, data: allocate(dtype, sizeOf(value.shape)) };
}
