// ONNX Runtime's C API: the functions that are used here, by their place in the table `OrtApi` of onnxruntime_c_api.h, and
// what every call needs: statuses turned into errors, and pointers that a function hands out. Places in the table never
// change; an older library has a shorter table and says so.
import { join } from 'node:path';
import { type Koffi, koffi, type NativeFunction, openLibrary, type Pointer } from '../../native/koffi.js';
import { onnxruntimeFolder } from '../onnxruntime.js';

/** The oldest table that has everything below (ONNX Runtime 1.24). */
export const API_VERSION = 24;

const LIBRARIES: Readonly<Partial<Record<NodeJS.Platform, string>>> = {
  linux: 'libonnxruntime.so.1',
  darwin: 'libonnxruntime.1.dylib',
  win32: 'onnxruntime.dll',
};

const P = 'void *';
/** Text that names a file. */
const PATH = process.platform === 'win32' ? 'str16' : 'str';

/** Place in the table, result, parameters. A result of `void *` is a status, if not said otherwise. */
const FUNCTIONS = {
  CreateStatus: [0, P, ['int', 'str']],
  GetErrorCode: [1, 'int', [P]],
  GetErrorMessage: [2, 'str', [P]],
  CreateSessionFromArray: [8, P, [P, P, 'size_t', P, P]],
  Run: [9, P, [P, P, P, P, 'size_t', P, 'size_t', P]],
  CreateSessionOptions: [10, P, [P]],
  EnableProfiling: [14, P, [P, PATH]],
  DisableMemPattern: [17, P, [P]],
  EnableCpuMemArena: [18, P, [P]],
  DisableCpuMemArena: [19, P, [P]],
  SetSessionLogSeverityLevel: [22, P, [P, 'int']],
  SetSessionGraphOptimizationLevel: [23, P, [P, 'int']],
  SetIntraOpNumThreads: [24, P, [P, 'int']],
  SetInterOpNumThreads: [25, P, [P, 'int']],
  CreateCustomOpDomain: [26, P, ['str', P]],
  CustomOpDomain_Add: [27, P, [P, P]],
  AddCustomOpDomain: [28, P, [P, P]],
  CreateRunOptions: [39, P, [P]],
  RunOptionsSetTerminate: [46, P, [P]],
  CreateTensorAsOrtValue: [48, P, [P, P, 'size_t', 'int', P]],
  CreateTensorWithData: [49, P, [P, P, 'size_t', P, 'size_t', 'int', P]],
  GetTensorMutableData: [51, P, [P, P]],
  CreateMemoryInfo: [68, P, ['str', 'int', 'int', 'int', P]],
  CreateCpuMemoryInfo: [69, P, ['int', 'int', P]],
  AllocatorFree: [76, P, [P, P]],
  GetAllocatorWithDefaultOptions: [78, P, [P]],
  KernelInfoGetAttribute_int64: [86, P, [P, 'str', P]],
  KernelContext_GetInput: [90, P, [P, 'size_t', P]],
  KernelContext_GetOutput: [91, P, [P, 'size_t', P, 'size_t', P]],
  ReleaseStatus: [93, 'void', [P]],
  ReleaseMemoryInfo: [94, 'void', [P]],
  ReleaseSession: [95, 'void', [P]],
  ReleaseValue: [96, 'void', [P]],
  ReleaseRunOptions: [97, 'void', [P]],
  ReleaseSessionOptions: [100, 'void', [P]],
  SessionEndProfiling: [110, P, [P, P, P]],
  CreateEnvWithGlobalThreadPools: [119, P, ['int', 'str', P, P]],
  DisablePerSessionThreads: [120, P, [P]],
  CreateThreadingOptions: [121, P, [P]],
  ReleaseThreadingOptions: [122, 'void', [P]],
  AddSessionConfigEntry: [130, P, [P, 'str', 'str']],
  CreateAllocator: [131, P, [P, P, P]],
  ReleaseAllocator: [132, 'void', [P]],
  SetGlobalIntraOpNumThreads: [147, P, [P, 'int']],
  SetGlobalInterOpNumThreads: [148, P, [P, 'int']],
  SetGlobalSpinControl: [149, P, [P, 'int']],
  AddInitializer: [150, P, [P, 'str', P]],
  CreatePrepackedWeightsContainer: [166, P, [P]],
  ReleasePrepackedWeightsContainer: [167, 'void', [P]],
  CreateSessionFromArrayWithPrepackedWeightsContainer: [169, P, [P, P, 'size_t', P, P, P]],
  AddExternalInitializers: [210, P, [P, P, P, 'size_t']],
  SessionOptionsAppendExecutionProvider: [216, P, [P, 'str', P, P, 'size_t']],
} as const satisfies Record<string, readonly [number, string, readonly string[]]>;

type FunctionName = keyof typeof FUNCTIONS;
type Releaser = Extract<FunctionName, `Release${string}`>;

/** What ONNX Runtime says went wrong. */
export class OrtError extends Error {
  constructor(
    /** `OrtErrorCode` of the header. */
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

export class OrtApi {
  private readonly functions: Readonly<Record<FunctionName, NativeFunction>>;
  /** What calls on other threads use. */
  private readonly underWay = new Set<unknown>();
  private readonly pointerSlot = new BigUint64Array(1);
  /** Version of the library. */
  readonly version: string;
  /** Where the table of functions is, for libraries of ours. */
  readonly table: Pointer;

  /** @throws OrtError for a library that has no table of this version; Error of the system's loader */
  constructor(
    readonly koffi: Koffi,
    version = API_VERSION,
  ) {
    const file = join(onnxruntimeFolder(), LIBRARIES[process.platform] ?? LIBRARIES.linux ?? '');
    const base = openLibrary(koffi, file).func('void *OrtGetApiBase()')() as Pointer;
    const [getApi, getVersion] = koffi.decode(base, koffi.array(P, 2)) as Pointer[];
    const versionString = koffi.decode(getVersion, prototypeOf(koffi, 'GetVersionString', 'str', []));
    this.version = (versionString as NativeFunction)() as string;
    // The library writes a line of its own when it is asked for a table that it does not have.
    const isOld = Number(this.version.split('.')[1]) < version && this.version.startsWith('1.');
    const apiOf = koffi.decode(getApi, prototypeOf(koffi, 'GetApi', P, ['uint32_t'])) as NativeFunction;
    const table = isOld ? null : (apiOf(version) as Pointer | null);
    if (!table) throw new OrtError(0, `ONNX Runtime ${this.version} has no C API of version ${version}`);
    this.table = table;
    this.functions = readTable(koffi, table);
  }

  /** Calls a function that returns a status. @throws OrtError */
  call(name: Exclude<FunctionName, Releaser>, ...args: readonly unknown[]): void {
    this.check(this.functions[name](...args) as Pointer | null);
  }

  /**
   * As `call`, on another thread.
   * @param owners of what the arguments point to: they stay reachable until the call has ended
   * @throws OrtError
   */
  callBeside(
    name: Exclude<FunctionName, Releaser>,
    args: readonly unknown[],
    owners: readonly unknown[],
  ): Promise<void> {
    const inUse = [args, owners];
    this.underWay.add(inUse);
    return new Promise((resolve, reject) => {
      this.functions[name].async(...args, (error: unknown, status: Pointer | null) => {
        this.underWay.delete(inUse);
        try {
          if (error) throw error;
          this.check(status);
          resolve();
        } catch (cause) {
          reject(cause);
        }
      });
    });
  }

  /** Calls a function whose last parameter receives a pointer, and returns that. @throws OrtError */
  make(name: Exclude<FunctionName, Releaser>, ...args: readonly unknown[]): Pointer {
    this.pointerSlot[0] = 0n;
    this.call(name, ...args, this.pointerSlot);
    return this.pointerSlot[0];
  }

  /** A status for a callback of ours to return. */
  createStatus(code: number, message: string): Pointer {
    return this.functions.CreateStatus(code, message) as Pointer;
  }

  release(name: Releaser, pointer: Pointer): void {
    this.functions[name](pointer);
  }

  /** @throws OrtError for a status that is not success */
  private check(status: Pointer | null): void {
    if (!status) return;
    const code = this.functions.GetErrorCode(status) as number;
    const message = this.functions.GetErrorMessage(status) as string;
    this.functions.ReleaseStatus(status);
    throw new OrtError(code, message);
  }
}

let opened: OrtApi | undefined;

/**
 * The C API of the ONNX Runtime that `onnxruntime.ts` finds; undefined where koffi is not installed.
 * @throws AnemoneError `engine.onnxruntime-missing`, `engine.onnxruntime-broken`; OrtError for an older library; Error of the
 *   system's loader
 */
export function ortApi(): OrtApi | undefined {
  const library = koffi();
  if (library) opened ??= new OrtApi(library);
  return opened;
}

function readTable(koffi: Koffi, table: Pointer): Record<FunctionName, NativeFunction> {
  const length = 1 + Math.max(...Object.values(FUNCTIONS).map(([place]) => place));
  const pointers = koffi.decode(table, koffi.array(P, length)) as Pointer[];
  const entries = Object.entries(FUNCTIONS).map(([name, [place, result, parameters]]) => [
    name,
    koffi.decode(pointers[place], prototypeOf(koffi, name, result, parameters)),
  ]);
  return Object.fromEntries(entries) as Record<FunctionName, NativeFunction>;
}

let prototypes = 0;

/** koffi's names of types are the process's, and other copies of this module may have declared the same. */
function prototypeOf(koffi: Koffi, name: string, result: string, parameters: readonly string[]): object {
  return koffi.proto(`Ort${name}_${process.pid}_${prototypes++}`, result, parameters);
}
