// Batches of samples of fixed length from a row of tokens. Which sample stands where is a function of the seed and of the
// sample's number in the run, so that a resumed run goes on at the next sample, across epochs too.
import { float32, int32 } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import type { Batch, BatchOutline, BatchSource } from '../../model/index.js';
import { CounterRandom } from '../../random/index.js';
import type { TokenSet } from './token-set.js';

/** A batch of text. Its inputs are `tokens` and `labels`, int32 [B,T], and `lossMask` [B,T]. */
export interface TextBatch extends Batch {
  /** Bytes of text that the targets stand for. */
  readonly bytes: number;
}

/** How a row of tokens is cut into samples and batches. */
export interface TokenSourceOptions {
  readonly name: string;
  /** Tokens of a sample; it has one more, for the last target. */
  readonly length: number;
  readonly batchSize: number;
  /** Samples are shuffled, and the rest that fills no batch goes on into the next epoch. */
  readonly training: boolean;
  readonly seed: number;
  /** The rest of the row that fills no sample is left out. Default: it is in training. */
  readonly dropsLast?: boolean;
  /** Ends a document; undefined where nothing does. */
  readonly end?: number | undefined;
  /** The end of a document is no target. */
  readonly masksEnd?: boolean;
  /** Inputs say the position in its document (`positions`), and which document it is (`documents`), int32 [B,T]. */
  readonly resetsPositions?: boolean;
  readonly separatesDocuments?: boolean;
}

/**
 * Samples of equal length cut from a row of tokens. Which sample comes when is a function of the seed and its number in the run.
 */
export class TokenSource implements BatchSource {
  readonly names = { example: 'samples', unit: 'tokens' } as const;
  readonly measuresRate = true;
  /** Samples of an epoch. */
  private readonly samples: number;
  private readonly bytesPerToken: number;
  private order: { readonly epoch: number; readonly places: Int32Array } | undefined;

  /** @throws AnemoneError `data.no-text` for a set that fills no sample */
  constructor(
    private readonly set: TokenSet,
    private readonly options: TokenSourceOptions,
  ) {
    const { length, training, dropsLast = training } = options;
    const targets = set.tokens.length - 1;
    this.samples = dropsLast ? Math.floor(targets / length) : Math.ceil(targets / length);
    this.bytesPerToken = set.bytes / set.tokens.length;
    if (this.samples > 0) return;
    throw new AnemoneError({
      code: 'data.no-text',
      path: `model.data.data_prefix.${options.name}`,
      message: `${set.tokens.length} tokens are no sample of ${length} tokens and one more`,
      hint: 'give more text, or a smaller encoder_seq_length',
    });
  }

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
    return training ? Math.max(1, Math.floor(this.samples / batchSize)) : Math.ceil(this.samples / batchSize);
  }

  async *epoch(epoch: number, from = 0): AsyncGenerator<TextBatch> {
    for (let batch = from; batch < this.batchesInEpoch(); batch++) yield this.batch(epoch, batch);
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
    const { tokens } = this.set;
    let sum = tokens.length;
    for (let i = 0; i < tokens.length; i += 97) sum = (Math.imul(sum, 31) + tokens[i]) | 0;
    return `${tokens.length}-${sum >>> 0}`;
  }

  gauges(): Readonly<Record<string, number>> {
    return {};
  }

  /** As perplexity, for the log. */
  figures(loss: number): Readonly<Record<string, number>> {
    return { perplexity: Math.exp(loss) };
  }

  async close(): Promise<void> {}

  private batch(epoch: number, batch: number): TextBatch {
    const { batchSize, training } = this.options;
    const first = (training ? epoch * this.batchesInEpoch() : 0) * batchSize + batch * batchSize;
    const size = training ? batchSize : Math.min(batchSize, this.samples - batch * batchSize);
    const places = Array.from({ length: size }, (_, i) => this.placeOf(first + i));
    return this.collated(places);
  }

  /** Which sample is the `index`th of the run. */
  private placeOf(index: number): number {
    if (!this.options.training) return index;
    const epoch = Math.floor(index / this.samples);
    if (this.order?.epoch !== epoch) {
      const random = new CounterRandom(this.options.seed).derive('samples', epoch);
      this.order = { epoch, places: random.permutation(this.samples) };
    }
    return this.order.places[index % this.samples];
  }

  private collated(places: readonly number[]): TextBatch {
    const { length, end, masksEnd, resetsPositions, separatesDocuments } = this.options;
    const total = places.length * length;
    const [tokens, labels] = [new Int32Array(total), new Int32Array(total)];
    const [positions, documents] = [new Int32Array(total), new Int32Array(total)];
    const mask = new Float32Array(total);
    let targets = 0;
    for (const [row, place] of places.entries()) {
      const source = this.set.tokens.subarray(place * length, (place + 1) * length + 1);
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
    const shape = [places.length, length];
    return {
      inputs: {
        tokens: int32(tokens, shape),
        labels: int32(labels, shape),
        lossMask: float32(mask, shape),
        ...(resetsPositions && { positions: int32(positions, shape) }),
        ...(separatesDocuments && { documents: int32(documents, shape) }),
      },
      size: places.length,
      units: targets,
      targets,
      bytes: targets * this.bytesPerToken,
      names: places.map((place) => `${this.name}, sample ${place}`),
    };
  }
}
