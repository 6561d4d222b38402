// Bytes of elements, be they an array of the host's or memory at an address: copied by libc where an address is one side.

import { type Koffi, koffi, type NativeFunction, openLibrary, type Pointer } from '../engine/index.js';
import { AnemoneError } from '../errors/index.js';
import type { Elements } from './communicator.js';
import { byteLengthOf } from './elements.js';

/** Bytes of an array, whatever its elements are. */
export function bytesOver({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** The address of elements; those of an array stay where they are while the array is reachable. */
export function addressOf(x: Elements): Pointer {
  if ('address' in x) return x.address;
  return x.data.byteLength === 0 ? 0n : native().address(x.data);
}

/** Copies all bytes of `from` over those of `to`. */
export function copyElements(from: Elements, to: Elements): void {
  const bytes = byteLengthOf(from);
  if (bytes === 0) return;
  if ('data' in from && 'data' in to) bytesOver(to.data).set(bytesOver(from.data));
  else memcpy()(addressOf(to), addressOf(from), bytes);
}

/** Copies bytes of elements to an array. */
export function readBytes(from: Elements, start: number, into: Uint8Array): void {
  if (into.length === 0) return;
  if ('data' in from) into.set(bytesOver(from.data).subarray(start, start + into.length));
  else memcpy()(into, from.address + BigInt(start), into.length);
}

/** Copies the bytes of an array over those of elements. */
export function writeBytes(to: Elements, start: number, bytes: Uint8Array): void {
  if (bytes.length === 0) return;
  if ('data' in to) bytesOver(to.data).set(bytes, start);
  else memcpy()(to.address + BigInt(start), bytes, bytes.length);
}

/** Makes all elements 0. */
export function zeroElements(x: Elements): void {
  const bytes = byteLengthOf(x);
  if ('data' in x) bytesOver(x.data).fill(0);
  else if (bytes > 0) memset()(x.address, 0, bytes);
}

let copy: NativeFunction | undefined;
let set: NativeFunction | undefined;

function memset(): NativeFunction {
  set ??= openLibrary(native(), null).func('void *memset(void *, int, size_t)');
  return set;
}

function memcpy(): NativeFunction {
  copy ??= openLibrary(native(), null).func('void *memcpy(void *, const void *, size_t)');
  return copy;
}

/** @throws AnemoneError `distributed.koffi` where it is not installed */
export function native(): Koffi {
  const loaded = koffi();
  if (loaded) return loaded;
  throw new AnemoneError({
    code: 'distributed.koffi',
    message: `several ranks need the package @koromix/koffi-${process.platform}-${process.arch}, and it is not installed`,
    hint: 'install anemone-ml with its optional dependencies, or use trainer.devices=1',
  });
}
