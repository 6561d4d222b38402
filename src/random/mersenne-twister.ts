// NumPy's RandomState: the Mersenne Twister (Matsumoto and Nishimura 1998) with the draws of its first releases. Orders of
// data that others have drawn with it come out the same; everything of our own is drawn by CounterRandom.

const N = 624;
const M = 397;

/** `numpy.random.RandomState(seed)`: equal seeds give equal numbers. */
export class MersenneTwister {
  private readonly state = new Uint32Array(N);
  private at = N;

  /** @param seed its lowest 32 bits count */
  constructor(seed: number) {
    const { state } = this;
    state[0] = seed >>> 0;
    for (let i = 1; i < N; i++) {
      const previous = state[i - 1] ^ (state[i - 1] >>> 30);
      state[i] = Math.imul(1812433253, previous) + i;
    }
  }

  /** 32 random bits. */
  uint32(): number {
    if (this.at === N) this.twist();
    let y = this.state[this.at++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  /** `random_sample()`: uniform in [0, 1), 53 bits. */
  random(): number {
    const [high, low] = [this.uint32() >>> 5, this.uint32() >>> 6];
    return (high * 67108864 + low) / 9007199254740992;
  }

  /** A whole number from 0 to `most`: bits under a mask, drawn again where they are too large. */
  upTo(most: number): number {
    if (most === 0) return 0;
    const mask = most >= 0x80000000 ? 0xffffffff : 2 ** Math.ceil(Math.log2(most + 1)) - 1;
    for (;;) {
      const value = (this.uint32() & mask) >>> 0;
      if (value <= most) return value;
    }
  }

  /** `shuffle` in place: Fisher and Yates from the end. Fewer than 2^32 entries. */
  shuffle(values: Int32Array | Uint32Array): void {
    for (let i = values.length - 1; i > 0; i--) {
      const j = this.upTo(i);
      const value = values[i];
      values[i] = values[j];
      values[j] = value;
    }
  }

  private twist(): void {
    const { state } = this;
    for (let i = 0; i < N; i++) {
      const y = (state[i] & 0x80000000) | (state[(i + 1) % N] & 0x7fffffff);
      state[i] = state[(i + M) % N] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.at = 0;
  }
}
