// A row of ids that grows: texts become millions of them, at 4 bytes each.

/** Doubles its memory as it grows. */
export class IdBuffer {
  length = 0;
  private data = new Int32Array(1024);

  /** Adds an id. */
  push(id: number): void {
    if (this.length === this.data.length) this.grow(this.length + 1);
    this.data[this.length++] = id;
  }

  /** Adds ids. */
  pushAll(ids: ArrayLike<number>): void {
    if (this.length + ids.length > this.data.length) this.grow(this.length + ids.length);
    this.data.set(ids, this.length);
    this.length += ids.length;
  }

  /** What has been put in; overwritten when more is. */
  view(): Int32Array {
    return this.data.subarray(0, this.length);
  }

  /** Forgets them; the memory stays. */
  clear(): void {
    this.length = 0;
  }

  private grow(needed: number): void {
    const larger = new Int32Array(Math.max(needed, 2 * this.data.length));
    larger.set(this.data.subarray(0, this.length));
    this.data = larger;
  }
}
