// A tfjs backend that computes nothing: its kernels (kernels/) append nodes to the graph being traced.
import { fileURLToPath } from 'node:url';
import { AnemoneError } from '../../errors/index.js';
import { type DType, type HostData, type HostTensor, isComputed, sizeOf, standInOf } from '../tensors.js';
import { type Tensor, tf } from '../tf.js';
import type { GraphBuilder } from './graph-builder.js';
import type { OnnxValue } from './onnx-graph.js';
import { NO_LIMITS, type ProviderLimits } from './provider-limits.js';
import { collapseConstant, hostBytes, sameShape, type TraceValue } from './trace-values.js';

/** Of this engine's code, whose modules are one file when they are compiled. */
const ENGINE_FOLDER = fileURLToPath(
  import.meta.url.slice(0, import.meta.url.lastIndexOf('/engine/') + '/engine/'.length),
);
export const TRACE_BACKEND = 'anemone-trace';

// It implements tfjs's class rather than extending it, so that tfjs-core loads with the first trace.
export class TraceBackend implements tf.KernelBackend {
  private readonly values: tf.DataStorage<TraceValue>;
  /** Of the provider that the trace is for. */
  limits: ProviderLimits = NO_LIMITS;
  /** What is traced must hold at other sizes too: kernels choose nothing by a size, and leave out nothing that only these sizes allow. */
  anyShape = false;
  private graph: GraphBuilder | undefined;
  private shapes = new Map<string, OnnxValue>();

  constructor() {
    this.values = new tf.DataStorage<TraceValue>(this, tf.engine());
  }

  /** The graph that kernels append to. */
  get current(): GraphBuilder {
    if (!this.graph) {
      throw new AnemoneError({ code: 'engine.no-program', message: 'a traced op ran outside of a program' });
    }
    return this.graph;
  }

  /** Traces `fn` into `graph`. */
  within<R>(graph: GraphBuilder, fn: () => R): R {
    const outer = this.graph;
    this.graph = graph;
    if (!outer) this.shapes = new Map();
    try {
      return fn();
    } finally {
      this.graph = outer;
    }
  }

  // ---- tfjs's storage interface
  write(values: tf.BackendValues, shape: number[], dtype: tf.DataType): tf.DataId {
    const id = {};
    this.values.set(id, this.constant(values as HostData, shape, dtype as DType));
    return id;
  }
  move(id: tf.DataId, values: tf.BackendValues, shape: number[], dtype: tf.DataType): void {
    this.values.set(id, this.constant(values as HostData, shape, dtype as DType));
  }
  readSync(id: tf.DataId): tf.BackendValues {
    const value = this.values.get(id);
    if (value.host) return value.host as tf.BackendValues;
    throw new AnemoneError({
      code: 'engine.host-read',
      message: `a compiled program cannot read a tensor's values while it is being traced (${callSite()})`,
      hint: 'use tensor ops instead, or hostCall() for work that must happen on the host',
    });
  }
  async read(id: tf.DataId): Promise<tf.BackendValues> {
    return this.readSync(id);
  }
  numDataIds(): number {
    return 0; // values are names in a graph: nothing to free, nothing to leak
  }
  disposeData(): boolean {
    return true;
  }
  memory() {
    return { unreliable: true };
  }
  incRef(): void {}
  decRef(): void {}
  refCount(): number {
    return 1;
  }
  timerAvailable(): boolean {
    return false;
  }
  epsilon(): number {
    return 1e-7;
  }
  floatPrecision(): 16 | 32 {
    return 32;
  }
  dispose(): void {}
  time(): never {
    throw outsideTraces();
  }
  readToGPU(): never {
    throw outsideTraces();
  }
  createTensorFromGPUData(): never {
    throw outsideTraces();
  }

  // ---- values
  /** Shape and type of the graph value `name` of the current program (values that cross a cut). */
  shapeOfName(name: string): OnnxValue | undefined {
    return this.shapes.get(name);
  }

  /** Shapes and types of all values of the current program, or of the one traced last. */
  get knownShapes(): ReadonlyMap<string, OnnxValue> {
    return this.shapes;
  }

  /** Says shape and type of a graph value that no tensor stands for. */
  describe(value: OnnxValue): void {
    this.shapes.set(value.name, value);
  }

  /** A new tensor (tfjs TensorInfo) that is graph value `name`, of shape `raw` broadcast to `shape`. */
  value(name: string, shape: readonly number[], dtype: DType, raw: readonly number[] = shape): tf.TensorInfo {
    this.shapes.set(name, { name, shape: raw, dtype });
    return this.put({ dtype, raw, name, graph: this.current, host: undefined }, shape);
  }

  /** A host constant of `shape` holding one number. */
  fill(value: number, shape: readonly number[], dtype: DType): tf.TensorInfo {
    const host =
      dtype === 'float32'
        ? Float32Array.of(value)
        : dtype === 'int32'
          ? Int32Array.of(value)
          : Uint8Array.of(value);
    return this.put({ dtype, raw: [], name: undefined, graph: undefined, host }, shape);
  }

  /** The same value under another logical shape it broadcasts to. */
  broadcast(x: tf.TensorInfo, shape: readonly number[]): tf.TensorInfo {
    return this.put({ ...this.of(x) }, shape);
  }

  of(x: tf.TensorInfo): TraceValue {
    return this.values.get(x.dataId);
  }

  /** The type in the graph, which tfjs may not know. */
  typeOf(x: tf.TensorInfo): DType {
    return this.of(x).dtype;
  }

  /** A constant of any type. */
  hostTensor({ dtype, shape, data }: HostTensor): tf.TensorInfo {
    return this.put({ dtype, raw: [...shape], name: undefined, graph: undefined, host: data }, shape);
  }

  tensor(info: tf.TensorInfo): Tensor {
    return tf.engine().makeTensorFromTensorInfo(info);
  }

  /**
   * Name and shape of the value behind `x`, not broadcast: for operators that broadcast by themselves.
   * @param anyType the caller knows what it does with types that tfjs has no name for
   */
  raw(x: tf.TensorInfo, anyType = false): { name: string; shape: readonly number[] } {
    const value = this.of(x);
    if (!anyType && !isComputed(value.dtype)) throw foreignType(value.dtype);
    if (value.name === undefined || value.host) {
      const bytes = hostBytes(value.host as HostData, value.dtype);
      return { name: this.current.names.constant(bytes, value.raw, value.dtype), shape: value.raw };
    }
    if (value.graph?.names !== this.current.names) {
      throw new AnemoneError({
        code: 'engine.stale-tensor',
        message: `a tensor of another program is used (${callSite()})`,
        hint: 'make tensors inside the program, or keep values in a State',
      });
    }
    return { name: value.name, shape: value.raw };
  }

  /** Name of the value of `x` at its full shape. `anyType`: see `raw`. */
  name(x: tf.TensorInfo, anyType = false): string {
    const { name, shape } = this.raw(x, anyType);
    if (sameShape(shape, x.shape)) return name;
    const graph = this.current;
    const op = sizeOf(shape) === sizeOf(x.shape) ? 'Reshape' : 'Expand';
    const full = graph.one(op, [name, graph.names.int64(x.shape)]);
    this.shapes.set(full, { name: full, shape: x.shape, dtype: this.typeOf(x) });
    return full;
  }

  /** Whether the value of `x` is known while it is traced. */
  isConstant(x: tf.TensorInfo): boolean {
    return this.of(x).host !== undefined;
  }

  /** The constant behind `x` when it is a single repeated number, else undefined. */
  repeatedNumber(x: tf.TensorInfo): number | undefined {
    const value = this.of(x);
    return value.host && value.host.length === 1 ? value.host[0] : undefined;
  }

  private put(value: TraceValue, shape: readonly number[]): tf.TensorInfo {
    const id = {};
    this.values.set(id, value);
    return { dataId: id, shape: [...shape], dtype: standInOf(value.dtype) };
  }

  private constant(values: HostData, shape: number[], dtype: DType): TraceValue {
    const collapsed = collapseConstant(values, shape);
    return { dtype, raw: collapsed.raw, name: undefined, graph: undefined, host: collapsed.values };
  }
}

function foreignType(dtype: DType): AnemoneError {
  return new AnemoneError({
    code: 'engine.element-type',
    message: `an op of tfjs is given a tensor of ${dtype}, which it does not know (${callSite()})`,
    hint: `cast(x, '${standInOf(dtype)}') makes one that it knows`,
  });
}

function outsideTraces(): AnemoneError {
  return new AnemoneError({
    code: 'engine.host-read',
    message: `a program that is being traced has nothing to time and nothing on a GPU yet (${callSite()})`,
  });
}

/** The line of the caller's code that led here, from the stack: the first frame outside of tfjs and the engine. */
export function callSite(): string {
  const frames = (new Error().stack ?? '').split('\n').slice(1);
  const outside = frames.find(
    (frame) => !/@tensorflow|tfjs-core|node:internal/.test(frame) && !frame.includes(ENGINE_FOLDER),
  );
  return outside ? outside.trim().replace(/^at /, 'at ') : 'unknown caller';
}

let backend: TraceBackend | undefined;

/** The one trace backend, registered with tfjs on first use. */
export function traceBackend(): TraceBackend {
  if (!backend) {
    const created = new TraceBackend();
    backend = created;
    tf.registerBackend(TRACE_BACKEND, () => created, 0);
  }
  return backend;
}
