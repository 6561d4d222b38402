// Memory that the ranks of one machine share: a file in memory, mapped by each of them. What lies where in it; not what
// ranks say to each other through it.
import { closeSync, existsSync, ftruncateSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLibrary, type Pointer } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import { native } from '../memory.js';

/** Bytes of each rank's part of a collective that lie in the segment at once. */
export const SLOT_BYTES = 2 ** 20;
/** Bytes of a message from one rank to another that lie in the segment at once. */
export const MAIL_BYTES = 2 ** 16;

const HEADER_BYTES = 4096;
/** Of a rank's words and its labels, which no other rank's lie on a cache line with. */
const CONTROL_BYTES = 2048;
const LABEL_BYTES = 448;
const LABELS_AT = 1024;

/** Words of the header. */
const HEADER = { layout: 0, size: 1, ended: 2 } as const;
/** Changes with what lies where. */
const LAYOUT = 0x616e6501;

/** Words of each rank. */
export const WORD = {
  /** Meetings that the rank has come to. */
  arrived: 0,
  /** What it calls there, by even and odd meetings. */
  signature: 1,
  labelLength: 3,
  process: 5,
  /** A message in the rank's mail slot: the receiver plus one, or 0. */
  mailTo: 6,
  mailBytes: 7,
  mailSignature: 8,
} as const;

/** Where the file goes: in memory, where the system has such a place. */
function folder(): string {
  return process.platform === 'linux' && existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
}

export function segmentBytes(size: number): number {
  return HEADER_BYTES + size * (CONTROL_BYTES + SLOT_BYTES + MAIL_BYTES) + SLOT_BYTES;
}

let made = 0;

/**
 * Makes the file of a segment for `size` ranks and returns its path.
 * @throws AnemoneError `distributed.shared-memory` where there is no room for it, and on Windows
 */
export function createSegment(size: number): string {
  if (process.platform === 'win32') {
    throw new AnemoneError({
      code: 'distributed.shared-memory',
      path: 'trainer.devices',
      message:
        'several ranks on one machine need memory that processes share, which Windows does not have here',
      hint: 'use devices: 1, which uses all cores',
    });
  }
  const path = join(folder(), `anemone-${process.pid}-${++made}-${Math.trunc(performance.timeOrigin)}`);
  const file = openSync(path, 'wx', 0o600);
  try {
    const bytes = segmentBytes(size);
    ftruncateSync(file, bytes);
    // Written, not only sized: a full file system shows here, and not as a bus error in the middle of a step.
    const zeros = new Uint8Array(SLOT_BYTES);
    for (let at = 0; at < bytes; at += zeros.length) {
      writeSync(file, zeros, 0, Math.min(zeros.length, bytes - at), at);
    }
    writeSync(file, new Uint8Array(Int32Array.of(LAYOUT, size).buffer), 0, 8, 0);
  } catch (cause) {
    removeSegment(path);
    throw unusable(path, cause);
  } finally {
    closeSync(file);
  }
  return path;
}

/** Removes the file; those who have mapped it keep its memory. */
export function removeSegment(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Another rank has.
  }
}

/** Says from outside that the job has ended. @param file the segment's, opened before its ranks removed it */
export function markEnded(file: number, exitCode: number): void {
  writeSync(file, new Uint8Array(Int32Array.of(exitCode + 1).buffer), 0, 4, 4 * HEADER.ended);
}

const PROTECTION_READ_WRITE = 3;
const MAP_SHARED = 1;

/** A mapped segment. */
export class Segment {
  private readonly words: Int32Array;
  private readonly bytes: Uint8Array;
  private readonly address: Pointer;

  constructor(
    readonly path: string,
    readonly size: number,
  ) {
    const koffi = native();
    const libc = openLibrary(koffi, null);
    const mmap = libc.func('void *mmap(void *, size_t, int, int, int, int64_t)');
    const length = segmentBytes(size);
    const file = openSync(path, 'r+');
    this.address = mmap(null, length, PROTECTION_READ_WRITE, MAP_SHARED, file, 0) as Pointer;
    closeSync(file);
    if (BigInt.asUintN(64, this.address) === 2n ** 64n - 1n) throw unusable(path, new Error('mmap failed'));
    const memory = koffi.view(this.address, length);
    this.words = new Int32Array(memory);
    this.bytes = new Uint8Array(memory);
    if (this.words[HEADER.layout] !== LAYOUT || this.words[HEADER.size] !== size) {
      throw unusable(path, new Error('it is not the memory of this job'));
    }
  }

  /** 0 while the job goes on; else its exit code plus one. */
  get ended(): number {
    return Atomics.load(this.words, HEADER.ended);
  }

  end(exitCode: number): void {
    Atomics.compareExchange(this.words, HEADER.ended, 0, exitCode + 1);
  }

  load(rank: number, word: number): number {
    return Atomics.load(this.words, this.control(rank) / 4 + word);
  }

  store(rank: number, word: number, value: number): void {
    Atomics.store(this.words, this.control(rank) / 4 + word, value);
  }

  /** @param parity of the meeting that the label belongs to */
  setLabel(rank: number, parity: number, label: string): void {
    const { written } = new TextEncoder().encodeInto(label, this.labelBytes(rank, parity));
    this.store(rank, WORD.labelLength + parity, written);
  }

  label(rank: number, parity: number): string {
    const length = this.load(rank, WORD.labelLength + parity);
    return new TextDecoder().decode(this.labelBytes(rank, parity).slice(0, length));
  }

  /** Memory of a rank's part of a collective; that of `size` is for what is reduced. */
  slot(rank: number): Uint8Array {
    const start = HEADER_BYTES + this.size * CONTROL_BYTES + rank * SLOT_BYTES;
    return this.bytes.subarray(start, start + SLOT_BYTES);
  }

  /** Memory of a rank's message. */
  mail(rank: number): Uint8Array {
    const start = HEADER_BYTES + this.size * CONTROL_BYTES + (this.size + 1) * SLOT_BYTES + rank * MAIL_BYTES;
    return this.bytes.subarray(start, start + MAIL_BYTES);
  }

  private labelBytes(rank: number, parity: number): Uint8Array {
    const start = this.control(rank) + LABELS_AT + parity * LABEL_BYTES;
    return this.bytes.subarray(start, start + LABEL_BYTES);
  }

  private control(rank: number): number {
    return HEADER_BYTES + rank * CONTROL_BYTES;
  }
}

function unusable(path: string, cause: unknown): AnemoneError {
  return new AnemoneError({
    code: 'distributed.shared-memory',
    message: `memory for the ranks to share cannot be had: ${cause instanceof Error ? cause.message : String(cause)}`,
    position: { file: path },
    hint: 'make room there (docker run --shm-size=1g)',
    cause,
  });
}
