// One traced program with its sessions, ready to run for one signature of input shapes.
import { AnemoneError } from '../../errors/index.js';
import type { CounterRandom } from '../../random/index.js';
import { throwIfCancelled } from '../cancellation.js';
import type { HostTensors, RunOptions } from '../engine.js';
import { callHost } from '../host-function.js';
import { drawBits } from '../primitives/draw-bits.js';
import type { ProgramState } from '../scope.js';
import { allocate, type DType, type HostTensor, sizeOf } from '../tensors.js';
import { hostCallsOf } from './host-call-node.js';
import { executionOrder } from './live-memory.js';
import { encodeModel } from './model-proto.js';
import type { OnnxGraph, OnnxInitializer, OnnxValue } from './onnx-graph.js';
import { computesAsPlanned, openSession, takesWeights } from './open-session.js';
import { type MemoryPlan, planMemory } from './passes/memory-plan.js';
import type { Session, SessionModel, SessionOptions } from './session.js';
import type { StateStore } from './state-store.js';
import type { TracedProgram } from './trace.js';

/** A graph that is run at once, and its session; none where there is nothing to compute. */
interface Part {
  readonly graph: OnnxGraph;
  readonly session: Session | undefined;
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
  /** Values that go from one part to a later one, kept between runs. */
  private readonly crossing = new Map<string, HostTensor>();
  private running: Promise<void> | undefined;

  private constructor(
    private readonly traced: TracedProgram,
    private readonly parts: readonly Part[],
    /** The updates, where they are made when the outputs are known. */
    private readonly apply: Part | undefined,
  ) {}

  static async create(
    traced: TracedProgram,
    options: SessionOptions,
    built: BuiltWeights = NO_WEIGHTS,
  ): Promise<CompiledProgram> {
    const outside = takesWeights(options.provider);
    const planned = await computesAsPlanned(options);
    const open = async (graph: OnnxGraph): Promise<Part> => {
      const whole = withConstants(graph, built.weights, outside);
      if (whole.nodes.length === 0) return { graph: whole, session: undefined };
      const plan = planned
        ? planMemory(whole, executionOrder(whole), (name) => traced.shapes.get(name))
        : undefined;
      return { graph: whole, session: await openSession(modelOf(whole, built.generation, plan), options) };
    };
    const parts: Part[] = [];
    for (const segment of traced.segments) parts.push(await open(segment));
    const apply = traced.apply && (await open(traced.apply.graph));
    return new CompiledProgram(traced, parts, apply);
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
    const { signal } = options;
    const values = this.feeds(inputs, store, options.random);
    const results = this.results(store);
    try {
      for (const [i, part] of this.parts.entries()) {
        await this.runPart(part, values, results, signal);
        if (i < traced.calls.length) this.runHostCall(i, values);
      }
      const outputs: HostTensors = {};
      for (const [key, value] of traced.outputs) outputs[key] = values.get(value.name) as HostTensor;
      throwIfCancelled(signal);
      const wanted = options.commitIf?.(outputs) ?? true;
      if (wanted && apply) await this.runApply(apply, values, results);
      if (wanted) this.commit(store);
      return outputs;
    } finally {
      this.releaseAllBut(traced.states.values(), traced.updates.values(), [...values, ...results]);
    }
  }

  /** A run that is under way ends first. */
  async dispose(): Promise<void> {
    await this.running;
    for (const { session } of this.allParts) await session?.dispose();
    this.crossing.clear();
  }

  endProfiling(): void {
    for (const { session } of this.allParts) session?.endProfiling();
  }

  private get allParts(): readonly Part[] {
    return this.apply ? [...this.parts, this.apply] : this.parts;
  }

  /** Where results go: outputs into memory of their own, new values of states over the old ones or beside them. */
  private results(store: StateStore): Map<string, HostTensor> {
    const { traced } = this;
    const results = new Map<string, HostTensor>();
    for (const [, value] of traced.outputs) results.set(value.name, emptyTensor(value));
    for (const [state, value] of traced.updates) {
      results.set(value.name, this.isInPlace(state) ? store.current(state) : store.next(state));
    }
    return results;
  }

  /** @throws AnemoneError `engine.half-updated`: states that are written over cannot be had back */
  private async runApply(
    part: Part,
    values: Map<string, HostTensor>,
    results: Map<string, HostTensor>,
  ): Promise<void> {
    try {
      await this.runPart(part, values, results);
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
  ): Map<string, HostTensor> {
    const values = new Map<string, HostTensor>();
    for (const [key, value] of this.traced.inputs) values.set(value.name, inputs[key]);
    for (const [state, value] of this.traced.states) values.set(value.name, store.current(state));
    this.traced.random.forEach((site, i) => {
      const data = drawBits(random, i, site.count, site.bits);
      values.set(site.name, { dtype: 'int32', shape: [site.count], data });
    });
    return values;
  }

  private async runPart(
    { graph, session }: Part,
    values: Map<string, HostTensor>,
    results: Map<string, HostTensor>,
    signal?: AbortSignal,
  ): Promise<void> {
    if (!session) return;
    const feeds: Record<string, HostTensor> = {};
    for (const { name } of graph.inputs) feeds[name] = values.get(name) as HostTensor;
    const fetches: Record<string, HostTensor> = {};
    for (const value of graph.outputs)
      fetches[value.name] = results.get(value.name) ?? this.crossingTensor(value);
    await session.run(feeds, fetches, signal);
    for (const [name, tensor] of Object.entries(fetches)) values.set(name, tensor);
  }

  private runHostCall(index: number, values: Map<string, HostTensor>): void {
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
    tensors: readonly (readonly [string, HostTensor])[],
  ): void {
    const session = this.allParts.find(({ session }) => session !== undefined)?.session;
    const keptNames = new Set([...read, ...written].map(({ name }) => name));
    session?.release(
      tensors.flatMap(([name, tensor]) => (keptNames.has(name) || this.crossing.has(name) ? [] : [tensor])),
    );
  }

  private crossingTensor(value: OnnxValue): HostTensor {
    let tensor = this.crossing.get(value.name);
    if (!tensor) {
      tensor = emptyTensor(value);
      this.crossing.set(value.name, tensor);
    }
    return tensor;
  }
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

/** The same, not written into a model unless it is small: a model holds 2 GB, and would be one more copy. */
function namedOnly(weight: OnnxInitializer): OnnxInitializer {
  if (weight.bytes.byteLength <= SMALL_BYTES) return weight;
  return { ...weight, external: { location: 'memory', offset: 0 } };
}

function emptyTensor(value: OnnxValue): HostTensor {
  const dtype = value.dtype as DType;
  return { dtype, shape: value.shape, data: allocate(dtype, sizeOf(value.shape)) };
}

function modelOf(graph: OnnxGraph, generation: object, plan: MemoryPlan | undefined): SessionModel {
  const names = (values: readonly OnnxValue[]) => values.map(({ name }) => name);
  const plannedValues = plan?.values.map(({ value }) => value) ?? [];
  return {
    bytes: encodeModel({ ...graph, outputs: [...graph.outputs, ...plannedValues] }),
    plan,
    inputs: names(graph.inputs),
    outputs: names(graph.outputs),
    calls: hostCallsOf(graph.nodes),
    weights: graph.initializers.filter(({ external }) => external !== undefined),
    generation,
  };
}
