// A growing buffer for reading streams by position.

/**
 * Samples (or rows of numbers) that come in pieces, read by their position from the beginning; what is no longer
 * needed is let go.
 */
export class SampleQueue {
  private kept = new Float32Array(0);
  private first = 0;
  private count = 0;

  /** Position after the last. */
  get end(): number {
    return this.first + this.count;
  }

  /** Numbers there is memory for. */
  get room(): number {
    return this.kept.length;
  }

  /** Appends a copy of `values`. */
  push(values: Float32Array): void {
    if (this.count + values.length > this.kept.length) {
      const larger = new Float32Array(Math.max(2 * this.kept.length, this.count + values.length));
      larger.set(this.kept.subarray(0, this.count));
      this.kept = larger;
    }
    this.kept.set(values, this.count);
    this.count += values.length;
  }

  /** A copy of [from, to). */
  read(from: number, to: number): Float32Array {
    if (from < this.first || to > this.end) {
      throw new RangeError(`[${from}, ${to}) is not within [${this.first}, ${this.end})`);
    }
    return this.kept.slice(from - this.first, to - this.first);
  }

  /** What comes before `position` will not be read again. */
  forget(position: number): void {
    const gone = Math.min(Math.max(0, position - this.first), this.count);
    this.kept.copyWithin(0, gone, this.count);
    this.first += gone;
    this.count -= gone;
  }
}
