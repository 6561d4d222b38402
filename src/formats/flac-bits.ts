// Reads bits, most significant first, from a FLAC stream, with the two checksums FLAC uses.
// Running past the end is reported by `overrun`, checked once a frame, so that the hot paths stay short.

export class FlacBits {
  /** Position in bits of what `cache` holds is implied by `next` and `cached`. */
  private cache = 0;
  private cached = 0;
  private next: number;

  constructor(
    private readonly bytes: Uint8Array,
    start = 0,
  ) {
    this.next = start;
  }

  /** Whether more bits were asked for than there are. */
  get overrun(): boolean {
    return this.next - (this.cached >> 3) > this.bytes.length;
  }

  /** Byte position; whole bytes only. */
  get bytePosition(): number {
    return this.next - (this.cached >> 3);
  }

  /** Drops the bits up to the next byte boundary. */
  align(): void {
    this.cached -= this.cached % 8;
  }

  /** `n` unsigned bits, 0 <= n <= 32. */
  unsigned(n: number): number {
    if (n > 24) return this.unsigned(n - 16) * 65536 + this.unsigned(16);
    if (n === 0) return 0;
    while (this.cached < n) {
      // Beyond the end zeros come in; `overrun` tells.
      this.cache = ((this.cache << 8) | (this.bytes[this.next++] | 0)) >>> 0;
      this.cached += 8;
    }
    this.cached -= n;
    return (this.cache >>> this.cached) & ((1 << n) - 1);
  }

  /** `n` bits in two's complement, 1 <= n <= 33. */
  signed(n: number): number {
    if (n > 32) {
      const high = this.unsigned(n - 32);
      return (high === 1 ? -(2 ** 32) : 0) + this.unsigned(32);
    }
    const value = this.unsigned(n);
    return value >= 2 ** (n - 1) ? value - 2 ** n : value;
  }

  /** Zeros before the next one bit; the one is consumed. -1 when the stream ends first. */
  unary(): number {
    let zeros = 0;
    for (;;) {
      const rest = this.cached === 0 ? 0 : (this.cache << (32 - this.cached)) >>> 0;
      if (rest !== 0) {
        const leading = Math.clz32(rest);
        this.cached -= leading + 1;
        return zeros + leading;
      }
      zeros += this.cached;
      if (this.next >= this.bytes.length) {
        this.next = this.bytes.length + 1; // makes `overrun` true
        this.cached = 0;
        return -1;
      }
      this.cache = this.bytes[this.next++];
      this.cached = 8;
    }
  }

  /**
   * `count` Rice-coded residuals with parameter `k` into `out` from `at`. Most of the time of decoding goes
   * here, so the state lives in local variables and three bytes are taken at a time.
   */
  rice(k: number, out: Float64Array, at: number, count: number): void {
    const { bytes } = this;
    let { cache, cached, next } = this;
    const safe = bytes.length - 8; // five bytes a value at most are taken without asking
    const end = at + count;
    const mask = 2 ** k - 1;
    // Quotients below this keep the whole value within 31 bits.
    const small = 2 ** Math.max(0, 30 - k);
    let i = at;
    for (; i < end && next < safe && k <= 16; i++) {
      let quotient = 0;
      let markFound = false;
      while (!markFound) {
        const rest = cached === 0 ? 0 : cache << (32 - cached);
        if (rest !== 0) {
          const leading = Math.clz32(rest);
          cached -= leading + 1;
          quotient += leading;
          markFound = true;
          continue;
        }
        quotient += cached;
        cached = 0;
        if (next >= safe) break;
        cache = (bytes[next] << 16) | (bytes[next + 1] << 8) | bytes[next + 2];
        next += 3;
        cached = 24;
      }
      if (!markFound) {
        // The run of zeros reached the last bytes: the careful path below goes on from its start.
        next -= quotient >> 3;
        cached = quotient & 7;
        cache = 0;
        break;
      }
      if (cached < k) {
        // At most 16 bits are wanted and each pass brings at least 8, so there are two passes at most.
        cache = (cache << 8) | bytes[next++];
        cached += 8;
        if (cached < k) {
          cache = (cache << 8) | bytes[next++];
          cached += 8;
        }
      }
      cached -= k;
      const low = (cache >>> cached) & mask;
      if (quotient < small) {
        const value = (quotient << k) | low;
        out[i] = (value >>> 1) ^ -(value & 1);
      } else out[i] = unfold(quotient * 2 ** k + low);
    }
    this.cache = cache >>> 0;
    this.cached = cached;
    this.next = next;
    for (; i < end; i++) {
      const quotient = this.unary();
      if (quotient < 0) return;
      out[i] = unfold(quotient * 2 ** k + this.unsigned(k));
    }
  }
}

/** 0, 1, 2, 3, 4 to 0, -1, 1, -2, 2. */
function unfold(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

const CRC8 = table(8, 0x07);
const CRC16 = table(16, 0x8005);

function table(width: number, polynomial: number): Uint16Array {
  const top = 1 << (width - 1);
  const mask = 2 ** width - 1;
  return Uint16Array.from({ length: 256 }, (_, byte) => {
    let crc = byte << (width - 8);
    for (let bit = 0; bit < 8; bit++) crc = crc & top ? ((crc << 1) ^ polynomial) & mask : (crc << 1) & mask;
    return crc;
  });
}

/** Checksum of a frame header. */
export function flacCrc8(bytes: Uint8Array, start: number, end: number): number {
  let crc = 0;
  for (let i = start; i < end; i++) crc = CRC8[crc ^ bytes[i]];
  return crc;
}

/** Checksum of a whole frame. */
export function flacCrc16(bytes: Uint8Array, start: number, end: number): number {
  let crc = 0;
  for (let i = start; i < end; i++) crc = ((crc << 8) & 0xffff) ^ CRC16[(crc >> 8) ^ bytes[i]];
  return crc;
}
