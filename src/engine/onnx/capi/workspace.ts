// The memory that the programs of an engine compute in, one after the other: as large as the largest of them needs.

/** A block that one run has to itself. */
export interface Workspace {
  /** A block of at least so many bytes. Runs that overlap get different ones. */
  take(bytes: number): ArrayBuffer;
  /** Call when the run has ended. */
  give(block: ArrayBuffer): void;
  /** Lets go of the memory. */
  clear(): void;
}

export class SharedWorkspace implements Workspace {
  private block: ArrayBuffer | undefined;
  private isTaken = false;

  take(bytes: number): ArrayBuffer {
    if (this.isTaken) return new ArrayBuffer(bytes);
    this.isTaken = true;
    if (!this.block || this.block.byteLength < bytes) {
      // At least twice the old one, which stays until it is collected: shapes that grow step by step would else leave a block
      // each. What no run has written to takes no memory.
      const size = Math.max(bytes, 2 * (this.block?.byteLength ?? 0));
      this.block = undefined;
      this.block = new ArrayBuffer(size);
    }
    return this.block;
  }

  give(block: ArrayBuffer): void {
    if (block === this.block) this.isTaken = false;
  }

  clear(): void {
    this.block = undefined;
    this.isTaken = false;
  }
}
