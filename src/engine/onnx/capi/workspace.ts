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
      // The old block is let go before the new one is made: together they would be the largest of all.
      this.block = undefined;
      this.block = new ArrayBuffer(bytes);
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
