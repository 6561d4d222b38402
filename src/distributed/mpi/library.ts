// The MPI library of this machine, Open MPI or MPICH, whichever the launcher is of: its functions and its constants, which the
// standard leaves to each of them.
import { type NativeFunction, type NativeLibrary, openLibrary, type Pointer } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import type { Reduction } from '../communicator.js';
import { native } from '../memory.js';

/** A handle: an address in Open MPI, a number in MPICH. */
export type Handle = Pointer | number;

/** Element types that are sent as they are; the others are sent in one of these. */
export type MpiType = 'float32' | 'int32' | 'int64' | 'uint8' | 'int8';

export interface Mpi {
  readonly kind: 'Open MPI' | 'MPICH';
  readonly world: Handle;
  readonly noCommunicator: Handle;
  readonly errorsReturn: Handle;
  readonly inPlace: Pointer;
  readonly ignoreStatus: Pointer;
  readonly types: Readonly<Record<MpiType, Handle>>;
  readonly reductions: Readonly<Record<Reduction, Handle>>;
  /** Calls `MPI_NAME`. @throws AnemoneError `distributed.mpi` for a code that is not success */
  call(name: MpiFunction, ...args: readonly unknown[]): void;
  /** A handle that a function has written to 8 bytes. */
  readHandle(memory: Uint8Array): Handle;
  writeHandle(handle: Handle): Uint8Array;
  /** First line of what the library says of itself. */
  version(): string;
}

/** Names without `MPI_`, and parameters; `H` is a handle. */
const FUNCTIONS = {
  Init_thread: 'void *argc, void *argv, int required, void *provided',
  Finalize: '',
  Abort: 'H comm, int code',
  Comm_rank: 'H comm, void *out',
  Comm_size: 'H comm, void *out',
  Comm_split: 'H comm, int color, int key, void *out',
  Comm_dup: 'H comm, void *out',
  Comm_free: 'void *comm',
  Comm_set_errhandler: 'H comm, H handler',
  Ibarrier: 'H comm, void *request',
  Bcast: 'void *x, int n, H type, int root, H comm',
  Allreduce: 'void *x, void *y, int n, H type, H op, H comm',
  Iallreduce: 'void *x, void *y, int n, H type, H op, H comm, void *request',
  Allgatherv: 'void *x, int n, H type, void *y, void *counts, void *starts, H type2, H comm',
  Reduce_scatter: 'void *x, void *y, void *counts, H type, H op, H comm',
  Isend: 'void *x, int n, H type, int to, int tag, H comm, void *request',
  Irecv: 'void *x, int n, H type, int from, int tag, H comm, void *request',
  Iprobe: 'int from, int tag, H comm, void *flag, void *status',
  Test: 'void *request, void *flag, void *status',
  Get_library_version: 'void *text, void *length',
  Error_string: 'int code, void *text, void *length',
} as const;
export type MpiFunction = keyof typeof FUNCTIONS;

/** Names a library, instead of the one that the launcher is of. */
const LIBRARY_VARIABLE = 'ANEMONE_MPI_LIBRARY';
const LIBRARIES = {
  'Open MPI': ['libmpi.so.40', 'libmpi.so.80', 'libmpi.40.dylib', 'libmpi.so'],
  MPICH: ['libmpich.so.12', 'libmpi.so.12', 'libmpi.12.dylib'],
} as const;
const PACKAGES = { 'Open MPI': 'openmpi-bin', MPICH: 'mpich' } as const;

/**
 * Opens the library that the launcher of this process belongs to.
 * @throws AnemoneError `distributed.mpi-missing`
 */
export function openMpi(environment: NodeJS.ProcessEnv = process.env): Mpi {
  const kind = launcherKind(environment);
  const chosen = environment[LIBRARY_VARIABLE];
  const names = chosen ? [chosen] : LIBRARIES[kind];
  const koffi = native();
  leaveHeapAlone();
  const reasons: string[] = [];
  for (const name of names) {
    try {
      // Open MPI's plug-ins look for its functions among those of the process.
      return bind(openLibrary(koffi, name, { global: true }));
    } catch (error) {
      reasons.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new AnemoneError({
    code: 'distributed.mpi-missing',
    message: `this process was started by a launcher of ${kind}, and no library of ${kind} can be opened (${names.join(', ')})`,
    hint: chosen
      ? `${LIBRARY_VARIABLE} names it`
      : `install it (Debian: apt-get install ${PACKAGES[kind]}), start with the mpirun of the MPI that is there, or name its library in ${LIBRARY_VARIABLE}`,
    details: { reasons },
  });
}

/**
 * UCX, which MPICH and Open MPI may send by, tries its watch over memory by taking a page of the heap and giving it back. Where
 * another thread (V8 has several) extends the heap between the two, that one's memory goes instead, and the process dies
 * later, at any allocation. Who needs the watch, for InfiniBand's cache of registered memory, sets the variable.
 */
function leaveHeapAlone(): void {
  process.env['UCX_MEM_EVENTS'] ??= 'n';
}

/** `mpirun` of Open MPI and `srun --mpi=pmix` say so by their variables; else it is a launcher of MPICH's kind. */
function launcherKind(environment: NodeJS.ProcessEnv): 'Open MPI' | 'MPICH' {
  const isOpenMpi = 'OMPI_COMM_WORLD_RANK' in environment || 'PMIX_RANK' in environment;
  return isOpenMpi ? 'Open MPI' : 'MPICH';
}

function bind(library: NativeLibrary): Mpi {
  const isOpenMpi = hasSymbol(library, 'ompi_mpi_comm_world');
  const functions = new Map<string, NativeFunction>();
  const handleType = isOpenMpi ? 'void *' : 'int';
  const functionOf = (name: MpiFunction): NativeFunction => {
    let fn = functions.get(name);
    if (!fn) {
      fn = library.func(`int MPI_${name}(${FUNCTIONS[name].replace(/\bH /g, `${handleType} `)})`);
      functions.set(name, fn);
    }
    return fn;
  };
  const call = (name: MpiFunction, ...args: readonly unknown[]) => {
    const code = functionOf(name)(...args) as number;
    if (code !== 0) throw failed(name, errorText(functionOf('Error_string'), code));
  };
  const words = isOpenMpi ? openMpiConstants(library) : MPICH_CONSTANTS;
  return {
    ...words,
    call,
    readHandle: (memory) => {
      const view = new DataView(memory.buffer, memory.byteOffset, 8);
      return isOpenMpi ? view.getBigUint64(0, true) : view.getInt32(0, true);
    },
    writeHandle: (handle) => {
      const memory = new Uint8Array(8);
      const view = new DataView(memory.buffer);
      if (typeof handle === 'bigint') view.setBigUint64(0, handle, true);
      else view.setInt32(0, handle, true);
      return memory;
    },
    version: () => {
      const text = new Uint8Array(8192);
      const length = new Int32Array(1);
      call('Get_library_version', text, length);
      return new TextDecoder().decode(text.subarray(0, length[0])).split('\n')[0].trim();
    },
  };
}

type Constants = Omit<Mpi, 'call' | 'readHandle' | 'writeHandle' | 'version'>;

function openMpiConstants(library: NativeLibrary): Constants {
  const address = (name: string) => library.symbol(name) as Pointer;
  return {
    kind: 'Open MPI',
    world: address('ompi_mpi_comm_world'),
    noCommunicator: address('ompi_mpi_comm_null'),
    errorsReturn: address('ompi_mpi_errors_return'),
    inPlace: 1n,
    ignoreStatus: 0n,
    types: {
      float32: address('ompi_mpi_float'),
      int32: address('ompi_mpi_int32_t'),
      int64: address('ompi_mpi_int64_t'),
      uint8: address('ompi_mpi_uint8_t'),
      int8: address('ompi_mpi_int8_t'),
    },
    reductions: {
      sum: address('ompi_mpi_op_sum'),
      max: address('ompi_mpi_op_max'),
      min: address('ompi_mpi_op_min'),
    },
  };
}

/** Of the ABI that MPICH, Intel MPI and MVAPICH2 share. */
const MPICH_CONSTANTS: Constants = {
  kind: 'MPICH',
  world: 0x44000000,
  noCommunicator: 0x04000000,
  errorsReturn: 0x54000001,
  inPlace: 0xffff_ffff_ffff_ffffn,
  ignoreStatus: 1n,
  types: {
    float32: 0x4c00040a,
    int32: 0x4c000439,
    int64: 0x4c00083a,
    uint8: 0x4c00013b,
    int8: 0x4c000137,
  },
  reductions: { sum: 0x58000003, max: 0x58000001, min: 0x58000002 },
};

function hasSymbol(library: NativeLibrary, name: string): boolean {
  try {
    return library.symbol(name) !== undefined;
  } catch {
    return false;
  }
}

function errorText(errorString: NativeFunction, code: number): string {
  const text = new Uint8Array(1024);
  const length = new Int32Array(1);
  errorString(code, text, length);
  return `${new TextDecoder().decode(text.subarray(0, length[0]))} (${code})`;
}

function failed(name: string, text: string): AnemoneError {
  return new AnemoneError({ code: 'distributed.mpi', message: `MPI_${name} failed: ${text}` });
}
