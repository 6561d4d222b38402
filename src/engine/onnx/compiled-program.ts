// One traced program with its sessions, ready to run for one signature of input shapes.
import type * as ort from 'onnxruntime-common';
import type { CounterRandom } from '../../random/index.js';
import type { HostTensors, RunOptions } from '../engine.js';
import { drawBits } from '../primitives/draw-bits.js';
import { allocate, type DType, type HostData, sizeOf } from '../tensors.js';
import { encodeModel, type OnnxGraph, type OnnxInitializer, type OnnxValue } from './model-proto.js';
import { createSession, type OrtTensors, type Session, type SessionOptions } from './native-session.js';
import { type StateStore, toOrt } from './state-store.js';
import type { TracedProgram } from './trace.js';

export class CompiledProgram {
  /** Values that cross a host call, kept between runs. */
  private readonly crossing = new Map<string, ort.Tensor>();

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
      sessions.push(
        segment.nodes.length === 0 ? undefined : await createSession(encodeModel(segment), options),
      );
    }
    return new CompiledProgram({ ...traced, segments }, sessions);
  }

  get nodeCount(): number {
    return this.traced.segments.reduce((sum, segment) => sum + segment.nodes.length, 0);
  }

  async run(inputs: HostTensors, store: StateStore, options: RunOptions): Promise<HostTensors> {
    const { traced } = this;
    const values = this.feeds(inputs, store, options.random);
    const results = new Map<string, ort.Tensor>();
    for (const [, value] of traced.outputs) results.set(value.name, emptyTensor(value));
    for (const [state, value] of traced.updates) results.set(value.name, store.next(state));
    for (let i = 0; i < traced.segments.length; i++) {
      await this.runSegment(i, values, results);
      if (i < traced.calls.length) this.runHostCall(i, values);
    }
    const outputs: HostTensors = {};
    for (const [key, value] of traced.outputs) {
      const tensor = values.get(value.name) as ort.Tensor;
      outputs[key] = { dtype: value.dtype as DType, shape: value.shape, data: tensor.data as HostData };
    }
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
  ): Map<string, ort.Tensor> {
    const values = new Map<string, ort.Tensor>();
    for (const [key, value] of this.traced.inputs) values.set(value.name, toOrt(inputs[key]));
    for (const [state, value] of this.traced.states) values.set(value.name, store.current(state));
    this.traced.random.forEach((site, i) => {
      const data = drawBits(random, i, site.count, site.bits);
      values.set(site.name, toOrt({ dtype: 'int32', shape: [site.count], data }));
    });
    return values;
  }

  private async runSegment(
    index: number,
    values: Map<string, ort.Tensor>,
    results: Map<string, ort.Tensor>,
  ): Promise<void> {
    const segment = this.traced.segments[index];
    const session = this.sessions[index];
    if (!session) return;
    const feeds: OrtTensors = {};
    for (const { name } of segment.inputs) feeds[name] = values.get(name) as ort.Tensor;
    const fetches: OrtTensors = {};
    for (const value of segment.outputs)
      fetches[value.name] = results.get(value.name) ?? this.crossingTensor(value);
    await session.run(feeds, fetches);
    for (const [name, tensor] of Object.entries(fetches)) values.set(name, tensor);
  }

  private runHostCall(index: number, values: Map<string, ort.Tensor>): void {
    const call = this.traced.calls[index];
    const results = call.fn(
      call.inputs.map((v) => ({
        dtype: v.dtype as DType,
        shape: v.shape,
        data: values.get(v.name)?.data as HostData,
      })),
    );
    call.outputs.forEach((v, i) => {
      values.set(v.name, toOrt({ dtype: v.dtype, shape: v.shape, data: results[i].data }));
    });
  }

  private crossingTensor(value: OnnxValue): ort.Tensor {
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

function emptyTensor(value: OnnxValue): ort.Tensor {
  const dtype = value.dtype as DType;
  return toOrt({ dtype, shape: value.shape, data: allocate(dtype, sizeOf(value.shape)) });
}
