// Samples cut from a row of tokens in memory, in an order that is a function of the seed and the number of the sample.
import { AnemoneError } from '../../errors/index.js';
import { CounterRandom } from '../../random/index.js';
import type { SampleSet } from './sample-set.js';
import type { TokenSet } from './token-set.js';

/** How a row is cut. */
export interface RowSamplesOptions {
  readonly name: string;
  /** Tokens of a sample; it has one more, for the last target. */
  readonly length: number;
  /** Samples are shuffled, anew in each epoch; otherwise they come as they stand. */
  readonly shuffles: boolean;
  readonly seed: number;
  /** The rest of the row that fills no sample is left out. */
  readonly dropsLast: boolean;
}

/** Samples of equal length cut from a row of tokens in memory, drawn anew in each epoch. */
export class RowSamples implements SampleSet {
  readonly count: number;
  private order: { readonly epoch: number; readonly places: Int32Array } | undefined;

  /** @throws AnemoneError `data.no-text` for a row that fills no sample */
  constructor(
    private readonly set: TokenSet,
    private readonly options: RowSamplesOptions,
  ) {
    const { length, name, dropsLast } = options;
    const targets = set.tokens.length - 1;
    this.count = dropsLast ? Math.floor(targets / length) : Math.ceil(targets / length);
    if (this.count > 0) return;
    throw new AnemoneError({
      code: 'data.no-text',
      path: `model.data.data_prefix.${name}`,
      message: `${set.tokens.length} tokens are no sample of ${length} tokens and one more`,
      hint: 'give more text, or a smaller encoder_seq_length',
    });
  }

  at(index: number): Int32Array {
    const { length } = this.options;
    const place = this.placeOf(index);
    return this.set.tokens.subarray(place * length, (place + 1) * length + 1);
  }

  nameOf(index: number): string {
    return `${this.options.name}, sample ${this.placeOf(index)}`;
  }

  bytesOf(targets: Int32Array): number {
    return targets.length * (this.set.bytes / this.set.tokens.length);
  }

  digest(): string {
    const { tokens } = this.set;
    let sum = tokens.length;
    for (let i = 0; i < tokens.length; i += 97) sum = (Math.imul(sum, 31) + tokens[i]) | 0;
    return `${tokens.length}-${sum >>> 0}`;
  }

  /** There is nothing to close. */
  close(): void {}

  private placeOf(index: number): number {
    if (!this.options.shuffles) return index;
    const epoch = Math.floor(index / this.count);
    if (this.order?.epoch !== epoch) {
      const random = new CounterRandom(this.options.seed).derive('samples', epoch);
      this.order = { epoch, places: random.permutation(this.count) };
    }
    return this.order.places[index % this.count];
  }
}
