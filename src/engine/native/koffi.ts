// Loads shared libraries of other projects, by koffi. Every library of the process is opened here and nowhere else: koffi's
// settings must be made before its first load, and a library whose handle is collected is unloaded while its functions may
// still be called. Not where the functions of one library are declared.
import { createRequire } from 'node:module';

/** A pointer, as a number that fits no `number`. */
export type Pointer = bigint;
/** What koffi takes for a pointer: its address, memory of ours, or nothing. */
export type PointerLike = Pointer | ArrayBufferView | null;

/** A function of a library. Its types are checked when it is called. */
export interface NativeFunction {
  (...args: readonly unknown[]): unknown;
  /** The same on a thread of koffi's; the last argument is told the error or the result. */
  async(...args: readonly unknown[]): void;
}

/** A C type of koffi's. */
export type NativeType = object;

/** A shared library that is open. */
export interface NativeLibrary {
  /** The function of a C declaration, such as `int getpid()`. */
  func(declaration: string): NativeFunction;
  /** The address of a variable. @throws Error where there is none of that name */
  symbol(name: string): unknown;
}

/** What is used of koffi. */
export interface Koffi {
  /** Settings of the process; they count before the first load. */
  config(settings: { readonly sync_stack_size?: number; readonly async_stack_size?: number }): void;
  /** Opens a library; null is the process itself. */
  load(path: string | null, options?: { readonly global?: boolean }): NativeLibrary;
  /** The type of a function, for callbacks and pointers to functions. */
  proto(name: string, result: string, parameters: readonly string[]): NativeType;
  /** The type of a pointer to `type`. */
  pointer(type: NativeType): NativeType;
  /** The type of an array of `length` elements. */
  array(type: string, length: number): NativeType;
  /** The value of `type` at an address. */
  decode(pointer: Pointer, type: NativeType): unknown;
  /** Writes a value of `type` to an address. */
  encode(pointer: Pointer, type: string, value: unknown): void;
  /** Where memory of ours lies. */
  address(memory: ArrayBufferView): Pointer;
  /** Memory at an address, which is not copied and belongs to who made it. */
  view(pointer: Pointer, bytes: number): ArrayBuffer;
  /** The address of a function of ours, which C may call until it is unregistered. */
  register(callback: (...args: never[]) => unknown, type: NativeType): Pointer;
  /** Ends that. */
  unregister(callback: Pointer): void;
}

/** ONNX Runtime's recursion over nested graphs needs more than koffi's default of 2 MiB, and threads more than 128 KiB. */
const STACK_BYTES = 8 << 20;

const HANDLES = Symbol.for('anemone:native-libraries');
const require = createRequire(import.meta.url);
let loaded: Koffi | null | undefined;

/** koffi's binary for this platform; undefined where it is not installed (an optional dependency). */
export function koffi(): Koffi | undefined {
  if (loaded === undefined) loaded = loadKoffi();
  return loaded ?? undefined;
}

/**
 * Opens a shared library for the rest of the process; `null` is the process itself, with libc.
 * @param options.global libraries opened later find its functions (RTLD_GLOBAL)
 * @throws Error what the system's loader says
 */
export function openLibrary(
  koffi: Koffi,
  path: string | null,
  options: { readonly global?: boolean } = {},
): NativeLibrary {
  const handles = libraryHandles();
  const key = path ?? '';
  let library = handles.get(key);
  if (!library) {
    library = koffi.load(path, options);
    handles.set(key, library);
  }
  return library;
}

/** The package `koffi` itself is not needed: it has an install script and brings all platforms. */
function loadKoffi(): Koffi | null {
  try {
    const koffi = require(`@koromix/koffi-${process.platform}-${process.arch}`) as Koffi;
    configure(koffi);
    return koffi;
  } catch {
    return null;
  }
}

function configure(koffi: Koffi): void {
  try {
    koffi.config({ sync_stack_size: STACK_BYTES, async_stack_size: STACK_BYTES });
  } catch {
    // Another module of the program has opened a library before; its settings stay.
  }
}

/** Reachable for as long as the thread lives, whatever module is collected. */
function libraryHandles(): Map<string, NativeLibrary> {
  const holder = globalThis as { [HANDLES]?: Map<string, NativeLibrary> };
  holder[HANDLES] ??= new Map();
  return holder[HANDLES];
}
