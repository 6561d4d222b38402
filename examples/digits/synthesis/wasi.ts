// The few WASI calls a small command-line program needs, with its output file kept in memory. It is not a
// WASI implementation: node:wasi is still experimental, prints a warning and wants a real directory.

import { type WasmMemory, type WasmModule, wasm } from './webassembly.js';

const ERRNO_BADF = 8;
const ERRNO_NOENT = 44;
const FILETYPE_CHARACTER_DEVICE = 2;
const FILETYPE_DIRECTORY = 3;
const FILETYPE_REGULAR_FILE = 4;
const ROOT = 3;
const OUTPUT = 4;

class Exit extends Error {
  constructor(readonly code: number) {
    super(`exit ${code}`);
  }
}

/** A growing file with a position. */
class MemoryFile {
  private bytes = new Uint8Array(1 << 16);
  private position = 0;
  private length = 0;

  write(chunk: Uint8Array): void {
    const end = this.position + chunk.length;
    if (end > this.bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.bytes.length * 2));
      grown.set(this.bytes);
      this.bytes = grown;
    }
    this.bytes.set(chunk, this.position);
    this.position = end;
    this.length = Math.max(this.length, end);
  }

  seek(offset: number, whence: number): number {
    this.position = offset + (whence === 1 ? this.position : whence === 2 ? this.length : 0);
    return this.position;
  }

  contents(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }
}

export interface ProgramResult {
  readonly exitCode: number;
  /** What the program wrote to the one file it opened. */
  readonly output: Uint8Array;
  /** What it printed to standard output and standard error. */
  readonly messages: string;
}

/** Runs a WASI command once in a fresh instance; any path it opens for writing is the one output file. */
export async function runProgram(module: WasmModule, args: readonly string[]): Promise<ProgramResult> {
  const file = new MemoryFile();
  const encoder = new TextEncoder();
  const encodedArgs = args.map((arg) => encoder.encode(`${arg}\0`));
  let messages = '';
  let memory: WasmMemory;
  const view = () => new DataView(memory.buffer);
  const bytes = (at: number, length: number) => new Uint8Array(memory.buffer, at, length);

  const calls: Record<string, (...values: number[]) => number> = {
    args_sizes_get(countAt, sizeAt) {
      view().setUint32(countAt, encodedArgs.length, true);
      view().setUint32(
        sizeAt,
        encodedArgs.reduce((sum, arg) => sum + arg.length, 0),
        true,
      );
      return 0;
    },
    args_get(pointersAt, textAt) {
      let at = textAt;
      encodedArgs.forEach((arg, i) => {
        view().setUint32(pointersAt + 4 * i, at, true);
        bytes(at, arg.length).set(arg);
        at += arg.length;
      });
      return 0;
    },
    fd_fdstat_get(fd, at) {
      if (fd > OUTPUT) return ERRNO_BADF;
      const type =
        fd < ROOT ? FILETYPE_CHARACTER_DEVICE : fd === ROOT ? FILETYPE_DIRECTORY : FILETYPE_REGULAR_FILE;
      bytes(at, 24).fill(0);
      view().setUint8(at, type);
      view().setBigUint64(at + 8, 0xffffffffn, true);
      view().setBigUint64(at + 16, 0xffffffffn, true);
      return 0;
    },
    fd_prestat_get(fd, at) {
      if (fd !== ROOT) return ERRNO_BADF;
      view().setUint32(at, 0, true);
      view().setUint32(at + 4, 1, true);
      return 0;
    },
    fd_prestat_dir_name(fd, at) {
      if (fd !== ROOT) return ERRNO_BADF;
      view().setUint8(at, '/'.charCodeAt(0));
      return 0;
    },
    path_open(...values) {
      const writes = (values[4] & 1) !== 0; // oflags: create
      if (!writes) return ERRNO_NOENT;
      view().setUint32(values[8], OUTPUT, true);
      return 0;
    },
    fd_write(fd, vectorsAt, count, writtenAt) {
      let written = 0;
      for (let i = 0; i < count; i++) {
        const chunk = bytes(
          view().getUint32(vectorsAt + 8 * i, true),
          view().getUint32(vectorsAt + 8 * i + 4, true),
        );
        if (fd === OUTPUT) file.write(chunk);
        else messages += Buffer.from(chunk).toString('latin1');
        written += chunk.length;
      }
      view().setUint32(writtenAt, written, true);
      return 0;
    },
    proc_exit(code) {
      throw new Exit(code);
    },
    fd_read: () => ERRNO_BADF,
    fd_close: () => 0,
    fd_fdstat_set_flags: () => 0,
  };
  const imports = {
    ...calls,
    clock_time_get(_clock: number, _precision: bigint, at: number) {
      view().setBigUint64(at, 0n, true); // a constant clock keeps the output deterministic
      return 0;
    },
    fd_seek(fd: number, offset: bigint, whence: number, at: number) {
      if (fd !== OUTPUT) return ERRNO_BADF;
      view().setBigUint64(at, BigInt(file.seek(Number(offset), whence)), true);
      return 0;
    },
  };

  const instance = await wasm.instantiate(module, { wasi_snapshot_preview1: imports });
  memory = instance.exports['memory'] as WasmMemory;
  let exitCode = 0;
  try {
    (instance.exports['_start'] as () => void)();
  } catch (error) {
    if (!(error instanceof Exit)) throw error;
    exitCode = error.code;
  }
  return { exitCode, output: file.contents(), messages };
}
