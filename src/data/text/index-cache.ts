// Megatron's three index files, `…_indexmap_{samples}ns_{length}sl_{seed}s_{doc,sample,shuffle}_idx.npy`: read where they fit the
// set, made and kept where they do not. Each appears whole or not at all.
import { renameSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { decodeNpy, encodeNpy, makeFolder, readRegularFileSync } from '../../formats/index.js';
import { type GptIndex, type GptIndexOptions, gptIndex } from './gpt-index.js';

/** Where the indices of a set are kept. */
export interface IndexPlace {
  /** Path of the set without .bin and .idx. */
  readonly prefix: string;
  /** As files call it: `train`, `valid`, `test`. */
  readonly split: string;
  /** Folder of the files; undefined: beside the set. */
  readonly folder?: string | undefined;
}

const KINDS = ['doc', 'sample', 'shuffle'] as const;
const MOST_BYTES = 2 ** 34;

/** @param first the files number documents in the whole set */
export function cachedIndex(place: IndexPlace, options: GptIndexOptions, first: number): GptIndex {
  const files = filesOf(place, options);
  const kept = readIndex(place, files, options, first);
  if (kept) return kept;
  const index = gptIndex(options);
  keep(files, index, first, place.folder);
  return index;
}

function filesOf(
  { prefix, split, folder }: IndexPlace,
  { samples, length, seed }: GptIndexOptions,
): string[] {
  const start = folder === undefined ? prefix : join(folder, basename(prefix));
  return KINDS.map((kind) => `${start}_${split}_indexmap_${samples}ns_${length}sl_${seed}s_${kind}_idx.npy`);
}

/** Undefined where a file is missing, older than the set, or does not fit it. */
function readIndex(
  { prefix }: IndexPlace,
  files: readonly string[],
  { sizes, length }: GptIndexOptions,
  first: number,
): GptIndex | undefined {
  try {
    const { mtimeMs } = statSync(`${prefix}.idx`);
    if (files.some((file) => statSync(file).mtimeMs < mtimeMs)) return undefined;
    const [documents, samples, shuffle] = files.map((file) => decodeNpy(readRegularFileSync(file, { maxBytes: MOST_BYTES }), file).data); // biome-ignore format: one line
    if (!(documents instanceof Int32Array && samples instanceof Int32Array && shuffle instanceof Uint32Array))
      return undefined;
    const index = { documents: documents.map((document) => document - first), samples, shuffle };
    return fits(index, sizes, length) ? index : undefined;
  } catch {
    return undefined;
  }
}

function fits({ documents, samples, shuffle }: GptIndex, sizes: ArrayLike<number>, length: number): boolean {
  const count = samples.length / 2 - 1;
  if (documents.length === 0 || documents.length % sizes.length !== 0 || shuffle.length !== count)
    return false;
  let tokens = 0;
  for (const document of documents) {
    if (document < 0 || document >= sizes.length) return false;
    tokens += sizes[document];
  }
  if (count !== Math.floor((tokens - 1) / length)) return false;
  for (let i = 0; i <= count; i++) {
    const [place, offset] = [samples[2 * i], samples[2 * i + 1]];
    if (
      place < 0 ||
      place >= documents.length ||
      offset < 0 ||
      offset >= Math.max(1, sizes[documents[place]])
    )
      return false;
  }
  return shuffle.every((sample) => sample < count);
}

/** What cannot be kept is made again next time. */
function keep(files: readonly string[], index: GptIndex, first: number, folder: string | undefined): void {
  const bytes = [
    encodeNpy(index.documents.map((document) => document + first)),
    encodeNpy(index.samples, [index.samples.length / 2, 2]),
    encodeNpy(index.shuffle),
  ];
  try {
    if (folder !== undefined) makeFolder(folder);
    for (const [i, file] of files.entries()) {
      const temporary = `${file}.${process.pid}.partial`;
      writeFileSync(temporary, bytes[i]);
      renameSync(temporary, file);
    }
  } catch {
    // A set on a disk that cannot be written to is used all the same.
  }
}
