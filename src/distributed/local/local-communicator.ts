// The communicator of ranks that are processes of one machine. Each puts its elements into its slot of a shared segment, all
// meet, each reduces its part of them in the order of ranks, all meet again and take the result: sums repeat bit by bit.
// Longer than other files because the methods of the interface stand together; what lies where is segment.ts's, how a rank
// waits waiting.ts's.
import { bytesOf, type DType } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import type { Communicator, Elements, Pending, Reduction } from '../communicator.js';
import { badArgument, byteLengthOf, checkRank, countsOf, listOf, startsOf } from '../elements.js';
import { readBytes, writeBytes } from '../memory.js';
import { type Numbers, reduceInto } from '../reduce.js';
import { createSegment, MAIL_BYTES, removeSegment, Segment, SLOT_BYTES, WORD } from './segment.js';
import { Waiting } from './waiting.js';

export interface LocalRank {
  readonly rank: number;
  readonly size: number;
  /** Path of the segment that all ranks of the group map. */
  readonly segment: string;
  /** After so many seconds without another rank a collective fails. */
  readonly timeoutSeconds: number;
  /** In messages: the ranks of the job that the ranks of this group are. Default: themselves. */
  readonly members?: readonly number[];
  /** Of the job that the group belongs to. */
  readonly ended?: () => number;
}

/** Processes of a busy machine may take so long to start, however short the time is that ranks wait later. */
const START_SECONDS = 60;

export class LocalCommunicator implements Communicator {
  readonly kind = 'local';
  readonly ordered = true;
  readonly rank: number;
  readonly size: number;
  private readonly segment: Segment;
  private readonly waiting: Waiting;
  private readonly queue: Queued[] = [];
  private meetings = 0;

  constructor(private readonly options: LocalRank) {
    this.rank = options.rank;
    this.size = options.size;
    this.segment = new Segment(options.segment, options.size);
    const { segment, size } = this;
    const ended = () => segment.ended || (options.ended?.() ?? 0);
    this.waiting = new Waiting({ ranks: size, timeoutSeconds: options.timeoutSeconds, ended });
    segment.store(this.rank, WORD.process, process.pid);
    this.waiting.during(START_SECONDS, () => this.barrier('start of the job'));
    // All have mapped it: its file is not needed, whatever becomes of the ranks.
    if (this.rank === 0) removeSegment(options.segment);
  }

  allReduce(x: Elements | readonly Elements[], reduction: Reduction, label: string): void {
    this.finishQueue();
    const list = listOf(x);
    const dtype = list[0]?.dtype ?? 'float32';
    if (list.some((item) => item.dtype !== dtype)) {
      throw badArgument(label, 'elements of several types cannot be sent together');
    }
    const stream = new ByteStream(list);
    const total = list.reduce((sum, item) => sum + byteLengthOf(item), 0);
    const call = { label: `all-reduce of ${label}`, dtype, bytes: total, detail: reduction };
    for (let start = 0; start < total || start === 0; start += SLOT_BYTES) {
      const bytes = Math.min(SLOT_BYTES, total - start);
      stream.read(this.segment.slot(this.rank).subarray(0, bytes));
      this.meet(call);
      this.reduceShare(dtype, bytes, reduction);
      this.meet(call);
      stream.write(this.segment.slot(this.size).subarray(0, bytes));
    }
  }

  broadcast(x: Elements, root: number, label: string): void {
    this.finishQueue();
    checkRank(root, this.size, label);
    const total = byteLengthOf(x);
    const call = { label: `broadcast of ${label}`, dtype: x.dtype, bytes: total, detail: `from ${root}` };
    for (let start = 0; start < total || start === 0; start += SLOT_BYTES) {
      const slot = this.segment.slot(root).subarray(0, Math.min(SLOT_BYTES, total - start));
      if (this.rank === root) readBytes(x, start, slot);
      this.meet(call);
      if (this.rank !== root) writeBytes(x, start, slot);
      this.meet(call);
    }
  }

  allGather(x: Elements, into: Elements, label: string, givenCounts?: readonly number[]): void {
    this.finishQueue();
    const counts = countsOf(into, x, this, label, givenCounts);
    const width = bytesOf(x.dtype, 1);
    const starts = startsOf(counts);
    const longest = Math.max(...counts) * width;
    const bytes = byteLengthOf(into);
    const call = { label: `all-gather of ${label}`, dtype: x.dtype, bytes, detail: counts.join() };
    const pieceOf = (rank: number, start: number) =>
      this.segment.slot(rank).subarray(0, Math.max(0, Math.min(SLOT_BYTES, counts[rank] * width - start)));
    for (let start = 0; start < longest || start === 0; start += SLOT_BYTES) {
      readBytes(x, start, pieceOf(this.rank, start));
      this.meet(call);
      for (let rank = 0; rank < this.size; rank++) {
        writeBytes(into, starts[rank] * width + start, pieceOf(rank, start));
      }
      this.meet(call);
    }
  }

  reduceScatter(
    x: Elements,
    into: Elements,
    reduction: Reduction,
    label: string,
    givenCounts?: readonly number[],
  ): void {
    this.finishQueue();
    const counts = countsOf(x, into, this, label, givenCounts);
    const width = bytesOf(x.dtype, 1);
    const ownStart = startsOf(counts)[this.rank] * width;
    const ownEnd = ownStart + counts[this.rank] * width;
    const total = byteLengthOf(x);
    const detail = `${reduction} ${counts.join()}`;
    const call = { label: `reduce-scatter of ${label}`, dtype: x.dtype, bytes: total, detail };
    for (let start = 0; start < total || start === 0; start += SLOT_BYTES) {
      const bytes = Math.min(SLOT_BYTES, total - start);
      readBytes(x, start, this.segment.slot(this.rank).subarray(0, bytes));
      this.meet(call);
      const from = Math.max(ownStart, start);
      const to = Math.min(ownEnd, start + bytes);
      if (to > from) {
        this.reduceRange(x.dtype, from - start, to - start, reduction);
        writeBytes(into, from - ownStart, this.segment.slot(this.size).subarray(from - start, to - start));
      }
      this.meet(call);
    }
  }

  send(x: Elements, to: number, label: string): void {
    this.startSend(x, to, label).wait();
  }

  receive(x: Elements, from: number, label: string): void {
    this.startReceive(x, from, label).wait();
  }

  barrier(label: string): void {
    this.finishQueue();
    this.meet({ label: `barrier ${label}`, dtype: 'uint8', bytes: 0, detail: '' });
  }

  startAllReduce(x: Elements | readonly Elements[], reduction: Reduction, label: string): Pending {
    return this.enqueue(() => this.allReduce(x, reduction, label));
  }

  startAllGather(x: Elements, into: Elements, label: string, counts?: readonly number[]): Pending {
    return this.enqueue(() => this.allGather(x, into, label, counts));
  }

  startReduceScatter(
    x: Elements,
    into: Elements,
    reduction: Reduction,
    label: string,
    counts?: readonly number[],
  ): Pending {
    return this.enqueue(() => this.reduceScatter(x, into, reduction, label, counts));
  }

  startSend(x: Elements, to: number, label: string): Pending {
    checkRank(to, this.size, label);
    const { segment, rank } = this;
    const total = byteLengthOf(x);
    const signature = hash(`${x.dtype} ${total}`);
    let sent = 0;
    let pieces = 0;
    // The message is on its way when its last piece lies in the slot.
    const progress = () => {
      while ((sent < total || pieces === 0) && segment.load(rank, WORD.mailTo) === 0) {
        const bytes = Math.min(MAIL_BYTES, total - sent);
        readBytes(x, sent, segment.mail(rank).subarray(0, bytes));
        segment.store(rank, WORD.mailBytes, bytes);
        segment.store(rank, WORD.mailSignature, signature);
        segment.store(rank, WORD.mailTo, to + 1);
        sent += bytes;
        pieces++;
      }
      return sent >= total && pieces > 0;
    };
    return this.message(progress, `send of ${label}`, to);
  }

  startReceive(x: Elements, from: number, label: string): Pending {
    checkRank(from, this.size, label);
    const { segment, rank } = this;
    const total = byteLengthOf(x);
    const signature = hash(`${x.dtype} ${total}`);
    let received = 0;
    let pieces = 0;
    const progress = () => {
      while ((received < total || pieces === 0) && segment.load(from, WORD.mailTo) === rank + 1) {
        if (segment.load(from, WORD.mailSignature) !== signature) {
          throw badArgument(label, `rank ${this.nameOf(from)} sends another number or type of elements`);
        }
        const bytes = segment.load(from, WORD.mailBytes);
        writeBytes(x, received, segment.mail(from).subarray(0, bytes));
        segment.store(from, WORD.mailTo, 0);
        received += bytes;
        pieces++;
      }
      return received >= total && pieces > 0;
    };
    return this.message(progress, `receive of ${label}`, from);
  }

  split(color: number | undefined, key = this.rank): Communicator | undefined {
    const mine = Float64Array.of(color ?? Number.NaN, key);
    const all = new Float64Array(2 * this.size);
    this.allGather(bytesTensor(mine), bytesTensor(all), 'groups of ranks');
    const members = Array.from({ length: this.size }, (_, rank) => rank)
      .filter((rank) => all[2 * rank] === color)
      .sort((a, b) => all[2 * a + 1] - all[2 * b + 1] || a - b);
    const isLeader = members[0] === this.rank;
    const path = new TextEncoder().encode(isLeader ? createSegment(members.length) : '');
    const paths = this.gatherTexts(path);
    if (color === undefined) return undefined;
    return new LocalCommunicator({
      rank: members.indexOf(this.rank),
      size: members.length,
      segment: paths[members[0]],
      timeoutSeconds: this.options.timeoutSeconds,
      members: members.map((rank) => this.nameOf(rank)),
      ended: () => this.segment.ended || (this.options.ended?.() ?? 0),
    });
  }

  abort(exitCode: number): void {
    this.segment.end(exitCode);
  }

  close(): void {
    this.barrier('end of the group');
  }

  private gatherTexts(text: Uint8Array): string[] {
    const length = Int32Array.of(text.length);
    const lengths = new Int32Array(this.size);
    this.allGather(tensor('int32', length), tensor('int32', lengths), 'lengths of paths');
    const bytes = new Uint8Array(lengths.reduce((sum, n) => sum + n, 0));
    this.allGather(tensor('uint8', text), tensor('uint8', bytes), 'paths', [...lengths]);
    const starts = startsOf([...lengths]);
    return starts.map((start, i) => new TextDecoder().decode(bytes.subarray(start, start + lengths[i])));
  }

  /** Ends in the order in which they were started: all ranks do it alike. */
  private enqueue(run: () => void): Pending {
    const call: Queued = { run, done: false };
    this.queue.push(call);
    return {
      test: () => call.done,
      wait: () => {
        if (!call.done) this.finishQueue(call);
      },
    };
  }

  private finishQueue(last?: Queued): void {
    while (this.queue.length > 0) {
      const call = this.queue.shift() as Queued;
      // What it calls finds nothing before it.
      const others = this.queue.splice(0);
      call.run();
      call.done = true;
      this.queue.push(...others);
      if (call === last) return;
    }
  }

  private message(progress: () => boolean, label: string, other: number): Pending {
    let done = false;
    const test = () => {
      done ||= progress();
      return done;
    };
    return {
      test,
      wait: () =>
        this.waiting.until(test, (seconds) =>
          late(`${label} waits for rank ${this.nameOf(other)} since ${seconds} s`),
        ),
    };
  }

  /** Returns when all ranks are here. @throws AnemoneError where they are not here for the same */
  private meet(call: Call): void {
    const { segment, rank, size } = this;
    const meeting = ++this.meetings | 0;
    const parity = meeting & 1;
    const signature = hash(`${call.label} ${call.dtype} ${call.bytes} ${call.detail}`);
    segment.setLabel(rank, parity, textOf(call));
    segment.store(rank, WORD.signature + parity, signature);
    segment.store(rank, WORD.arrived, meeting);
    for (let other = 0; other < size; other++) {
      if (other === rank) continue;
      this.waiting.until(
        () => ((segment.load(other, WORD.arrived) - meeting) | 0) >= 0,
        (seconds) => this.missing(meeting, call, seconds),
      );
      if (segment.load(other, WORD.signature + parity) === signature) continue;
      throw new AnemoneError({
        code: 'distributed.disagreement',
        message: `rank ${this.nameOf(rank)} is at the ${textOf(call)}, rank ${this.nameOf(other)} at the ${segment.label(other, parity)}`,
        hint: 'all ranks must do the same in the same order',
      });
    }
  }

  private missing(meeting: number, call: Call, seconds: number): AnemoneError {
    const { segment, size } = this;
    const ranks = Array.from({ length: size }, (_, rank) => rank);
    const isHere = (rank: number) => ((segment.load(rank, WORD.arrived) - meeting) | 0) >= 0;
    const names = (list: readonly number[]) =>
      `rank${list.length > 1 ? 's' : ''} ${list.map((rank) => this.nameOf(rank)).join(', ')}`;
    const absent = ranks.filter((rank) => !isHere(rank));
    const last = absent.map((rank) => {
      const arrived = segment.load(rank, WORD.arrived);
      const place = arrived === 0 ? 'nowhere yet' : `the ${segment.label(rank, arrived & 1)}`;
      return `rank ${this.nameOf(rank)} (process ${segment.load(rank, WORD.process)}) was last at ${place}`;
    });
    const present = names(ranks.filter(isHere));
    return late(
      `${present} waited ${seconds} s at the ${textOf(call)} for ${names(absent)}; ${last.join('; ')}`,
    );
  }

  private reduceShare(dtype: DType, bytes: number, reduction: Reduction): void {
    const width = bytesOf(dtype, 1);
    const share = Math.ceil(bytes / width / this.size / 16) * 16 * width;
    const start = Math.min(bytes, this.rank * share);
    this.reduceRange(dtype, start, Math.min(bytes, start + share), reduction);
  }

  /** Reduces bytes of all slots into the last. */
  private reduceRange(dtype: DType, start: number, end: number, reduction: Reduction): void {
    if (end <= start) return;
    const numbers = (rank: number) => numbersOver(dtype, this.segment.slot(rank).subarray(start, end));
    const parts = Array.from({ length: this.size }, (_, rank) => numbers(rank));
    reduceInto(numbers(this.size), parts, dtype, reduction);
  }

  private nameOf(rank: number): number {
    return this.options.members?.[rank] ?? rank;
  }
}

interface Call {
  readonly label: string;
  readonly dtype: DType;
  readonly bytes: number;
  readonly detail: string;
}

interface Queued {
  readonly run: () => void;
  done: boolean;
}

/** The bytes of a list of tensors one after the other. Reading and writing go on where they were. */
class ByteStream {
  private readAt = { item: 0, byte: 0 };
  private writeAt = { item: 0, byte: 0 };

  constructor(private readonly list: readonly Elements[]) {}

  read(into: Uint8Array): void {
    this.walk(this.readAt, into, readBytes);
  }

  write(bytes: Uint8Array): void {
    this.walk(this.writeAt, bytes, writeBytes);
  }

  private walk(
    at: { item: number; byte: number },
    bytes: Uint8Array,
    copy: (x: Elements, start: number, bytes: Uint8Array) => void,
  ): void {
    let done = 0;
    while (done < bytes.length) {
      const item = this.list[at.item];
      const count = Math.min(bytes.length - done, byteLengthOf(item) - at.byte);
      copy(item, at.byte, bytes.subarray(done, done + count));
      done += count;
      at.byte += count;
      if (at.byte < byteLengthOf(item)) return;
      at.item++;
      at.byte = 0;
    }
  }
}

function numbersOver(dtype: DType, { buffer, byteOffset, byteLength }: Uint8Array): Numbers {
  const array = ARRAYS[dtype];
  return new array(buffer as ArrayBuffer, byteOffset, byteLength / array.BYTES_PER_ELEMENT);
}

const ARRAYS = {
  float32: Float32Array,
  int32: Int32Array,
  bool: Uint8Array,
  uint8: Uint8Array,
  int8: Int8Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
} as const;

function textOf({ label, dtype, bytes }: Call): string {
  return bytes === 0 ? label : `${label} (${bytes / bytesOf(dtype, 1)} of ${dtype})`;
}

function late(message: string): AnemoneError {
  return new AnemoneError({
    code: 'distributed.timeout',
    message,
    hint: 'is it stopped or in an endless loop? trainer.rank_timeout says how long ranks wait for each other',
  });
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h | 0;
}

function tensor(dtype: 'int32' | 'uint8', data: Int32Array | Uint8Array): Elements {
  return { dtype, shape: [data.length], data };
}

function bytesTensor(data: Float64Array): Elements {
  return tensor('uint8', new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}
