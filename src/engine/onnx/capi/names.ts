// Text as C has it.
import type { OrtApi } from './api.js';

/** Names as C has them. */
export class Names {
  readonly pointers: BigUint64Array;
  /** The characters that `pointers` points to. */
  private readonly characters: Buffer;

  constructor(
    api: OrtApi,
    readonly keys: readonly string[],
  ) {
    this.characters = Buffer.from(keys.map((name) => `${name}\0`).join('') || '\0');
    this.pointers = new BigUint64Array(keys.length);
    let at = api.koffi.address(this.characters);
    keys.forEach((name, i) => {
      this.pointers[i] = at;
      at += BigInt(Buffer.byteLength(name) + 1);
    });
  }
}
