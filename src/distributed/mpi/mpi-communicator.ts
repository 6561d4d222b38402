// The communicator of ranks that mpirun or srun has started. All ranks meet before a collective, in a small exchange that says
// whether they are there for the same and can be given up; the collective itself is then the library's fastest. Longer than
// other files because the methods of the interface stand together.
import { hostname } from 'node:os';
import { bytesOf, type DType } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from '../../formats/index.js';
import type { Communicator, Elements, Pending, Reduction } from '../communicator.js';
import { badArgument, byteLengthOf, checkRank, countsOf, lengthOf, listOf, startsOf } from '../elements.js';
import { EndedElsewhere } from '../ended-elsewhere.js';
import { exchange } from '../exchange.js';
import { addressOf, readBytes, writeBytes } from '../memory.js';
import type { Handle, Mpi, MpiType } from './library.js';
import { Request, Waits } from './requests.js';

export interface MpiOptions {
  /** After so many seconds without another rank a collective fails. */
  readonly timeoutSeconds: number;
  /** Elements of one call, whose counts have 32 bits: more are sent in several. Default 2^28. */
  readonly mostElements?: number;
}

/** Which process of the job a rank is, for messages. */
export interface RankProcess {
  /** Among all ranks of the job. */
  readonly rank: number;
  readonly host: string;
  readonly process: number;
}

/** Small tensors are put together up to so many bytes. */
const STAGING_BYTES = 4 * 2 ** 20;
const SMALL_BYTES = 2 ** 18;
const UNDEFINED_COLOR = -32766;
const TAG = 1;
const LATE_TAG = 7;
/** How long ranks that have waited too long listen for each other. */
const LISTEN_MS = 1000;

/** So long a launcher has for what a rank has printed last. */
const PASSING_ON_MS = 250;

export class MpiCommunicator implements Communicator {
  readonly kind = 'mpi';
  /** The library chooses how it adds. */
  readonly ordered = false;
  readonly rank: number;
  readonly size: number;
  private readonly waits: Waits;
  private readonly most: number;
  private readonly staging = new Uint8Array(STAGING_BYTES);
  /** Memory of the meeting, which stays where it is. */
  private readonly signature = new Int32Array(new ArrayBuffer(4096), 0, 2);
  /** Of the same ranks, for those that wait too long. */
  private readonly lateHandle: Handle;
  /** By rank. */
  private readonly processes: readonly RankProcess[];
  /** Where all ranks have been: what the last collective was that they met at. */
  private lastMeeting: string | undefined;

  constructor(
    private readonly mpi: Mpi,
    private readonly handle: Handle,
    private readonly options: MpiOptions,
    own?: RankProcess,
  ) {
    const number = new Int32Array(1);
    mpi.call('Comm_rank', handle, number);
    this.rank = number[0];
    mpi.call('Comm_size', handle, number);
    this.size = number[0];
    this.waits = new Waits(options.timeoutSeconds);
    this.most = options.mostElements ?? 2 ** 28;
    const copy = new Uint8Array(8);
    mpi.call('Comm_dup', handle, copy);
    this.lateHandle = mpi.readHandle(copy);
    const process_ = own ?? { rank: this.rank, host: hostname(), process: process.pid };
    this.processes = exchange(this, process_, 'processes of the ranks');
    this.lastMeeting = undefined;
  }

  allReduce(x: Elements | readonly Elements[], reduction: Reduction, label: string): void {
    const list = listOf(x);
    const dtype = list[0]?.dtype ?? 'float32';
    if (list.some((item) => item.dtype !== dtype)) {
      throw badArgument(label, 'elements of several types cannot be sent together');
    }
    const bytes = list.reduce((sum, item) => sum + byteLengthOf(item), 0);
    this.meet(`all-reduce of ${label}`, dtype, bytes, reduction);
    if (dtype === 'float16' || dtype === 'bfloat16') {
      for (const item of list) this.reduceHalves(item, dtype, reduction);
      return;
    }
    let small: Elements[] = [];
    let smallBytes = 0;
    for (const item of list) {
      const size = byteLengthOf(item);
      if (size > SMALL_BYTES) {
        this.reduceInPlace(addressOf(item), lengthOf(item), dtype, reduction);
        continue;
      }
      if (smallBytes + size > STAGING_BYTES) {
        this.reduceTogether(small, dtype, reduction);
        [small, smallBytes] = [[], 0];
      }
      small.push(item);
      smallBytes += size;
    }
    this.reduceTogether(small, dtype, reduction);
  }

  broadcast(x: Elements, root: number, label: string): void {
    checkRank(root, this.size, label);
    this.meet(`broadcast of ${label}`, x.dtype, byteLengthOf(x), `from ${root}`);
    const { type, units, width } = unitsOf(x);
    for (let start = 0; start < units; start += this.most) {
      const address = addressOf(x) + BigInt(start * width);
      const count = Math.min(this.most, units - start);
      this.mpi.call('Bcast', address, count, this.mpi.types[type], root, this.handle);
    }
  }

  allGather(x: Elements, into: Elements, label: string, givenCounts?: readonly number[]): void {
    const counts = countsOf(into, x, this, label, givenCounts);
    this.meet(`all-gather of ${label}`, x.dtype, byteLengthOf(into), counts.join());
    const { type, perElement, width } = unitsOf(x);
    const unitCounts = counts.map((count) => count * perElement);
    const total = unitCounts.reduce((sum, count) => sum + count, 0);
    if (total <= this.most) {
      this.gatherUnits(addressOf(x), addressOf(into), unitCounts, type);
      return;
    }
    // Piece by piece, each to its place.
    const starts = startsOf(unitCounts);
    const each = Math.max(1, Math.floor(Math.min(this.most, STAGING_BYTES / width) / this.size));
    const longest = Math.max(...unitCounts);
    for (let start = 0; start < longest; start += each) {
      const pieces = unitCounts.map((count) => Math.max(0, Math.min(each, count - start)));
      const own = new Uint8Array(Math.max(1, pieces[this.rank] * width));
      readBytes(x, start * width, own.subarray(0, pieces[this.rank] * width));
      this.gatherUnits(addressOf(bytesTensor(own)), addressOf(bytesTensor(this.staging)), pieces, type);
      startsOf(pieces).forEach((at, rank) => {
        const piece = this.staging.subarray(at * width, (at + pieces[rank]) * width);
        writeBytes(into, (starts[rank] + start) * width, piece);
      });
    }
  }

  reduceScatter(
    x: Elements,
    into: Elements,
    reduction: Reduction,
    label: string,
    givenCounts?: readonly number[],
  ): void {
    const counts = countsOf(x, into, this, label, givenCounts);
    const { dtype } = x;
    this.meet(`reduce-scatter of ${label}`, dtype, byteLengthOf(x), `${reduction} ${counts.join()}`);
    const width = bytesOf(dtype, 1);
    const ownStart = startsOf(counts)[this.rank];
    const total = lengthOf(x);
    if (dtype !== 'float16' && dtype !== 'bfloat16' && total <= this.most) {
      const sizes = Int32Array.from(counts);
      const { types, reductions } = this.mpi;
      const type = types[reducedIn(dtype)];
      this.mpi.call(
        'Reduce_scatter',
        addressOf(x),
        addressOf(into),
        sizes,
        type,
        reductions[reduction],
        this.handle,
      );
      return;
    }
    // Window by window: reduced for all, and each takes what is its own.
    const each = Math.min(this.most, STAGING_BYTES / width);
    for (let start = 0; start < total; start += each) {
      const count = Math.min(each, total - start);
      const memory = this.staging.subarray(0, count * width);
      readBytes(x, start * width, memory);
      const window = { dtype, shape: [count], data: memory } as Elements;
      if (dtype === 'float16' || dtype === 'bfloat16') this.reduceHalves(window, dtype, reduction);
      else this.reduceInPlace(addressOf(bytesTensor(memory)), count, dtype, reduction);
      const from = Math.max(ownStart, start);
      const to = Math.min(ownStart + counts[this.rank], start + count);
      if (to > from)
        writeBytes(
          into,
          (from - ownStart) * width,
          memory.subarray((from - start) * width, (to - start) * width),
        );
    }
  }

  send(x: Elements, to: number, label: string): void {
    this.startSend(x, to, label).wait();
  }

  receive(x: Elements, from: number, label: string): void {
    this.startReceive(x, from, label).wait();
  }

  barrier(label: string): void {
    this.meet(`barrier ${label}`, 'uint8', 0, '');
  }

  startAllReduce(x: Elements | readonly Elements[], reduction: Reduction, label: string): Pending {
    const list = listOf(x);
    const isHalf = list.some(({ dtype }) => dtype === 'float16' || dtype === 'bfloat16');
    if (isHalf) return this.deferred(() => this.allReduce(x, reduction, label));
    this.waits.progress();
    const requests = list.flatMap((item) => this.startReduction(item, reduction));
    return this.pending(requests, `all-reduce of ${label}`);
  }

  startAllGather(x: Elements, into: Elements, label: string, counts?: readonly number[]): Pending {
    return this.deferred(() => this.allGather(x, into, label, counts));
  }

  startReduceScatter(
    x: Elements,
    into: Elements,
    reduction: Reduction,
    label: string,
    counts?: readonly number[],
  ): Pending {
    return this.deferred(() => this.reduceScatter(x, into, reduction, label, counts));
  }

  startSend(x: Elements, to: number, label: string): Pending {
    checkRank(to, this.size, label);
    const head = headOf(x);
    const requests = [head, x].flatMap((part) =>
      this.pieces(part, (address, count, type, request) => {
        this.mpi.call('Isend', address, count, type, to, TAG, this.handle, request);
      }),
    );
    return this.pending(requests, `send of ${label} to rank ${to}`);
  }

  startReceive(x: Elements, from: number, label: string): Pending {
    checkRank(from, this.size, label);
    const receive = (part: Elements) =>
      this.pieces(part, (address, count, type, request) => {
        this.mpi.call('Irecv', address, count, type, from, TAG, this.handle, request);
      });
    const expected = headOf(x);
    const head = { ...expected, data: new Uint8Array(new ArrayBuffer(4096), 0, HEAD_BYTES) };
    let requests = receive(head);
    let hasHead = false;
    const test = () => {
      if (!requests.every((request) => request.test())) return false;
      if (hasHead) return true;
      if (!Buffer.from(head.data).equals(Buffer.from(expected.data))) {
        throw badArgument(label, `rank ${from} sends another number or type of elements`);
      }
      hasHead = true;
      requests = receive(x);
      return requests.every((request) => request.test());
    };
    const late = (seconds: number) => this.late(`receive of ${label} from rank ${from}`, seconds);
    return { test, wait: () => this.waits.until(test, late) };
  }

  split(color: number | undefined, key = this.rank): Communicator | undefined {
    this.meet('groups of ranks', 'uint8', 0, '');
    const made = new Uint8Array(8);
    this.mpi.call('Comm_split', this.handle, color ?? UNDEFINED_COLOR, key, made);
    const handle = this.mpi.readHandle(made);
    if (handle === this.mpi.noCommunicator) return undefined;
    return new MpiCommunicator(this.mpi, handle, this.options, this.processes[this.rank]);
  }

  /** Ends MPI in this process, when all are here. */
  finish(): void {
    this.mpi.call('Finalize');
  }

  /** Ends all processes of the job, this one too. */
  abort(exitCode: number): void {
    // The launcher passes on what was printed, and MPICH's drops what it has not read when it hears of the end.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PASSING_ON_MS);
    this.mpi.call('Abort', this.mpi.world, exitCode);
  }

  close(): void {
    this.barrier('end of the group');
    for (const handle of [this.lateHandle, this.handle]) {
      if (handle !== this.mpi.world) this.mpi.call('Comm_free', this.mpi.writeHandle(handle));
    }
  }

  private reduceInPlace(address: bigint, length: number, dtype: DType, reduction: Reduction): void {
    const { inPlace, types, reductions } = this.mpi;
    const width = bytesOf(dtype, 1);
    for (let start = 0; start < length; start += this.most) {
      const count = Math.min(this.most, length - start);
      const at = address + BigInt(start * width);
      this.mpi.call(
        'Allreduce',
        inPlace,
        at,
        count,
        types[reducedIn(dtype)],
        reductions[reduction],
        this.handle,
      );
    }
  }

  private reduceTogether(list: readonly Elements[], dtype: DType, reduction: Reduction): void {
    let at = 0;
    for (const item of list) {
      readBytes(item, 0, this.staging.subarray(at, at + byteLengthOf(item)));
      at += byteLengthOf(item);
    }
    this.reduceInPlace(addressOf(bytesTensor(this.staging)), at / bytesOf(dtype, 1), dtype, reduction);
    at = 0;
    for (const item of list) {
      writeBytes(item, 0, this.staging.subarray(at, at + byteLengthOf(item)));
      at += byteLengthOf(item);
    }
  }

  /** In 32 bits, rounded once. */
  private reduceHalves(x: Elements, dtype: 'float16' | 'bfloat16', reduction: Reduction): void {
    const patterns = new Uint16Array(lengthOf(x));
    readBytes(x, 0, new Uint8Array(patterns.buffer));
    const numbers = dtype === 'float16' ? fromFloat16(patterns) : fromBfloat16(patterns);
    const tensor = { dtype: 'float32' as const, shape: [numbers.length], data: numbers };
    this.reduceInPlace(addressOf(tensor), numbers.length, 'float32', reduction);
    const rounded = dtype === 'float16' ? toFloat16(numbers) : toBfloat16(numbers);
    writeBytes(x, 0, new Uint8Array(rounded.buffer, rounded.byteOffset, rounded.byteLength));
  }

  private gatherUnits(from: bigint, into: bigint, counts: readonly number[], type: MpiType): void {
    const { types } = this.mpi;
    const [sizes, starts] = [Int32Array.from(counts), Int32Array.from(startsOf(counts))];
    const own = counts[this.rank];
    this.mpi.call('Allgatherv', from, own, types[type], into, sizes, starts, types[type], this.handle);
  }

  private startReduction(x: Elements, reduction: Reduction): Request[] {
    const { mpi, handle, most } = this;
    const width = bytesOf(x.dtype, 1);
    const requests: Request[] = [];
    for (let start = 0; start < lengthOf(x); start += most) {
      const count = Math.min(most, lengthOf(x) - start);
      const at = addressOf(x) + BigInt(start * width);
      const type = mpi.types[reducedIn(x.dtype)];
      requests.push(
        new Request(mpi, this.waits.underWay, x, (request) =>
          mpi.call('Iallreduce', mpi.inPlace, at, count, type, mpi.reductions[reduction], handle, request),
        ),
      );
    }
    return requests;
  }

  /** Starts a message in as many pieces as counts allow; at least one. */
  private pieces(
    x: Elements,
    start: (address: bigint, count: number, type: Handle, request: Uint8Array) => void,
  ): Request[] {
    const { type, units, width } = unitsOf(x);
    const requests: Request[] = [];
    for (let at = 0; at < units || at === 0; at += this.most) {
      const address = addressOf(x) + BigInt(at * width);
      const count = Math.min(this.most, units - at);
      requests.push(
        new Request(this.mpi, this.waits.underWay, x, (request) =>
          start(address, count, this.mpi.types[type], request),
        ),
      );
    }
    return requests;
  }

  private pending(requests: readonly Request[], label: string): Pending {
    const test = () => requests.every((request) => request.test());
    return { test, wait: () => this.waits.until(test, (seconds) => this.late(label, seconds)) };
  }

  /** Done when it is waited for: all ranks wait in the same order. */
  private deferred(run: () => void): Pending {
    let done = false;
    return {
      test: () => done,
      wait: () => {
        if (!done) run();
        done = true;
      },
    };
  }

  /** Returns when all ranks are here. @throws AnemoneError where they are not here for the same */
  private meet(label: string, dtype: DType, bytes: number, detail: string): void {
    const { mpi, signature } = this;
    const hash = hashOf(`${label} ${dtype} ${bytes} ${detail}`);
    // The greatest of all is this one's, and so is the least: all are equal.
    signature.set([hash, -hash]);
    const { int32 } = mpi.types;
    const request = new Request(mpi, this.waits.underWay, signature, (handle) =>
      mpi.call('Iallreduce', mpi.inPlace, signature, 2, int32, mpi.reductions.max, this.handle, handle),
    );
    this.waits.until(
      () => request.test(),
      (seconds) => this.late(label, seconds),
    );
    this.lastMeeting = label;
    if (signature[0] === hash && signature[1] === -hash) return;
    throw new AnemoneError({
      code: 'distributed.disagreement',
      message: `rank ${this.rank} is at the ${label} (${bytes / bytesOf(dtype, 1)} of ${dtype}), and another rank is not`,
      hint: 'all ranks must do the same in the same order',
    });
  }

  /** Says who waits, hears who else does, and lets the first of them say for whom. */
  private late(label: string, seconds: number): never {
    const { mpi, rank, size, lateHandle } = this;
    const others = Array.from({ length: size }, (_, other) => other).filter((other) => other !== rank);
    const note = new Uint8Array(new ArrayBuffer(4096), 0, 1);
    for (const other of others) {
      new Request(mpi, this.waits.underWay, note, (request) =>
        mpi.call('Isend', note, 1, mpi.types.uint8, other, LATE_TAG, lateHandle, request),
      );
    }
    const waiting = new Set([rank]);
    const flag = new Int32Array(1);
    for (const until = performance.now() + LISTEN_MS; performance.now() < until; this.waits.pause(10)) {
      this.waits.progress();
      for (const other of others) {
        mpi.call('Iprobe', other, LATE_TAG, lateHandle, flag, mpi.ignoreStatus);
        if (flag[0] !== 0) waiting.add(other);
      }
    }
    if (Math.min(...waiting) !== rank) {
      // It ends the job; this is for when it does not.
      this.waits.pause(10 * LISTEN_MS);
      throw new EndedElsewhere(2);
    }
    const present = this.namesOf([...waiting].sort((a, b) => a - b));
    const absent = others.filter((other) => !waiting.has(other));
    const last = absent.map((other) => `; ${this.lastPlaceOf(other)}`).join('');
    throw new AnemoneError({
      code: 'distributed.timeout',
      message: `${present} waited ${seconds} s at the ${label} for ${absent.length > 0 ? this.namesOf(absent) : 'each other'}${last}`,
      hint: 'is one stopped or in an endless loop? trainer.rank_timeout says how long ranks wait for each other',
    });
  }

  private namesOf(ranks: readonly number[]): string {
    return `rank${ranks.length > 1 ? 's' : ''} ${ranks.map((rank) => this.processes[rank].rank).join(', ')}`;
  }

  /** A rank that does not come has come to the collective before, for no rank leaves one without all others. */
  private lastPlaceOf(other: number): string {
    const { rank, host, process } = this.processes[other];
    const place = this.lastMeeting === undefined ? 'nowhere yet' : `the ${this.lastMeeting}`;
    return `rank ${rank} (process ${process} on ${host}) was last at ${place}`;
  }
}

/** As what, and in how many units, elements are sent that are not reduced. */
function unitsOf(x: Elements): { type: MpiType; units: number; perElement: number; width: number } {
  const { dtype } = x;
  if (dtype === 'float32' || dtype === 'int32' || dtype === 'int64') {
    return { type: dtype, units: lengthOf(x), perElement: 1, width: bytesOf(dtype, 1) };
  }
  return { type: 'uint8', units: byteLengthOf(x), perElement: bytesOf(dtype, 1), width: 1 };
}

function reducedIn(dtype: DType): MpiType {
  if (dtype === 'float16' || dtype === 'bfloat16') return 'float32';
  return dtype === 'bool' ? 'uint8' : dtype;
}

const HEAD_BYTES = 16;

/** Goes before a message: how many elements of which type it has. */
function headOf(x: Elements): Elements & { readonly data: Uint8Array } {
  const memory = new ArrayBuffer(4096);
  const view = new DataView(memory);
  view.setFloat64(0, lengthOf(x));
  view.setInt32(8, hashOf(x.dtype));
  return { dtype: 'uint8', shape: [HEAD_BYTES], data: new Uint8Array(memory, 0, HEAD_BYTES) };
}

function bytesTensor(data: Uint8Array): Elements {
  return { dtype: 'uint8', shape: [data.length], data };
}

/** FNV-1a, 31 bits. */
function hashOf(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h & 0x7fffffff;
}
