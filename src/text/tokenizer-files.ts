// Writes what a tokenizer is made of into a folder, for `tokenizer.dir`.
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AnemoneError } from '../errors/index.js';
import { makeFolder } from '../formats/index.js';
import type { Tokenizer } from './tokenizer.js';

/** Writes the tokenizer's files into `dir`; each appears whole or not at all. Throws `tokenizer.cannot-write`. */
export function writeTokenizerFiles(tokenizer: Tokenizer, dir: string): void {
  try {
    makeFolder(dir);
    for (const [name, bytes] of tokenizer.files()) {
      const file = join(dir, name);
      writeFileSync(`${file}.partial`, bytes);
      renameSync(`${file}.partial`, file);
    }
  } catch (cause) {
    throw new AnemoneError({
      code: 'tokenizer.cannot-write',
      message: `cannot write the tokenizer to ${dir}: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: 'check the permissions and the free space there',
      cause,
    });
  }
}
