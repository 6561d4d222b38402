// Which providers compute products in 16 bits, and how. A device is asked by a product.
import { AnemoneError } from '../../errors/index.js';
import { type LowType, rehearsalOf } from '../precision.js';
import type { HostTensor } from '../tensors.js';
import { encodeModel } from './model-proto.js';
import { type OnnxGraph, onnxType } from './onnx-graph.js';
import { hasGemm16, openSession } from './open-session.js';
import type { SessionOptions } from './session.js';

/** @throws AnemoneError `engine.precision` where they cannot be computed */
export async function lowProductsOn(session: SessionOptions, type: LowType): Promise<string> {
  const { provider } = session;
  if (provider === 'cpu' && type === 'bfloat16' && hasGemm16(provider)) {
    return 'in bfloat16, summed in float32, by the instructions of avx512_bf16; convolutions are rehearsed';
  }
  if (provider === 'cpu') return `rehearsed: ${rehearsalOf(type)}`;
  const native = `computed in ${type} by the device`;
  if (provider === 'cuda') return native;
  if (provider !== 'webgpu') throw refused(provider, type, 'it has not been tried there');
  if (type === 'bfloat16') throw refused(provider, type, 'WebGPU has no such type');
  const { onPlacement: _, ...options } = session;
  const failure = await failureOf(options, type);
  if (failure !== undefined) throw refused(provider, type, 'the device has no shader-f16', failure);
  return native;
}

/** A product [2,2]·[2,2] in 16 bits: why it failed, or undefined. */
async function failureOf(options: SessionOptions, type: LowType): Promise<unknown> {
  const value = (name: string) => ({ name, shape: [2, 2], dtype: 'float32' as const });
  const node = (op: string, inputs: string[], output: string, attributes = {}) => ({
    op,
    domain: '',
    inputs,
    outputs: [output],
    attributes,
  });
  const graph: OnnxGraph = {
    nodes: [
      node('Cast', ['x'], 'low', { to: onnxType[type] }),
      node('MatMul', ['low', 'low'], 'product'),
      node('Cast', ['product'], 'y', { to: onnxType.float32 }),
    ],
    inputs: [value('x')],
    outputs: [value('y')],
    initializers: [],
  };
  const tensor = (data: number[]): HostTensor => ({ dtype: 'float32', shape: [2, 2], data: Float32Array.from(data) }); // biome-ignore format: one line reads better
  const model = { bytes: encodeModel(graph), inputs: ['x'], outputs: ['y'], calls: [], weights: [], generation: {} }; // biome-ignore format: one line reads better
  try {
    const session = await openSession(model, options);
    try {
      await session.run({ x: tensor([1, 2, 3, 4]) }, { y: tensor([0, 0, 0, 0]) });
      return undefined;
    } finally {
      await session.dispose();
    }
  } catch (cause) {
    if (cause instanceof AnemoneError && cause.code === 'engine.provider-unavailable') throw cause;
    return cause;
  }
}

function refused(provider: string, type: LowType, reason: string, cause?: unknown): AnemoneError {
  return new AnemoneError({
    code: 'engine.precision',
    message: `provider ${provider} cannot compute products in ${type}: ${reason}`,
    hint: 'use precision: 32, or provider cpu, which rehearses it',
    ...(cause === undefined ? {} : { cause }),
  });
}
