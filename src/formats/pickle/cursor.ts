// Reads the arguments of pickle opcodes; a pickle that ends too early is an error, not undefined bytes.
import { AnemoneError } from '../../errors/index.js';

/** Python integers of any length exist; no honest weight file has one of this many bytes. */
const MAX_LONG_BYTES = 1024;

export class PickleCursor {
  private readonly view: DataView;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly file: string,
    public position = 0,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  fail(kind: 'truncated' | 'corrupt' | 'forbidden', message: string, hint?: string): AnemoneError {
    return new AnemoneError({
      code: `pickle.${kind}`,
      message: `${message} (byte ${this.position} of the pickle)`,
      position: { file: this.file },
      hint,
    });
  }

  take(length: number): Uint8Array {
    if (!(length >= 0 && length <= this.bytes.length - this.position)) {
      throw this.fail('truncated', 'the pickle ends in the middle of a value');
    }
    this.position += length;
    return this.bytes.subarray(this.position - length, this.position);
  }

  private at(length: number): number {
    this.take(length);
    return this.position - length;
  }

  uint8(): number {
    return this.view.getUint8(this.at(1));
  }

  uint16(): number {
    return this.view.getUint16(this.at(2), true);
  }

  int32(): number {
    return this.view.getInt32(this.at(4), true);
  }

  uint32(): number {
    return this.view.getUint32(this.at(4), true);
  }

  /** A length in eight bytes. */
  size64(): number {
    return Number(this.view.getBigUint64(this.at(8), true));
  }

  /** Big-endian, as pickle has it. */
  float64(): number {
    return this.view.getFloat64(this.at(8), false);
  }

  line(): string {
    const end = this.bytes.indexOf(0x0a, this.position);
    if (end < 0) throw this.fail('truncated', 'the pickle ends in the middle of a line');
    const text = latin1(this.take(end - this.position));
    this.position++;
    return text;
  }

  utf8(length: number): string {
    return new TextDecoder().decode(this.take(length));
  }

  latin1(length: number): string {
    return latin1(this.take(length));
  }

  /** Two's complement, little-endian, of `length` bytes. */
  long(length: number): number | bigint {
    if (length > MAX_LONG_BYTES)
      throw this.fail('corrupt', `an integer of ${length} bytes is not believable`);
    let value = 0n;
    const bytes = this.take(length);
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]);
    if (length > 0 && bytes[length - 1] >= 0x80) value -= 1n << BigInt(8 * length);
    return narrow(value);
  }

  /** A decimal integer, as protocol 0 writes it. */
  decimal(text: string): number | bigint {
    if (!/^[-+]?\d+$/.test(text) || text.length > 2 * MAX_LONG_BYTES) {
      throw this.fail('corrupt', 'not a decimal integer');
    }
    return narrow(BigInt(text));
  }
}

function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
