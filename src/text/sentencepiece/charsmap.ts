// SentencePiece's compiled character map: [byte length of trie: uint32][trie][target strings, each ending in
// a zero byte]. A trie value is the place of the target in the strings. Here it is read, written, and built
// for the named normalisations; what normalising does with it is in normalizer.ts.
import { AnemoneError, didYouMean } from '../../errors/index.js';
import { DoubleArray } from './double-array.js';
import { type NormalizationRules, nfkcRules, nmtNfkcRules, withCaseFolding } from './nfkc-rules.js';

export interface CharsMap {
  readonly trie: DoubleArray;
  readonly targets: Uint8Array;
}

const rulesByName: Readonly<Record<string, () => NormalizationRules>> = {
  nfkc: nfkcRules,
  nmt_nfkc: nmtNfkcRules,
  nfkc_cf: () => withCaseFolding(nfkcRules()),
  nmt_nfkc_cf: () => withCaseFolding(nmtNfkcRules()),
};

/** Names accepted by `compiledCharsMap`. */
export const normalizationNames: readonly string[] = ['identity', ...Object.keys(rulesByName)];

const compiled = new Map<string, Uint8Array>();

/**
 * The compiled map of a named normalisation (`identity` has none: empty). Computed on first use, about two
 * seconds for `nmt_nfkc`, then kept. Throws `text.unknown-normalization`.
 */
export function compiledCharsMap(name: string): Uint8Array {
  if (name === 'identity') return new Uint8Array(0);
  let blob = compiled.get(name);
  if (blob === undefined) {
    if (!Object.hasOwn(rulesByName, name)) {
      throw new AnemoneError({
        code: 'text.unknown-normalization',
        message: `unknown normalization "${name}"`,
        hint: didYouMean(name, normalizationNames) ?? `one of ${normalizationNames.join(', ')}`,
      });
    }
    blob = compileCharsMap(rulesByName[name]());
    compiled.set(name, blob);
  }
  return blob;
}

/** Packs rules into the binary form. Empty sources are not allowed. */
export function compileCharsMap(rules: NormalizationRules): Uint8Array {
  const encoder = new TextEncoder();
  const places = new Map<string, number>();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (const target of [...new Set(rules.values())].sort()) {
    const bytes = encoder.encode(`${target}\0`);
    places.set(target, size);
    chunks.push(bytes);
    size += bytes.length;
  }
  const entries: [Uint8Array, number][] = [];
  for (const [source, target] of rules) entries.push([encoder.encode(source), places.get(target) as number]);
  const trie = DoubleArray.build(entries, true).toBytes();
  const blob = new Uint8Array(4 + trie.length + size);
  new DataView(blob.buffer).setUint32(0, trie.length, true);
  blob.set(trie, 4);
  let at = 4 + trie.length;
  for (const chunk of chunks) {
    blob.set(chunk, at);
    at += chunk.length;
  }
  return blob;
}

/** Splits a compiled map into its parts; undefined for the empty (identity) map. Throws `sentencepiece.corrupt`. */
export function readCharsMap(blob: Uint8Array): CharsMap | undefined {
  if (blob.length === 0) return undefined;
  const trieSize =
    blob.length > 4 ? new DataView(blob.buffer, blob.byteOffset).getUint32(0, true) : blob.length;
  if (trieSize >= blob.length || trieSize < 4 || blob[blob.length - 1] !== 0) {
    throw new AnemoneError({
      code: 'sentencepiece.corrupt',
      message: 'the model’s compiled normalization map is damaged',
    });
  }
  return {
    trie: DoubleArray.fromBytes(blob.subarray(4, 4 + trieSize)),
    targets: blob.subarray(4 + trieSize),
  };
}
