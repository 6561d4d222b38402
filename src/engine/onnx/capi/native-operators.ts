// The operators of our own in C (native/): Gemm16 and Gemm16Pack, products in bfloat16 on CPUs that have the instructions; Pointwise,
// chains of operations number by number; and convolutions whose channels are last. Their library lies beside that of ONNX Runtime, in the
// package of the platform; in a clone, scripts/native.sh makes it.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type NativeLibrary, openLibrary, type Pointer } from '../../native/koffi.js';
import { NATIVE_DOMAIN } from '../onnx-graph.js';
import { onnxruntimeFolder, platformFolder } from '../onnxruntime.js';
import type { OrtApi } from './api.js';

/** Gemm16. `off`: never; `portable`: with instructions that every CPU has, slowly, for tests; or the path of a library. */
const GEMM16_CHOICE = 'ANEMONE_GEMM16';
/** Pointwise. `off`: never. */
const POINTWISE_CHOICE = 'ANEMONE_POINTWISE';
/** Those of convolutions. `off`: never. */
const CONVOLUTIONS_CHOICE = 'ANEMONE_CONVOLUTIONS';
/** Depthwise convolution, gradients of its image and of its filter; of others columns to images, and images to taps. */
const CONVOLUTION_OPERATORS = 5;

/** Of the library that this code was written for: what the operators take may be other in older and newer ones. */
const INTERFACE = 3;

const LIBRARIES: Readonly<Partial<Record<string, string>>> = {
  'linux-x64': 'libanemone.so',
  'win32-x64': 'anemone.dll',
};

/** Where scripts/native.sh puts it in a clone. The modules of this engine are one file when they are compiled. */
const CLONE_BUILD = fileURLToPath(
  new URL('../native/build', import.meta.url.slice(0, import.meta.url.lastIndexOf('/engine/') + 1)),
);

/** What sessions of an API can have. */
export interface NativeOperators {
  /** For a session's options. */
  readonly domain: Pointer;
  readonly gemm16: boolean;
  readonly pointwise: boolean;
  readonly convolutions: boolean;
}

const operators = new WeakMap<OrtApi, NativeOperators | undefined>();

/** The operators; undefined where there is no library of them, or nothing of it can be used. */
export function nativeOperators(api: OrtApi): NativeOperators | undefined {
  if (!operators.has(api)) operators.set(api, makeOperators(api, process.env[GEMM16_CHOICE] ?? ''));
  return operators.get(api);
}

function makeOperators(api: OrtApi, choice: string): NativeOperators | undefined {
  const file = libraryFile(choice);
  if (file === undefined) return undefined;
  const library = openLibrary(api.koffi, file);
  if (interfaceOf(library) !== INTERFACE) return undefined;
  const isPortable = choice === 'portable';
  const gemm16 = choice !== 'off' && (isPortable || library.func('int anemone_gemm16_is_fast()')() === 1);
  const pointwise = process.env[POINTWISE_CHOICE] !== 'off';
  const convolutions = process.env[CONVOLUTIONS_CHOICE] !== 'off';
  if (!gemm16 && !pointwise && !convolutions) return undefined;
  const domain = api.make('CreateCustomOpDomain', NATIVE_DOMAIN);
  const add = (operator: unknown): void => api.call('CustomOpDomain_Add', domain, operator);
  if (gemm16) {
    add(library.func('void *anemone_gemm16_operator(void *, int)')(api.table, isPortable ? 1 : 0));
    add(library.func('void *anemone_gemm16_packing()')());
  }
  if (pointwise) add(library.func('void *anemone_pointwise(void *)')(api.table));
  if (convolutions) {
    const operator = library.func('void *anemone_convolution(void *, int)');
    for (let i = 0; i < CONVOLUTION_OPERATORS; i++) add(operator(api.table, i));
  }
  return { domain, gemm16, pointwise, convolutions };
}

/** Undefined where a library is older than the question. */
function interfaceOf(library: NativeLibrary): unknown {
  try {
    return library.func('int anemone_interface()')();
  } catch {
    return undefined;
  }
}

function libraryFile(choice: string): string | undefined {
  if (/[/\\]/.test(choice)) return choice;
  const platform = `${process.platform}-${process.arch}`;
  const name = LIBRARIES[platform];
  if (name === undefined) return undefined;
  const folders = [onnxruntimeFolder(), platformFolder(), join(CLONE_BUILD, platform)];
  return folders.flatMap((folder) => (folder ? [join(folder, name)] : [])).find(existsSync);
}
