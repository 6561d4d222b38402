// Samples of an indexed set on disk, in Megatron's order; the indices are kept beside the set, or in index_mapping_dir.
import { AnemoneError } from '../../errors/index.js';
import type { IndexedDataset } from '../../formats/index.js';
import { type GptIndex, gptIndex } from './gpt-index.js';
import { cachedIndex, type IndexPlace } from './index-cache.js';
import type { SampleSet } from './sample-set.js';

/** What part of a set is used, and how. */
export interface IndexedSamplesOptions {
  readonly name: string;
  /** Documents from `first` up to `end`, sequences of the index. */
  readonly first: number;
  readonly end: number;
  /** Tokens of a sample; it has one more, for the last target. */
  readonly length: number;
  readonly seed: number;
  /** Samples of the whole run, in whose order they are shuffled. Undefined: epoch by epoch. */
  readonly samples?: number | undefined;
  /** Documents and samples are shuffled; otherwise they come as they stand, once. */
  readonly shuffles: boolean;
  readonly dropsLast: boolean;
  /** Where indices are kept; undefined: nowhere. */
  readonly cache?: IndexPlace | undefined;
  /** Tokens that the model knows; others in the set are refused where they are read. */
  readonly vocabSize: number;
  /** Bytes of text that each token stands for, by its id. */
  readonly tokenBytes?: ArrayLike<number> | undefined;
}

/** Samples of an indexed set, in NeMo's order. */
export class IndexedSamples implements SampleSet {
  readonly count: number;
  private readonly sizes: Int32Array;
  private index: GptIndex;
  private epoch = 0;

  /** @throws AnemoneError `data.no-text` for documents that fill no sample */
  constructor(
    private readonly set: IndexedDataset,
    private readonly options: IndexedSamplesOptions,
  ) {
    const { first, end, length, name, samples } = options;
    this.sizes = set.lengths.subarray(first, end);
    const tokens = this.sizes.reduce((a, b) => a + b, 0);
    if (tokens <= (options.dropsLast ? length : 1))
      throw new AnemoneError({
        code: 'data.no-text',
        path: `model.data.data_prefix.${name}`,
        message: `${end - first} documents of ${set.prefix} with ${tokens} tokens are no sample of ${length} tokens and one more`,
        hint: 'give more text, other shares in splits_string, or a smaller encoder_seq_length',
      });
    this.index = this.indexOf(0);
    this.count =
      samples === undefined ? this.index.shuffle.length : Math.min(samples, this.index.shuffle.length);
  }

  at(index: number): Int32Array {
    const sample = this.sampleOf(index);
    const { documents, samples } = this.index;
    const [place, offset, lastPlace, lastOffset] = samples.subarray(2 * sample, 2 * sample + 4);
    const parts: Int32Array[] = [];
    for (let i = place; i <= lastPlace; i++) {
      const document = documents[i];
      const start = i === place ? offset : 0;
      const end = i === lastPlace ? lastOffset + 1 : this.sizes[document];
      if (end > start) parts.push(this.set.read(this.options.first + document, start, end - start));
    }
    for (const part of parts) this.check(part);
    if (parts.length === 1) return parts[0];
    const whole = new Int32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }

  private check(tokens: Int32Array): void {
    const { vocabSize } = this.options;
    for (const id of tokens)
      if (id < 0 || id >= vocabSize)
        throw new AnemoneError({
          code: 'data.other-vocabulary',
          position: { file: `${this.set.prefix}.bin` },
          message: `has the token ${id}; the tokenizer has ${vocabSize} tokens`,
          hint: 'preprocess the text with the tokenizer of model.tokenizer',
        });
  }

  nameOf(index: number): string {
    return `${this.options.name}, sample ${this.sampleOf(index)} of ${this.set.prefix}`;
  }

  bytesOf(targets: Int32Array): number {
    const { tokenBytes } = this.options;
    let bytes = 0;
    if (tokenBytes) for (const id of targets) bytes += tokenBytes[id] ?? 0;
    return bytes;
  }

  digest(): string {
    const { sizes } = this;
    let sum = sizes.length;
    for (let i = 0; i < sizes.length; i++) sum = (Math.imul(sum, 31) + sizes[i]) | 0;
    for (const token of this.set.read(this.options.first, 0, Math.min(64, sizes[0])))
      sum = (Math.imul(sum, 31) + token) | 0;
    return `${sizes.length}-${sum >>> 0}`;
  }

  /** Closes the set. */
  close(): void {
    this.set.close();
  }

  private sampleOf(index: number): number {
    const epoch = Math.floor(index / this.count);
    if (epoch !== this.epoch) {
      this.index = this.indexOf(epoch);
      this.epoch = epoch;
    }
    return this.index.shuffle[index % this.count];
  }

  /** Of what comes after all that was asked for, the order is drawn anew. */
  private indexOf(epoch: number): GptIndex {
    const { samples = 0, length, shuffles, dropsLast, cache, seed } = this.options;
    const options = { sizes: this.sizes, samples, length, seed: seed + epoch, shuffles, dropsLast };
    if (!cache || !shuffles) return gptIndex(options);
    return cachedIndex(cache, options, this.options.first);
  }
}
