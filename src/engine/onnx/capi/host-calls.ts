// Host calls as nodes: one operator of ours, whose kernel is a JavaScript function that ONNX Runtime calls on the thread that
// runs the graph. Every host call of every program is a node of this operator, with the number of its function as
// attribute. Inputs and outputs are of any types; in place where ONNX Runtime finds that nobody else reads an input.

import { callHost, callRaw, hostFailure } from '../../host-function.js';
import type { Koffi, NativeType, Pointer } from '../../native/koffi.js';
import type { RawHostFunction, RawTensor } from '../../scope.js';
import { bytesOf, type DType, dataOver, type HostData, type HostTensor, sizeOf } from '../../tensors.js';
import { HOST_CALL_DOMAIN, HOST_CALL_OPERATOR, type HostCall, type HostCallNode } from '../host-call-node.js';
import { API_VERSION, type OrtApi } from './api.js';

/** `ORT_FAIL` of the header. */
const FAIL = 1;
const VARIADIC = 2;
const ANY_TYPE = 0;
/** Pairs of input and output, by place, that may share memory. */
const IN_PLACE_PAIRS = 64;
const P = 'void *';

/** Places of function pointers in `OrtCustomOp` of the header, of version 24. */
const PLACES = {
  name: 2,
  provider: 3,
  inputType: 4,
  inputCount: 5,
  outputType: 6,
  outputCount: 7,
  destroyKernel: 9,
  inputKind: 10,
  outputKind: 11,
  inputMemory: 12,
  leastInputs: 13,
  inputsAlike: 14,
  leastOutputs: 15,
  outputsAlike: 16,
  createKernel: 17,
  compute: 18,
  startVersion: 20,
  endVersion: 21,
  inPlace: 22,
  releaseInPlace: 23,
  alias: 24,
  releaseAlias: 25,
} as const;
const TABLE_LENGTH = 26;

/** The domain of the operator, and the functions that its nodes call. */
export class HostCalls {
  /** For a session's options. */
  readonly domain: Pointer;
  private readonly calls = new Map<number, HostCall>();
  private readonly memory: MemoryViews;
  private readonly memcpy: (to: Pointer, from: ArrayBufferView, bytes: number) => unknown;
  /** What ONNX Runtime keeps bare pointers to. */
  private readonly kept: unknown[] = [];
  private failure: unknown;

  constructor(
    private readonly api: OrtApi,
    library: { func(declaration: string): unknown },
  ) {
    this.memory = new MemoryViews(api.koffi);
    this.memcpy = library.func('void *memcpy(void *, const void *, size_t)') as typeof this.memcpy;
    this.domain = api.make('CreateCustomOpDomain', HOST_CALL_DOMAIN);
    api.call('CustomOpDomain_Add', this.domain, this.operatorTable());
  }

  /** Keeps the functions of nodes for as long as a session runs them. */
  add(nodes: readonly HostCallNode[]): void {
    for (const { number, call } of nodes) this.calls.set(number, call);
  }

  remove(nodes: readonly HostCallNode[]): void {
    for (const { number } of nodes) this.calls.delete(number);
  }

  /** What a host function threw during the run that has failed. */
  takeFailure(): unknown {
    const { failure } = this;
    this.failure = undefined;
    return failure;
  }

  private operatorTable(): BigUint64Array {
    const { koffi } = this.api;
    const table = new BigUint64Array(TABLE_LENGTH);
    this.kept.push(table);
    table[0] = BigInt(API_VERSION);
    const types = callbackTypes(koffi);
    const set = (
      place: keyof typeof PLACES,
      type: keyof typeof types,
      callback: (...args: never[]) => unknown,
    ) => {
      table[PLACES[place]] = koffi.register(callback, types[type]);
    };
    const text = (value: string): Pointer => {
      const characters = Buffer.from(`${value}\0`);
      this.kept.push(characters);
      return koffi.address(characters);
    };
    const [name, provider] = [text(HOST_CALL_OPERATOR), text('CPUExecutionProvider')];
    set('name', 'text', () => name);
    set('provider', 'text', () => provider);
    for (const place of ['inputCount', 'outputCount'] as const) set(place, 'count', () => 1);
    for (const place of ['inputType', 'outputType', 'inputMemory'] as const)
      set(place, 'ofPlace', () => ANY_TYPE);
    for (const place of ['inputKind', 'outputKind'] as const) set(place, 'ofPlace', () => VARIADIC);
    for (const place of ['leastInputs', 'leastOutputs'] as const) set(place, 'number', () => 1);
    for (const place of ['inputsAlike', 'outputsAlike'] as const) set(place, 'number', () => 0);
    set('startVersion', 'number', () => 1);
    set('endVersion', 'number', () => 2 ** 31 - 1);
    set('createKernel', 'create', (_op: Pointer, _api: Pointer, info: Pointer, kernel: Pointer) =>
      this.createKernel(info, kernel),
    );
    set('destroyKernel', 'destroy', () => {});
    set('compute', 'compute', (kernel: Pointer, context: Pointer) => this.compute(Number(kernel), context));
    const places = Int32Array.from({ length: IN_PLACE_PAIRS }, (_, i) => i);
    this.kept.push(places);
    set('inPlace', 'pairs', (inputs: Pointer, outputs: Pointer) => {
      for (const list of [inputs, outputs]) koffi.encode(list, P, koffi.address(places));
      return IN_PLACE_PAIRS;
    });
    set('alias', 'pairs', () => 0);
    for (const place of ['releaseInPlace', 'releaseAlias'] as const) set(place, 'releasePairs', () => {});
    return table;
  }

  /** The kernel of a node is the number of its call: never null, for numbers start at 1. */
  private createKernel(info: Pointer, kernel: Pointer): Pointer | null {
    const number = new BigInt64Array(1);
    try {
      this.api.call('KernelInfoGetAttribute_int64', info, 'id', number);
      this.api.koffi.encode(kernel, P, number[0]);
      return null;
    } catch (cause) {
      return this.failed(cause);
    }
  }

  /** Nothing may be thrown into ONNX Runtime, which would take it for success. */
  private compute(number: number, context: Pointer): Pointer | null {
    const call = this.calls.get(number);
    try {
      if (!call) throw new Error(`there is no host call ${number}`);
      this.callFunction(call, context);
      return null;
    } catch (cause) {
      this.failure ??= cause;
      return this.failed(cause);
    }
  }

  private callFunction(call: HostCall, context: Pointer): void {
    const { api } = this;
    if (call.fn.raw) {
      this.callOnAddresses(call, call.fn.raw, context);
      return;
    }
    const inputs = call.inputs.map(({ dtype, shape }, i): HostTensor & { readonly at: Pointer } => {
      const at = api.make('GetTensorMutableData', api.make('KernelContext_GetInput', context, i));
      const data = this.memory.data(at, dtype, sizeOf(shape));
      return { dtype, shape, data, at };
    });
    const results = callHost(
      call,
      inputs.map(({ dtype, shape, data }) => ({ dtype, shape, data })),
    );
    // An output may be written over an input that another output is made of.
    const buffers = new Set(inputs.map(({ data }) => data.buffer));
    const kept = results.map(({ data }, i) =>
      data !== inputs[i]?.data && buffers.has(data.buffer) ? data.slice() : data,
    );
    call.outputs.forEach(({ shape }, i) => {
      const data = kept[i];
      const dimensions = BigInt64Array.from(shape, BigInt);
      const output = api.make('KernelContext_GetOutput', context, i, dimensions, shape.length);
      const at = api.make('GetTensorMutableData', output);
      const isInPlace = inputs[i]?.at === at && inputs[i].data === data;
      if (!isInPlace && data.byteLength > 0) this.memcpy(at, data, data.byteLength);
    });
  }

  /** On ONNX Runtime's own memory, of which no view is made. */
  private callOnAddresses(call: HostCall, raw: RawHostFunction, context: Pointer): void {
    const { api } = this;
    const inputs = call.inputs.map(({ dtype, shape }, i) => {
      const value = api.make('KernelContext_GetInput', context, i);
      return rawTensor(dtype, shape, api.make('GetTensorMutableData', value));
    });
    const outputs = call.outputs.map(({ dtype, shape }, i) => {
      const dimensions = BigInt64Array.from(shape, BigInt);
      const value = api.make('KernelContext_GetOutput', context, i, dimensions, shape.length);
      return rawTensor(dtype, shape, api.make('GetTensorMutableData', value));
    });
    try {
      callRaw(call.name, raw, inputs, outputs);
    } catch (cause) {
      throw hostFailure(call.name, cause);
    }
  }

  private failed(cause: unknown): Pointer {
    const message = cause instanceof Error ? cause.message : String(cause);
    return this.api.createStatus(FAIL, message);
  }
}

function rawTensor(dtype: DType, shape: readonly number[], address: Pointer): RawTensor {
  return { dtype, shape, address, bytes: bytesOf(dtype, sizeOf(shape)) };
}

/** Typed arrays over memory of ONNX Runtime, which is at the same places in each run. Making one costs more than a call. */
class MemoryViews {
  private readonly views = new Map<string, HostData>();
  private static readonly MOST = 256;

  constructor(private readonly koffi: Koffi) {}

  /** Valid while the node that was given this memory computes. */
  data(at: Pointer, dtype: DType, size: number): HostData {
    const bytes = bytesOf(dtype, size);
    if (bytes === 0) return dataOver(dtype, new ArrayBuffer(0));
    const key = `${at}:${dtype}:${bytes}`;
    const madeView = this.views.get(key);
    if (madeView) return madeView;
    if (this.views.size >= MemoryViews.MOST) this.views.clear();
    const view = dataOver(dtype, this.koffi.view(at, bytes));
    this.views.set(key, view);
    return view;
  }
}

function callbackTypes(koffi: Koffi): Readonly<Record<string, NativeType>> & {
  readonly [K in keyof typeof SIGNATURES]: NativeType;
} {
  const entries = Object.entries(SIGNATURES).map(([key, [result, parameters]]) => {
    const name = `HostCall_${key}_${process.pid}_${typesMade++}`;
    return [key, koffi.pointer(koffi.proto(name, result, parameters))] as const;
  });
  return Object.fromEntries(entries) as { [K in keyof typeof SIGNATURES]: NativeType };
}

let typesMade = 0;

const SIGNATURES = {
  text: [P, [P]],
  count: ['size_t', [P]],
  ofPlace: ['int', [P, 'size_t']],
  number: ['int', [P]],
  create: [P, [P, P, P, P]],
  compute: [P, [P, P]],
  destroy: ['void', [P]],
  pairs: ['size_t', [P, P]],
  releasePairs: ['void', [P, P]],
} as const;
