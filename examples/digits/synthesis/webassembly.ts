// The part of the WebAssembly API used here, typed: the compiler's libraries have it only with the DOM.

export interface WasmModule {
  readonly wasmModule?: never;
}

export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

interface WasmApi {
  compile(bytes: Uint8Array): Promise<WasmModule>;
  instantiate(
    module: WasmModule,
    imports: Readonly<Record<string, unknown>>,
  ): Promise<{ readonly exports: Readonly<Record<string, unknown>> }>;
}

export const wasm = (globalThis as unknown as { WebAssembly: WasmApi }).WebAssembly;
