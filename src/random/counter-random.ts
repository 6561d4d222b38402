// Counter-based randomness: a value is a pure function of (seed, keys..., index), never of how many
// values were drawn before. Runs are therefore reproducible, resumable and independent of thread count.

/** 32-bit finaliser of MurmurHash3: every input bit reaches every output bit. */
function mix(x: number): number {
  let h = x | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Folds a key (integer or name) into a state. */
function fold(state: number, key: number | string): number {
  if (typeof key === 'number') {
    const low = key >>> 0;
    const high = Math.floor(key / 2 ** 32) >>> 0;
    return mix(mix(state ^ Math.imul(low, 0x9e3779b1)) + Math.imul(high, 0x85ebca77) + 0x165667b1);
  }
  let h = state;
  for (let i = 0; i < key.length; i++) h = mix(h ^ Math.imul(key.charCodeAt(i) + 1, 0x9e3779b1));
  return mix(h + 0x27d4eb2f);
}

/**
 * A random function of an index. `derive` gives an independent stream per purpose:
 * `new CounterRandom(seed).derive('shuffle', epoch)`.
 */
export class CounterRandom {
  private readonly key0: number;
  private readonly key1: number;

  constructor(seed: number, ...keys: readonly (number | string)[]) {
    let a = fold(0x243f6a88, seed);
    let b = fold(0x13198a2e, seed);
    for (const key of keys) {
      a = fold(a, key);
      b = fold(b ^ a, key);
    }
    this.key0 = a;
    this.key1 = b;
  }

  /**
   * A stream of its own for `keys`, a pure function of this stream's key and of them. Drawing from it changes no
   * other.
   */
  derive(...keys: readonly (number | string)[]): CounterRandom {
    return new CounterRandom(this.key0 * 2 ** 20 + (this.key1 & 0xfffff), ...keys);
  }

  /** 32 random bits as an unsigned integer. */
  bits(index: number): number {
    return mix(mix((index >>> 0) ^ this.key0) + Math.imul(index >>> 0, 0x9e3779b1) + this.key1);
  }

  /** Uniform in [0, 1), 32 bits of resolution. */
  uniform(index: number): number {
    return this.bits(index) / 2 ** 32;
  }

  /** Uniform integer in [0, n). */
  integer(index: number, n: number): number {
    return Math.floor(this.uniform(index) * n);
  }

  /** Standard normal (Box-Muller; uses two counters of its own, so indices do not collide). */
  normal(index: number): number {
    const u = (this.bits(2 * index) + 1) / (2 ** 32 + 1);
    const v = this.bits(2 * index + 1) / 2 ** 32;
    return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v);
  }

  /** A permutation of 0..n-1 (Fisher-Yates). */
  permutation(n: number): Int32Array {
    const order = Int32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.integer(i, i + 1);
      const swap = order[i];
      order[i] = order[j];
      order[j] = swap;
    }
    return order;
  }
}
