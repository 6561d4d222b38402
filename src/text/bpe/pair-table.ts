// The merges of byte-pair encoding by their pair of ids: what a pair becomes, and how early it was learned. A hash table in
// typed arrays, since models have half a million of them and each word asks it many times.

/** Pairs of ids, each with its rank and the id it becomes. */
export class PairTable {
  private readonly mask: number;
  /** Four numbers an entry: left id, right id, rank, id of the pair; a left id of -1 is a free place. */
  private readonly entries: Int32Array;

  /** @param count most pairs that will be set */
  constructor(count: number) {
    const places = 2 ** Math.ceil(Math.log2(Math.max(8, 2 * count)));
    this.mask = places - 1;
    this.entries = new Int32Array(4 * places).fill(-1);
  }

  /** Later entries replace earlier ones of the same pair. */
  set(left: number, right: number, rank: number, id: number): void {
    const { entries } = this;
    const place = this.placeOf(left, right);
    entries[place] = left;
    entries[place + 1] = right;
    entries[place + 2] = rank;
    entries[place + 3] = id;
  }

  /** The place of a pair, for `rankAt` and `idAt`; -1 where there is none. */
  find(left: number, right: number): number {
    const place = this.placeOf(left, right);
    return this.entries[place] < 0 ? -1 : place;
  }

  rankAt(place: number): number {
    return this.entries[place + 2];
  }

  idAt(place: number): number {
    return this.entries[place + 3];
  }

  private placeOf(left: number, right: number): number {
    const { entries, mask } = this;
    let hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right + 1, 0x85ebca6b);
    hash ^= hash >>> 15;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const place = 4 * slot;
      if (entries[place] < 0 || (entries[place] === left && entries[place + 1] === right)) return place;
    }
  }
}
