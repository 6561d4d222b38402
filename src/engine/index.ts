export { registerGradients } from './autodiff/index.js';
export { EagerEngine } from './eager/eager-engine.js';
export { createReferenceEngine } from './eager/reference.js';
export type {
  CompileOptions,
  Engine,
  EngineStats,
  HostTensors,
  Program,
  RunOptions,
  Tensors,
} from './engine.js';
export { OnnxEngine, type OnnxEngineOptions } from './onnx/onnx-engine.js';
export { hostCall } from './primitives/host-call.js';
export { bernoulliMask, randomBits } from './primitives/random.js';
export { scan } from './primitives/scan.js';
export {
  currentScope,
  type HostFunction,
  type ProgramScope,
  type ScanBody,
  type ScanResult,
  withScope,
} from './scope.js';
export { State } from './state.js';
export {
  allocate,
  type DType,
  float32,
  type HostData,
  type HostTensor,
  int32,
  sizeOf,
  type TensorSpec,
} from './tensors.js';
export { type Tensor, tf } from './tf.js';
export { valueAndGrads } from './value-and-grads.js';
