// A double-array trie over bytes in the unit layout of darts-clone, which SentencePiece embeds in its model
// files. Looking up reads the array as it lies in the file; building also merges equal subtrees, without
// which the NFKC map would be ten times larger. Keys are byte strings without zero bytes.
//
// A unit: bits 0-7 label, bit 8 "a value hangs below", bit 9 "offset is in steps of 256", bits 10-30 offset;
// bit 31 marks a value unit (its low 31 bits are the value), which can thus never look like a label.
import { AnemoneError } from '../../errors/index.js';

const LABEL_MASK = 0x800000ff | 0;
/** A unit nobody uses: no label equals it, so lookups stop there. */
const UNUSED = 0x80000000 | 0;

/** Distance (xor) from a unit to its children's base. */
export function unitOffset(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}

export class DoubleArray {
  /** Length in bytes of the last `longestPrefix` match; 0 when there was none. */
  matchedLength = 0;
  /** Value of the last `longestPrefix` match. */
  matchedValue = 0;
  readonly units: Int32Array;
  /** Children's base of the root. */
  readonly rootBase: number;

  constructor(units: Int32Array) {
    this.units = units;
    this.rootBase = units.length === 0 ? 0 : unitOffset(units[0]);
  }

  /** Finds the longest key that is a prefix of `bytes[start, end)`; the answer is left in the two fields. */
  longestPrefix(bytes: Uint8Array, start: number, end: number): boolean {
    const { units } = this;
    this.matchedLength = 0;
    let base = this.rootBase;
    for (let i = start; i < end; i++) {
      const at = base ^ bytes[i];
      const unit = units[at];
      if (unit === undefined || (unit & LABEL_MASK) !== bytes[i]) break;
      base = at ^ unitOffset(unit);
      if (unit & 0x100) {
        this.matchedLength = i + 1 - start;
        this.matchedValue = units[base] & 0x7fffffff;
      }
    }
    return this.matchedLength > 0;
  }

  /** The array as little-endian bytes, the form files hold. */
  toBytes(): Uint8Array {
    const bytes = new Uint8Array(this.units.length * 4);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < this.units.length; i++) view.setInt32(i * 4, this.units[i], true);
    return bytes;
  }

  static fromBytes(bytes: Uint8Array): DoubleArray {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const units = new Int32Array(bytes.length >>> 2);
    for (let i = 0; i < units.length; i++) units[i] = view.getInt32(i * 4, true);
    return new DoubleArray(units);
  }

  /**
   * Builds a trie. `entries` need not be sorted; equal keys are an error. `share` merges equal subtrees,
   * which costs time and pays when many keys have the same value.
   */
  static build(entries: Iterable<readonly [Uint8Array, number]>, share = false): DoubleArray {
    const sortedEntries = [...entries].sort((a, b) => compareBytes(a[0], b[0]));
    const root = buildTrie(sortedEntries, share);
    return new DoubleArray(new Placement().place(root));
  }
}

export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}

/** Children in ascending label order; `value` is -1 for none and then takes no part. */
interface TrieNode {
  readonly id: number;
  readonly value: number;
  readonly labels: readonly number[];
  readonly children: readonly TrieNode[];
  /** Place of the children, once they are placed. */
  base: number;
}

function buildTrie(entries: readonly (readonly [Uint8Array, number])[], share: boolean): TrieNode {
  const knownNodes = new Map<string, TrieNode>();
  let count = 0;
  const build = (from: number, to: number, depth: number): TrieNode => {
    let value = -1;
    let i = from;
    if (i < to && entries[i][0].length === depth) {
      value = entries[i][1];
      i++;
      if (i < to && entries[i][0].length === depth) {
        throw new AnemoneError({ code: 'trie.duplicate-key', message: 'a key occurs twice' });
      }
    }
    const labels: number[] = [];
    const children: TrieNode[] = [];
    while (i < to) {
      const label = entries[i][0][depth];
      let j = i + 1;
      while (j < to && entries[j][0][depth] === label) j++;
      labels.push(label);
      children.push(build(i, j, depth + 1));
      i = j;
    }
    if (!share) return { id: count++, value, labels, children, base: -1 };
    let signature = `${value}`;
    for (let k = 0; k < labels.length; k++) signature += `,${labels[k]}:${children[k].id}`;
    let node = knownNodes.get(signature);
    if (node === undefined) {
      node = { id: count++, value, labels, children, base: -1 };
      knownNodes.set(signature, node);
    }
    return node;
  };
  return build(0, entries.length, 0);
}

/** Finds every node's children a base in the array, first fit within the most recent blocks. */
class Placement {
  private units = new Int32Array(1 << 12).fill(UNUSED);
  private taken = new Uint8Array(1 << 12);
  private usedAsBase = new Uint8Array(1 << 12);
  private next = new Int32Array(1 << 12);
  private previous = new Int32Array(1 << 12);
  private size = 0;
  private firstFree = -1;
  private lastFree = -1;
  /** Older blocks are nearly full: looking there costs more than it saves. */
  private static readonly openBlocks = 16;

  place(root: TrieNode): Int32Array {
    this.extend();
    this.take(0);
    this.units[0] = 0;
    this.usedAsBase[0] = 1; // else a zero byte in a text would lead back to the root
    const stack: (readonly [TrieNode, number])[] = [[root, 0]];
    while (stack.length > 0) {
      const [node, at] = stack.pop() as readonly [TrieNode, number];
      if (node.base >= 0 && encodable(node.base ^ at)) {
        this.setOffset(at, node.base ^ at);
        continue;
      }
      const labels = node.value < 0 ? node.labels : [0, ...node.labels];
      if (labels.length === 0) continue;
      const base = this.findBase(labels, at);
      node.base = base;
      this.usedAsBase[base] = 1;
      this.setOffset(at, base ^ at);
      for (const label of labels) this.take(base ^ label);
      if (node.value >= 0) this.units[base] = node.value | UNUSED;
      for (let i = node.labels.length - 1; i >= 0; i--) {
        const child = base ^ node.labels[i];
        this.units[child] = node.labels[i] | (node.children[i].value >= 0 ? 0x100 : 0);
        stack.push([node.children[i], child]);
      }
    }
    return this.units.slice(0, this.size);
  }

  private findBase(labels: readonly number[], parent: number): number {
    for (;;) {
      for (let slot = this.firstFree; slot >= 0; slot = this.next[slot]) {
        const base = slot ^ labels[0];
        if (this.usedAsBase[base] || !encodable(base ^ parent)) continue;
        let fits = true;
        for (let i = 1; fits && i < labels.length; i++) fits = this.taken[base ^ labels[i]] === 0;
        if (fits) return base;
      }
      this.extend();
    }
  }

  private setOffset(at: number, offset: number): void {
    this.units[at] |= offset < 1 << 21 ? offset << 10 : (offset << 2) | 0x200;
  }

  private take(slot: number): void {
    this.taken[slot] = 1;
    this.unlink(slot);
  }

  private unlink(slot: number): void {
    const before = this.previous[slot];
    const after = this.next[slot];
    if (before === -2) return; // already out of the list
    if (before >= 0) this.next[before] = after;
    else this.firstFree = after;
    if (after >= 0) this.previous[after] = before;
    else this.lastFree = before;
    this.previous[slot] = -2;
  }

  private extend(): void {
    const start = this.size;
    this.size += 256;
    if (this.size >= 1 << 29) {
      throw new AnemoneError({ code: 'trie.too-large', message: 'the trie has too many nodes' });
    }
    if (this.size > this.units.length) this.grow();
    for (let slot = start; slot < this.size; slot++) {
      this.previous[slot] = this.lastFree;
      this.next[slot] = -1;
      if (this.lastFree >= 0) this.next[this.lastFree] = slot;
      else this.firstFree = slot;
      this.lastFree = slot;
    }
    const closing = start - Placement.openBlocks * 256;
    if (closing >= 0) for (let slot = closing; slot < closing + 256; slot++) this.unlink(slot);
  }

  private grow(): void {
    const oldLength = this.units.length;
    const larger = <T extends Int32Array | Uint8Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    this.units = larger(this.units, new Int32Array(oldLength * 2).fill(UNUSED, oldLength));
    this.taken = larger(this.taken, new Uint8Array(oldLength * 2));
    this.usedAsBase = larger(this.usedAsBase, new Uint8Array(oldLength * 2));
    this.next = larger(this.next, new Int32Array(oldLength * 2));
    this.previous = larger(this.previous, new Int32Array(oldLength * 2));
  }
}

function encodable(offset: number): boolean {
  return offset < 1 << 21 || ((offset & 0xff) === 0 && offset < 1 << 29);
}
