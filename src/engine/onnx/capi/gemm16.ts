// The operators anemone.Gemm16 and Gemm16Pack (native/): products in bfloat16 on CPUs that have the instructions. Its library lies beside that of
// ONNX Runtime, in the package of the platform; in a clone, scripts/native.sh makes it.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openLibrary, type Pointer } from '../../native/koffi.js';
import { GEMM16_DOMAIN } from '../onnx-graph.js';
import { onnxruntimeFolder, platformFolder } from '../onnxruntime.js';
import type { OrtApi } from './api.js';

/** `off`: never; `portable`: with instructions that every CPU has, slowly, for tests; or the path of a library. */
const CHOICE = 'ANEMONE_GEMM16';

const LIBRARIES: Readonly<Partial<Record<string, string>>> = {
  'linux-x64': 'libanemone.so',
  'win32-x64': 'anemone.dll',
};

/** Where scripts/native.sh puts it in a clone. The modules of this engine are one file when they are compiled. */
const CLONE_BUILD = fileURLToPath(
  new URL('../native/build', import.meta.url.slice(0, import.meta.url.lastIndexOf('/engine/') + 1)),
);

/** For a session's options, by the API that it was made with. */
const domains = new WeakMap<OrtApi, Pointer | undefined>();

/** The domain of the operator; undefined where there is no library of it, or the CPU has not the instructions. */
export function gemm16Domain(api: OrtApi): Pointer | undefined {
  if (!domains.has(api)) domains.set(api, makeDomain(api, process.env[CHOICE] ?? ''));
  return domains.get(api);
}

function makeDomain(api: OrtApi, choice: string): Pointer | undefined {
  const file = choice === 'off' ? undefined : libraryFile(choice);
  if (file === undefined) return undefined;
  const library = openLibrary(api.koffi, file);
  const isPortable = choice === 'portable';
  if (!isPortable && library.func('int anemone_gemm16_is_fast()')() !== 1) return undefined;
  const operator = library.func('void *anemone_gemm16_operator(void *, int)')(api.table, isPortable ? 1 : 0);
  const domain = api.make('CreateCustomOpDomain', GEMM16_DOMAIN);
  api.call('CustomOpDomain_Add', domain, operator);
  api.call('CustomOpDomain_Add', domain, library.func('void *anemone_gemm16_packing()')());
  return domain;
}

function libraryFile(choice: string): string | undefined {
  if (/[/\\]/.test(choice)) return choice;
  const platform = `${process.platform}-${process.arch}`;
  const name = LIBRARIES[platform];
  if (name === undefined) return undefined;
  const folders = [onnxruntimeFolder(), platformFolder(), join(CLONE_BUILD, platform)];
  return folders.flatMap((folder) => (folder ? [join(folder, name)] : [])).find(existsSync);
}
