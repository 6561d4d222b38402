// Batches of samples of fixed length. Which sample stands where is a function of the seed and of the sample's number in the
// run, so that a resumed run goes on at the next sample, across epochs too.
import { float32, int32 } from '../../engine/index.js';
import type { Batch, BatchOutline, BatchSource } from '../../model/index.js';
import type { SampleSet } from './sample-set.js';

/** A batch of text. Its inputs are `tokens` and `labels`, int32 [B,T], and `lossMask` [B,T]. */
export interface TextBatch extends Batch {
  /** Bytes of text that the targets stand for. */
  readonly bytes: number;
}

/** What batches are made of. */
export interface TokenSourceOptions {
  readonly name: string;
  /** Tokens of a sample; it has one more, for the last target. */
  readonly length: number;
  readonly batchSize: number;
  /** The rest that fills no batch goes on into the next epoch; otherwise it is a smaller batch. */
  readonly training: boolean;
  /** Ends a document; undefined where nothing does. */
  readonly end?: number | undefined;
  /** The end of a document is no target. */
  readonly masksEnd?: boolean;
  /** Inputs say the position in its document (`positions`), and which document it is (`documents`), int32 [B,T]. */
  readonly resetsPositions?: boolean;
  readonly separatesDocuments?: boolean;
}

/** Batches of samples of equal length. */
export class TokenSource implements BatchSource {
  readonly names = { example: 'samples', unit: 'tokens' } as const;
  readonly measuresRate = true;

  constructor(
    /** Where samples come from. */
    readonly samples: SampleSet,
    private readonly options: TokenSourceOptions,
  ) {}

  /** What it is called in messages. */
  get name(): string {
    return this.options.name;
  }

  /** Targets of a batch, but for ends of documents that are masked. */
  get unitsPerBatch(): number {
    return this.options.length * this.options.batchSize;
  }

  batchesInEpoch(): number {
    const { batchSize, training } = this.options;
    const { count } = this.samples;
    return training ? Math.max(1, Math.floor(count / batchSize)) : Math.ceil(count / batchSize);
  }

  async *epoch(epoch: number, from = 0): AsyncGenerator<TextBatch> {
    for (let batch = from; batch < this.batchesInEpoch(); batch++) yield this.batch(epoch, batch);
  }

  async *batches(epoch: number, numbers: readonly number[]): AsyncGenerator<TextBatch> {
    for (const batch of numbers) yield this.batch(epoch, batch);
  }

  largestBatch(): BatchOutline {
    const { length, batchSize } = this.options;
    const shape = (size: number) => [size, length];
    const names = Object.keys(this.batch(0, 0).inputs);
    const inputsFor = (size: number) =>
      Object.fromEntries(
        names.map((name) => [
          name,
          { dtype: name === 'lossMask' ? ('float32' as const) : ('int32' as const), shape: shape(size) },
        ]),
      );
    return {
      inputs: inputsFor(batchSize),
      size: batchSize,
      text: `${batchSize} × ${length} tokens`,
      inputsFor,
      advice: (size) => (size === 0 ? 'set a smaller encoder_seq_length' : `set micro_batch_size to ${size}`),
      setting: (size) => `micro_batch_size: ${size}`,
      key: 'micro_batch_size',
    };
  }

  digest(): string {
    return this.samples.digest();
  }

  gauges(): Readonly<Record<string, number>> {
    return {};
  }

  /** As perplexity, for the log. */
  figures(loss: number): Readonly<Record<string, number>> {
    return { perplexity: Math.exp(loss) };
  }

  async close(): Promise<void> {
    this.samples.close();
  }

  private batch(epoch: number, batch: number): TextBatch {
    const { batchSize, training } = this.options;
    const first = (training ? epoch * this.batchesInEpoch() : 0) * batchSize + batch * batchSize;
    const size = training ? batchSize : Math.min(batchSize, this.samples.count - batch * batchSize);
    return this.collated(Array.from({ length: size }, (_, i) => first + i));
  }

  private collated(numbers: readonly number[]): TextBatch {
    const { length, end, masksEnd, resetsPositions, separatesDocuments } = this.options;
    const total = numbers.length * length;
    const [tokens, labels] = [new Int32Array(total), new Int32Array(total)];
    const [positions, documents] = [new Int32Array(total), new Int32Array(total)];
    const mask = new Float32Array(total);
    let targets = 0;
    let bytes = 0;
    for (const [row, number] of numbers.entries()) {
      const source = this.samples.at(number);
      const labelled = source.subarray(1);
      bytes += this.samples.bytesOf(masksEnd ? labelled.filter((token) => token !== end) : labelled);
      for (let i = 0, position = 0, document = 0; i < length; i++, position++) {
        const at = row * length + i;
        if (i >= source.length - 1) {
          [tokens[at], positions[at], documents[at]] = [end ?? 0, position, -1];
          continue;
        }
        if (i > 0 && end !== undefined && source[i - 1] === end) [position, document] = [0, document + 1];
        [tokens[at], labels[at], positions[at], documents[at]] = [
          source[i],
          source[i + 1],
          position,
          document,
        ];
        mask[at] = Number(!(masksEnd && source[i + 1] === end));
        targets += mask[at];
      }
    }
    const shape = [numbers.length, length];
    return {
      inputs: {
        tokens: int32(tokens, shape),
        labels: int32(labels, shape),
        lossMask: float32(mask, shape),
        ...(resetsPositions && { positions: int32(positions, shape) }),
        ...(separatesDocuments && { documents: int32(documents, shape) }),
      },
      size: numbers.length,
      units: targets,
      targets,
      bytes,
      names: numbers.map((number) => this.samples.nameOf(number)),
    };
  }
}
