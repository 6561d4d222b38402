// The protobuf wire format, hand-sized: a writer and a reader of tagged fields. Message layouts live with
// the formats that use them (ONNX graphs, SentencePiece models, TensorBoard events). This is no schema
// compiler, and groups (wire types 3 and 4, long deprecated) are not written.
import { AnemoneError } from '../errors/index.js';

const utf8Encoder = new TextEncoder();
// A byte order mark may be the first character of a piece.
const utf8Decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** The wire types of a tag's low three bits. */
export const WireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/**
 * Appends fields to one growing buffer; nested messages are written in place and their length is put in
 * front afterwards, so a message of hundreds of megabytes is copied at most once per nesting level.
 * Values equal to proto3 defaults are written too: leave a field out by not calling.
 */
export class ProtoWriter {
  private buffer: Uint8Array;
  private view: DataView;
  private length = 0;

  constructor(initialCapacity = 256) {
    this.buffer = new Uint8Array(Math.max(16, initialCapacity));
    this.view = new DataView(this.buffer.buffer);
  }

  /** The bytes written so far, as a copy trimmed to size. */
  finish(): Uint8Array {
    return this.buffer.slice(0, this.length);
  }

  /** Bytes written so far. */
  get size(): number {
    return this.length;
  }

  /** int32, int64 and enum fields: negative numbers take ten bytes, as the format wants. */
  int64(field: number, value: number | bigint): this {
    this.tag(field, WireType.varint);
    this.varint(value);
    return this;
  }

  /** A varint; negative numbers take ten bytes, as protobuf wants it. */
  int32(field: number, value: number): this {
    return this.int64(field, value);
  }

  /** A varint. Give a bigint above 2^53. */
  uint64(field: number, value: number | bigint): this {
    return this.int64(field, value);
  }

  /** sint32 and sint64 fields (zigzag). */
  sint64(field: number, value: number | bigint): this {
    const v = BigInt(value);
    this.tag(field, WireType.varint);
    this.varint(v >= 0n ? v << 1n : (-v << 1n) - 1n);
    return this;
  }

  /** A varint of 0 or 1. */
  bool(field: number, value: boolean): this {
    return this.int64(field, value ? 1 : 0);
  }

  /** A float32 of four bytes, little-endian. */
  float(field: number, value: number): this {
    this.tag(field, WireType.fixed32);
    this.reserve(4);
    this.view.setFloat32(this.length, value, true);
    this.length += 4;
    return this;
  }

  /** A float64 of eight bytes, little-endian. */
  double(field: number, value: number): this {
    this.tag(field, WireType.fixed64);
    this.reserve(8);
    this.view.setFloat64(this.length, value, true);
    this.length += 8;
    return this;
  }

  /** An unsigned integer of four bytes, little-endian. */
  fixed32(field: number, value: number): this {
    this.tag(field, WireType.fixed32);
    this.reserve(4);
    this.view.setUint32(this.length, value >>> 0, true);
    this.length += 4;
    return this;
  }

  /** An unsigned integer of eight bytes, little-endian. */
  fixed64(field: number, value: number | bigint): this {
    this.tag(field, WireType.fixed64);
    this.reserve(8);
    this.view.setBigUint64(this.length, BigInt.asUintN(64, BigInt(value)), true);
    this.length += 8;
    return this;
  }

  /** A length and the bytes themselves, copied. */
  bytes(field: number, value: Uint8Array): this {
    this.tag(field, WireType.bytes);
    this.varint(value.length);
    this.raw(value);
    return this;
  }

  /** A length and the text in UTF-8. */
  string(field: number, value: string): this {
    return this.bytes(field, utf8Encoder.encode(value));
  }

  /** A nested message; `write` fills it through the same writer. */
  message(field: number, write: (writer: ProtoWriter) => void): this {
    this.tag(field, WireType.bytes);
    return this.lengthPrefixed(() => write(this));
  }

  /** Repeated int32/int64/uint64/enum/bool in packed form. */
  packedInt64(field: number, values: Iterable<number | bigint>): this {
    this.tag(field, WireType.bytes);
    return this.lengthPrefixed(() => {
      for (const value of values) this.varint(value);
    });
  }

  /** A repeated float32 field in packed form: all values under one tag. */
  packedFloat(field: number, values: ArrayLike<number>): this {
    this.tag(field, WireType.bytes);
    this.varint(values.length * 4);
    this.reserve(values.length * 4);
    for (let i = 0; i < values.length; i++, this.length += 4) {
      this.view.setFloat32(this.length, values[i], true);
    }
    return this;
  }

  /** A repeated float64 field in packed form: all values under one tag. */
  packedDouble(field: number, values: ArrayLike<number>): this {
    this.tag(field, WireType.bytes);
    this.varint(values.length * 8);
    this.reserve(values.length * 8);
    for (let i = 0; i < values.length; i++, this.length += 8) {
      this.view.setFloat64(this.length, values[i], true);
    }
    return this;
  }

  /** Bytes without a tag: an already encoded message, appended as it is. */
  raw(value: Uint8Array): this {
    this.reserve(value.length);
    this.buffer.set(value, this.length);
    this.length += value.length;
    return this;
  }

  private tag(field: number, wireType: number): void {
    this.varint(field * 8 + wireType);
  }

  private varint(value: number | bigint): void {
    this.reserve(10);
    if (typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER) {
      let rest = Math.trunc(value);
      while (rest >= 128) {
        this.buffer[this.length++] = (rest % 128) | 128;
        rest = Math.floor(rest / 128);
      }
      this.buffer[this.length++] = rest;
      return;
    }
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest >= 128n) {
      this.buffer[this.length++] = Number(rest & 127n) | 128;
      rest >>= 7n;
    }
    this.buffer[this.length++] = Number(rest);
  }

  /** Writes a body, then moves it up by the width of its length. */
  private lengthPrefixed(write: () => void): this {
    const start = this.length;
    write();
    const size = this.length - start;
    let width = 1;
    for (let rest = size; rest >= 128; rest = Math.floor(rest / 128)) width++;
    this.reserve(width);
    this.buffer.copyWithin(start + width, start, this.length);
    this.length = start;
    this.varint(size);
    this.length = start + width + size;
    return this;
  }

  private reserve(extraBytes: number): void {
    const neededLength = this.length + extraBytes;
    if (neededLength <= this.buffer.length) return;
    const grown = new Uint8Array(Math.max(neededLength, this.buffer.length * 2));
    grown.set(this.buffer.subarray(0, this.length));
    this.buffer = grown;
    this.view = new DataView(grown.buffer);
  }
}

/**
 * Walks the fields of one message: `while (reader.next()) switch (reader.field) { case 1: ... }`.
 * A field that is not read is skipped by the following `next()`. Throws `protobuf.corrupt`.
 */
export class ProtoReader {
  /** Number of the current field. */
  field = 0;
  /** Wire type of the current field. */
  wireType = 0;
  private position: number;
  private readonly end: number;
  private readonly view: DataView;
  private consumed = true;

  constructor(private readonly buffer: Uint8Array) {
    this.position = 0;
    this.end = buffer.length;
    this.view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  }

  /** Moves to the next field; false at the end of the message. */
  next(): boolean {
    if (!this.consumed) this.skip();
    if (this.position >= this.end) return false;
    const tag = this.readVarint();
    this.field = Math.floor(tag / 8);
    this.wireType = tag % 8;
    this.consumed = false;
    if (this.field === 0) throw this.corrupt('field number 0');
    return true;
  }

  /** int32, int64, enum: as a number; throws when it does not fit 53 bits. */
  int64(): number {
    const value = this.bigint();
    const signed = BigInt.asIntN(64, value);
    const result = Number(signed);
    if (!Number.isSafeInteger(result)) throw this.corrupt(`integer ${signed} does not fit a number`);
    return result;
  }

  /**
   * A varint as a signed 32-bit integer.
   * @throws AnemoneError `protobuf.corrupt` as all readers of fields
   */
  int32(): number {
    return this.int64() | 0;
  }

  /** A varint as a number; exact up to 2^53. */
  uint64(): number {
    this.expect(WireType.varint);
    return this.readVarint();
  }

  /** A zigzag-coded varint as a signed number; exact up to 2^53. */
  sint64(): number {
    const value = this.bigint();
    return Number((value >> 1n) ^ -(value & 1n));
  }

  /** A varint as true or false. */
  bool(): boolean {
    return this.bigint() !== 0n;
  }

  /** A varint of any kind, as 64 unsigned bits. */
  bigint(): bigint {
    this.expect(WireType.varint);
    return this.readVarint64();
  }

  /** A float32 of four bytes. */
  float(): number {
    this.expect(WireType.fixed32);
    return this.view.getFloat32(this.take(4), true);
  }

  /** A float64 of eight bytes. */
  double(): number {
    this.expect(WireType.fixed64);
    return this.view.getFloat64(this.take(8), true);
  }

  /** An unsigned integer of four bytes. */
  fixed32(): number {
    this.expect(WireType.fixed32);
    return this.view.getUint32(this.take(4), true);
  }

  /** An unsigned integer of eight bytes. */
  fixed64(): bigint {
    this.expect(WireType.fixed64);
    return this.view.getBigUint64(this.take(8), true);
  }

  /** A view into the message, not a copy. */
  bytes(): Uint8Array {
    this.expect(WireType.bytes);
    const size = this.readVarint();
    const start = this.take(size);
    return this.buffer.subarray(start, start + size);
  }

  /** A text in UTF-8. */
  string(): string {
    return utf8Decoder.decode(this.bytes());
  }

  /** A reader of the nested message at the current field. */
  message(): ProtoReader {
    return new ProtoReader(this.bytes());
  }

  /** Repeated integers, packed or a single element of the unpacked form: appends to `into`. */
  packedInt64(into: number[] = []): number[] {
    if (this.wireType === WireType.varint) {
      into.push(this.int64());
      return into;
    }
    const packedFields = this.message();
    while (packedFields.position < packedFields.end)
      into.push(Number(BigInt.asIntN(64, packedFields.readVarint64())));
    return into;
  }

  /** Repeated floats, packed or a single element of the unpacked form: appends to `into`. */
  packedFloat(into: number[] = []): number[] {
    if (this.wireType === WireType.fixed32) {
      into.push(this.float());
      return into;
    }
    const packedFields = this.message();
    while (packedFields.position < packedFields.end)
      into.push(packedFields.view.getFloat32(packedFields.take(4), true));
    return into;
  }

  /** Passes over the current field's value. */
  skip(): void {
    this.consumed = true;
    if (this.wireType === WireType.varint) this.readVarint64();
    else if (this.wireType === WireType.fixed64) this.take(8);
    else if (this.wireType === WireType.fixed32) this.take(4);
    else if (this.wireType === WireType.bytes) this.take(this.readVarint());
    else throw this.corrupt(`wire type ${this.wireType}`);
  }

  private expect(wireType: number): void {
    if (this.wireType !== wireType) {
      throw this.corrupt(`field ${this.field} has wire type ${this.wireType}, expected ${wireType}`);
    }
    this.consumed = true;
  }

  private take(size: number): number {
    const start = this.position;
    if (size > this.end - start) throw this.corrupt(`field ${this.field} runs past the end`);
    this.position = start + size;
    return start;
  }

  /** A varint as a number (unsigned; exact up to 2^53). */
  private readVarint(): number {
    let result = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      const byte = this.buffer[this.take(1)];
      result += (byte & 127) * scale;
      if (byte < 128) return result;
      scale *= 128;
    }
    throw this.corrupt('varint longer than ten bytes');
  }

  private readVarint64(): bigint {
    const start = this.position;
    const value = this.readVarint();
    if (this.position - start <= 7) return BigInt(value);
    let exactValue = 0n;
    for (let i = this.position - 1; i >= start; i--)
      exactValue = (exactValue << 7n) | BigInt(this.buffer[i] & 127);
    return BigInt.asUintN(64, exactValue);
  }

  private corrupt(what: string): AnemoneError {
    return new AnemoneError({
      code: 'protobuf.corrupt',
      message: `not a valid protobuf message: ${what} at byte ${this.position}`,
    });
  }
}
