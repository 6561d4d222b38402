// One traced program with its sessions, ready to run for one signature of input shapes.
import type { CounterRandom } from '../../random/index.js';
import type { HostTensors, RunOptions } from '../engine.js';
import { callHost } from '../host-function.js';
import { drawBits } from '../primitives/draw-bits.js';
import { allocate, type DType, type HostTensor, sizeOf } from '../tensors.js';
import { hostCallsOf } from './host-call-node.js';
import { encodeModel } from './model-proto.js';
import type { OnnxGraph, OnnxInitializer, OnnxValue } from './onnx-graph.js';
import { openSession } from './open-session.js';
import type { Session, SessionModel, SessionOptions } from './session.js';
import type { StateStore } from './state-store.js';
import type { TracedProgram } from './trace.js';

export class CompiledProgram {
  /** Values that cross a host call, kept between runs. */
  private readonly crossing = new Map<string, HostTensor>();

  private constructor(
    private readonly traced: TracedProgram,
    private readonly sessions: readonly (Session | undefined)[],
  ) {}

  /** `built`: values, by name, that become part of the code instead of being fed. */
  static async create(
    traced: TracedProgram,
    options: SessionOptions,
    built: readonly OnnxInitializer[] = [],
  ): Promise<CompiledProgram> {
    const names = new Set(built.map(({ name }) => name));
    const sessions: (Session | undefined)[] = [];
    const segments = traced.segments.map((segment) => withConstants(segment, built, names));
    for (const segment of segments) {
      sessions.push(segment.nodes.length === 0 ? undefined : await openSession(modelOf(segment), options));
    }
    return new CompiledProgram({ ...traced, segments }, sessions);
  }

  get nodeCount(): number {
    return this.traced.segments.reduce((sum, segment) => sum + segment.nodes.length, 0);
  }

  async run(inputs: HostTensors, store: StateStore, options: RunOptions): Promise<HostTensors> {
    const { traced } = this;
    const values = this.feeds(inputs, store, options.random);
    const results = new Map<string, HostTensor>();
    for (const [, value] of traced.outputs) results.set(value.name, emptyTensor(value));
    for (const [state, value] of traced.updates) results.set(value.name, store.next(state));
    try {
      for (let i = 0; i < traced.segments.length; i++) {
        await this.runSegment(i, values, results);
        if (i < traced.calls.length) this.runHostCall(i, values);
      }
    } finally {
      this.releaseAllBut(traced.states.values(), traced.updates.values(), [...values, ...results]);
    }
    const outputs: HostTensors = {};
    for (const [key, value] of traced.outputs) outputs[key] = values.get(value.name) as HostTensor;
    if (options.commitIf?.(outputs) ?? true) for (const state of traced.updates.keys()) store.commit(state);
    return outputs;
  }

  async dispose(): Promise<void> {
    for (const session of this.sessions) await session?.dispose();
    this.crossing.clear();
  }

  endProfiling(): void {
    for (const session of this.sessions) session?.endProfiling();
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

  private async runSegment(
    index: number,
    values: Map<string, HostTensor>,
    results: Map<string, HostTensor>,
  ): Promise<void> {
    const segment = this.traced.segments[index];
    const session = this.sessions[index];
    if (!session) return;
    const feeds: Record<string, HostTensor> = {};
    for (const { name } of segment.inputs) feeds[name] = values.get(name) as HostTensor;
    const fetches: Record<string, HostTensor> = {};
    for (const value of segment.outputs)
      fetches[value.name] = results.get(value.name) ?? this.crossingTensor(value);
    await session.run(feeds, fetches);
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
    const session = this.sessions.find((session) => session !== undefined);
    const kept = new Set([...read, ...written].map(({ name }) => name));
    session?.release(
      tensors.flatMap(([name, tensor]) => (kept.has(name) || this.crossing.has(name) ? [] : [tensor])),
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

function withConstants(
  graph: OnnxGraph,
  built: readonly OnnxInitializer[],
  names: ReadonlySet<string>,
): OnnxGraph {
  const read = new Set(graph.inputs.map(({ name }) => name));
  return {
    ...graph,
    inputs: graph.inputs.filter(({ name }) => !names.has(name)),
    initializers: [...graph.initializers, ...built.filter(({ name }) => read.has(name))],
  };
}

function emptyTensor(value: OnnxValue): HostTensor {
  const dtype = value.dtype as DType;
  return { dtype, shape: value.shape, data: allocate(dtype, sizeOf(value.shape)) };
}

function modelOf(graph: OnnxGraph): SessionModel {
  const names = (values: readonly OnnxValue[]) => values.map(({ name }) => name);
  return {
    bytes: encodeModel(graph),
    inputs: names(graph.inputs),
    outputs: names(graph.outputs),
    calls: hostCallsOf(graph.nodes),
  };
}
