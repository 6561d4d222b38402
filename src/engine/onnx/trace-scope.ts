// The program being traced: states become inputs (and outputs when assigned), random bits become inputs,
// loops become Scan nodes or are written out, host calls become nodes of their own.
import { AnemoneError } from '../../errors/index.js';
import type { HostFunction, NativeCall, ProgramScope, ProgramState, ScanBody, ScanResult } from '../scope.js';
import { checkAssigned } from '../state-misfit.js';
import { type DType, type HostTensor, standInOf, type TensorSpec } from '../tensors.js';
import { type Tensor, tf } from '../tf.js';
import { finishGraph, GraphBuilder } from './graph-builder.js';
import { hostCallNode } from './host-call-node.js';
import { type OnnxGraph, type OnnxValue, onnxType } from './onnx-graph.js';
import { hasNative } from './provider-limits.js';
import type { TraceBackend } from './trace-backend.js';
import { type Loop, mayUnroll, unroll } from './unrolled-loop.js';

export interface RandomSite {
  readonly name: string;
  readonly count: number;
  readonly bits: number;
}

export class TraceScope implements ProgramScope {
  readonly inputs: OnnxValue[] = [];
  readonly stateInputs = new Map<ProgramState, string>();
  readonly assigned = new Map<ProgramState, Tensor>();
  readonly randomSites: RandomSite[] = [];
  /** Values that wait for others. */
  barriers = 0;
  /** What states are now, in programs. */
  private readonly values = new Map<ProgramState, Tensor>();
  /** Tensors that outlive tidy scopes while the program is traced; tfjs would count them for ever. */
  private readonly kept: Tensor[] = [];

  constructor(
    private readonly backend: TraceBackend,
    readonly root: GraphBuilder,
    /** Host calls stay nodes, also in loops. Else the program is cut at them. */
    readonly callsAreNodes: boolean,
    /** The order in which values wait for others is kept. */
    readonly ordered: boolean,
  ) {}

  get anyShape(): boolean {
    return this.backend.anyShape;
  }

  input(name: string, shape: readonly number[], dtype: DType): Tensor {
    this.inputs.push({ name, shape, dtype });
    return this.backend.tensor(this.backend.value(name, shape, dtype));
  }

  read(state: ProgramState): Tensor {
    const known = this.values.get(state);
    if (known) return known;
    const name = `s${this.stateInputs.size}`;
    this.stateInputs.set(state, name);
    return this.keepValue(state, this.keep(this.input(name, state.shape, state.dtype)));
  }

  assign(state: ProgramState, value: Tensor): void {
    const type = this.backend.typeOf(value);
    const stored = type === state.computedAs ? this.cast(value, state.dtype) : value;
    checkAssigned(state, value.shape, this.backend.typeOf(stored));
    const kept = this.keep(tf.clone(stored));
    this.assigned.set(state, kept);
    this.keepValue(state, kept);
  }

  /** What programs see of a state, from what the engine holds; not in a loop, if it is first seen there. */
  private keepValue(state: ProgramState, stored: Tensor): Tensor {
    const { computedAs = state.dtype } = state;
    const value =
      computedAs === state.dtype
        ? stored
        : this.keep(this.backend.within(this.root, () => this.cast(stored, computedAs)));
    this.values.set(state, value);
    return value;
  }

  /** Call when the graph has been taken. */
  dispose(): void {
    for (const tensor of this.kept) tensor.dispose();
  }

  private keep(tensor: Tensor): Tensor {
    this.kept.push(tf.keep(tensor));
    return tensor;
  }

  randomBits(count: number, bits: number): Tensor {
    const name = `r${this.randomSites.length}`;
    this.randomSites.push({ name, count, bits });
    return this.input(name, [count], 'int32');
  }

  scan(body: ScanBody, init: Tensor[], xs: Tensor[], reverse: boolean): ScanResult {
    const { backend } = this;
    const outer = backend.current;
    const inner = new GraphBuilder(outer.names, outer);
    const steps = xs[0].shape[0];
    const bodyInputs: OnnxValue[] = [];
    const bodyOutputs: OnnxValue[] = [];
    const parameter = (shape: readonly number[], dtype: DType): Tensor => {
      const name = inner.names.fresh();
      bodyInputs.push({ name, shape, dtype });
      return backend.tensor(backend.value(name, shape, dtype));
    };
    backend.within(inner, () => {
      const carry = init.map((x) => parameter(x.shape, backend.typeOf(x)));
      const slices = xs.map((x) => parameter(x.shape.slice(1), backend.typeOf(x)));
      const out = body(carry, slices);
      for (const tensor of [...out.carry, ...out.ys]) {
        const name = inner.names.fresh();
        inner.nodes.push({
          op: 'Identity',
          domain: '',
          inputs: [backend.name(tensor, true)],
          outputs: [name],
          attributes: {},
        });
        bodyOutputs.push({ name, shape: tensor.shape, dtype: backend.typeOf(tensor) });
      }
    });
    // The body's own inputs stay even when unused: Scan counts them.
    const graph: OnnxGraph = { ...finishGraph(inner.nodes, [], bodyOutputs, []), inputs: bodyInputs };
    const nameOf = (x: Tensor) => backend.name(x, true);
    const loop = { body: graph, init: init.map(nameOf), xs: xs.map(nameOf), steps, reverse };
    const names = this.loop(loop, bodyOutputs.length - init.length);
    const tensors = names.map((name, i) => {
      const { shape, dtype } = bodyOutputs[i];
      const full = i < init.length ? shape : [steps, ...shape];
      return backend.tensor(backend.value(name, full, dtype));
    });
    return { carry: tensors.slice(0, init.length), ys: tensors.slice(init.length) };
  }

  /** The names of what a loop leaves. */
  private loop(loop: Loop, outputs: number): string[] {
    const { backend } = this;
    const graph = backend.current;
    if (!backend.anyShape && mayUnroll(loop, backend.limits.unrolledNodes)) {
      const know = (name: string, { shape, dtype }: OnnxValue) => void backend.value(name, shape, dtype);
      return unroll(graph, loop, (name) => backend.shapeOfName(name), know);
    }
    const { body, init, xs, reverse } = loop;
    const direction = (count: number) => Array.from({ length: count }, () => (reverse ? 1 : 0));
    return graph.emit('Scan', [...init, ...xs], {
      outputs: init.length + outputs,
      attributes: {
        body: { graph: body },
        num_scan_inputs: xs.length,
        scan_input_directions: direction(xs.length),
        ...(outputs > 0 ? { scan_output_directions: direction(outputs) } : {}),
      },
    });
  }

  /** A reshape to the same shape, which is put together from empty pieces of the others' shapes: nothing is copied. */
  after(x: Tensor, others: readonly Tensor[]): Tensor {
    const { backend } = this;
    const graph = backend.current;
    const awaited = others.filter((other) => !backend.isConstant(other));
    if (backend.isConstant(x) || awaited.length === 0) return tf.clone(x);
    const nothing = awaited.map((other) =>
      graph.one('Shape', [backend.raw(other, true).name], { attributes: { start: 0, end: 0 } }),
    );
    const shape = graph.one('Concat', [graph.names.int64(x.shape), ...nothing], { attributes: { axis: 0 } });
    const later = graph.addBarrier('Reshape', [backend.name(x, true), shape]);
    this.barriers++;
    return backend.tensor(backend.value(later, x.shape, backend.typeOf(x)));
  }

  /** A node, where the provider has a kernel for it, else what it stands for. */
  nativeOp(call: NativeCall): Tensor[] {
    const { backend } = this;
    const { op, domain, outputs, attributes } = call;
    if (backend.anyShape || !hasNative(backend.limits, op)) return this.byTwin(call);
    const graph = backend.current;
    // Optional inputs that are left out have an empty name; those at the end none.
    const inputs = call.inputs.map((x) => (x ? backend.name(x, true) : ''));
    while (inputs.at(-1) === '') inputs.pop();
    const names = graph.emit(op, inputs, { domain, attributes, outputs: outputs.length });
    return names.map((name, i) => backend.tensor(backend.value(name, outputs[i].shape, outputs[i].dtype)));
  }

  /** The formula computes on types of tfjs. */
  private byTwin({ inputs, attributes, outputs, twin }: NativeCall): Tensor[] {
    const known = inputs.map((x) => x && this.cast(x, standInOf(this.typeOf(x))));
    return twin(known, attributes, outputs).map((y, i) => this.cast(y, outputs[i].dtype));
  }

  cast(x: Tensor, dtype: DType): Tensor {
    const { backend } = this;
    if (backend.typeOf(x) === dtype) return tf.clone(x);
    const { name, shape } = backend.raw(x, true);
    const cast = backend.current.one('Cast', [name], { attributes: { to: onnxType[dtype] } });
    return backend.tensor(backend.value(cast, x.shape, dtype, shape));
  }

  typeOf(x: Tensor): DType {
    return this.backend.typeOf(x);
  }

  constant(value: HostTensor): Tensor {
    return this.backend.tensor(this.backend.hostTensor(value));
  }

  hostCall(name: string, fn: HostFunction, inputs: Tensor[], outputs: readonly TensorSpec[]): Tensor[] {
    const { backend } = this;
    const graph = backend.current;
    if (graph !== this.root && !this.callsAreNodes) {
      throw new AnemoneError({
        code: 'engine.host-call',
        path: name,
        message: 'a host call cannot stand inside a loop',
      });
    }
    const ins = inputs.map((x) => ({
      name: backend.name(x, true),
      shape: x.shape,
      dtype: backend.typeOf(x),
    }));
    const outs = outputs.map((spec) => ({
      name: graph.names.fresh(),
      shape: spec.shape,
      dtype: spec.dtype,
    }));
    graph.add(hostCallNode({ name, fn, inputs: ins, outputs: outs }, () => graph.names.float(0)));
    return outs.map((v) => backend.tensor(backend.value(v.name, v.shape, v.dtype)));
  }
}
