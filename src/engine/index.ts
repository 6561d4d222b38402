export { registerGradients } from './autodiff/index.js';
export { cancellable, isCancelled, throwIfCancelled } from './cancellation.js';
export { engineComponents, engineKind } from './components.js';
export {
  type CreateEngineOptions,
  createEngine,
  ENGINES,
  type EngineName,
  engineProblems,
} from './create-engine.js';
export { EagerEngine } from './eager/eager-engine.js';
export { createReferenceEngine } from './eager/reference.js';
export { createTensorFlowEngine, type TensorFlowOptions } from './eager/tensorflow.js';
export {
  type CompileOptions,
  ENGINE,
  type Engine,
  type EngineStats,
  type HostTensors,
  type Program,
  type RunOptions,
  type Tensors,
} from './engine.js';
export { withChannelsLast } from './layout-hint.js';
export { lowProductsOf, withProductsIn } from './low-precision-engine.js';
export {
  type Koffi,
  koffi,
  type NativeFunction,
  type NativeLibrary,
  openLibrary,
  type Pointer,
} from './native/koffi.js';
export { checkExport } from './onnx/export/check-export.js';
export {
  EXPORT_OPSET,
  type ExportedInput,
  type ExportedModel,
  type ExportSpec,
  type ExternalData,
  exportModel,
  exportProgram,
} from './onnx/export/export-program.js';
export { OnnxEngine, type OnnxEngineOptions } from './onnx/onnx-engine.js';
export { describeFallback, type Placement } from './onnx/placement.js';
export { PROVIDERS, type Provider, supportedProviders } from './onnx/providers.js';
export * from './operators/index.js';
export type { LowType } from './precision.js';
export { after, later } from './primitives/after.js';
export { cast, constant, typeOf } from './primitives/element-types.js';
export { hostCall, rawHostCall } from './primitives/host-call.js';
export { inPart } from './primitives/in-part.js';
export { keepWhere } from './primitives/keep-where.js';
export { type NativeOptions, nativeOp } from './primitives/native-op.js';
export { inFullPrecision, inLowPrecision } from './primitives/product-precision.js';
export {
  bernoulliMask,
  type MaskFactors,
  maskFactors,
  maskFromFactors,
  randomBits,
} from './primitives/random.js';
export { isRecomputed, recompute } from './primitives/recompute.js';
export { scan } from './primitives/scan.js';
export type { LiveValues, ProgramMemory } from './program-memory.js';
export {
  currentScope,
  type HostFunction,
  type NativeAttributes,
  type NativeCall,
  ordersByDependence,
  type ProgramScope,
  type ProgramState,
  type RawHostFunction,
  type RawTensor,
  type ScanBody,
  type ScanResult,
  type Twin,
  tracesAnyShape,
  withScope,
} from './scope.js';
export { State } from './state.js';
export { numbersOfType, storedType, storedValues, storeIn, typeStoredAs } from './stored-types.js';
export {
  allocate,
  bytesOf,
  type ComputedDType,
  type DType,
  float32,
  type HostData,
  type HostTensor,
  hostTensor,
  int32,
  int64,
  int64Values,
  sizeOf,
  type TensorSpec,
} from './tensors.js';
export { type Tensor, tf } from './tf.js';
export { nextTurn } from './turn.js';
export { valueAndGrads } from './value-and-grads.js';
