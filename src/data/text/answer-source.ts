// Batches of prompts and answers. Rows stand alone and are padded, or several share a sample and do not see each other.
import { float32, int32 } from '../../engine/index.js';
import type { BatchOutline, BatchSource } from '../../model/index.js';
import { CounterRandom } from '../../random/index.js';
import type { AnswerRow } from './answer-rows.js';
import type { TextBatch } from './token-source.js';

/** How rows are put into samples and batches. */
export interface AnswerSourceOptions {
  /** Key of the section, for messages. */
  readonly name: string;
  /** Most tokens of a sample. */
  readonly length: number;
  readonly batchSize: number;
  /** Samples are shuffled, if `shuffles`; those that fill no batch are left out, if `dropsLast`. */
  readonly training: boolean;
  readonly shuffles: boolean;
  readonly dropsLast: boolean;
  readonly seed: number;
  /** Several rows make a sample. */
  readonly packs: boolean;
  /** Stands where no row is. */
  readonly padding: number;
}

/** Samples without packing have a multiple of this many tokens. */
const STEP = 16;

/**
 * Samples of equal length, so that one program does for all. Inputs are those of `TokenSource`; packed samples also say
 * positions and documents.
 */
export class AnswerSource implements BatchSource {
  readonly names = { example: 'samples', unit: 'tokens' } as const;
  readonly measuresRate = true;
  private readonly samples: readonly (readonly AnswerRow[])[];
  private readonly length: number;
  private order: { readonly epoch: number; readonly places: Int32Array } | undefined;

  constructor(
    private readonly rows: readonly AnswerRow[],
    private readonly options: AnswerSourceOptions,
  ) {
    const { length, packs } = options;
    // The last token of a row is a target and no input.
    const longest = Math.max(...rows.map(({ tokens }) => tokens.length - 1));
    this.length = packs ? length : Math.min(length, Math.ceil(longest / STEP) * STEP);
    this.samples = packs ? packed(rows, this.length) : rows.map((row) => [row]);
  }

  /** What it is called in messages. */
  get name(): string {
    return this.options.name;
  }

  /** How many rows there are, and samples of them. */
  get counts(): { readonly rows: number; readonly samples: number; readonly length: number } {
    return { rows: this.rows.length, samples: this.samples.length, length: this.length };
  }

  batchesInEpoch(): number {
    const { batchSize, dropsLast } = this.options;
    const batches = this.samples.length / batchSize;
    return dropsLast ? Math.max(1, Math.floor(batches)) : Math.ceil(batches);
  }

  async *epoch(epoch: number, from = 0): AsyncGenerator<TextBatch> {
    for (let batch = from; batch < this.batchesInEpoch(); batch++) yield this.batch(epoch, batch);
  }

  largestBatch(): BatchOutline {
    const { batchSize, name } = this.options;
    const names = Object.entries(this.batch(0, 0).inputs);
    const inputsFor = (size: number) =>
      Object.fromEntries(names.map(([key, { dtype }]) => [key, { dtype, shape: [size, this.length] }]));
    const key = `data.${name}.micro_batch_size`;
    return {
      inputs: inputsFor(batchSize),
      size: batchSize,
      text: `${batchSize} × ${this.length} tokens`,
      inputsFor,
      advice: (size) => (size === 0 ? `set a smaller data.${name}.max_seq_length` : `set ${key} to ${size}`),
      setting: (size) => `${key}: ${size}`,
      key,
    };
  }

  digest(): string {
    let sum = this.rows.length;
    for (const { tokens } of this.rows) for (const id of tokens) sum = (Math.imul(sum, 31) + id) | 0;
    return `${this.rows.length}-${sum >>> 0}`;
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
    const { batchSize } = this.options;
    const places = this.placesOf(epoch).subarray(batch * batchSize, (batch + 1) * batchSize);
    return this.collated(Array.from(places, (place) => this.samples[place]));
  }

  private placesOf(epoch: number): Int32Array {
    const { shuffles, seed } = this.options;
    if (this.order?.epoch !== epoch) {
      const random = new CounterRandom(seed).derive('samples', epoch);
      const count = this.samples.length;
      const places = shuffles ? random.permutation(count) : Int32Array.from({ length: count }, (_, i) => i);
      this.order = { epoch, places };
    }
    return this.order.places;
  }

  private collated(samples: readonly (readonly AnswerRow[])[]): TextBatch {
    const { batchSize, padding, packs } = this.options;
    const total = batchSize * this.length;
    const [tokens, labels] = [new Int32Array(total).fill(padding), new Int32Array(total)];
    const [positions, documents] = [new Int32Array(total), new Int32Array(total).fill(-1)];
    const mask = new Float32Array(total);
    let [targets, bytes] = [0, 0];
    for (const [i, rows] of samples.entries()) {
      let at = i * this.length;
      for (const [document, row] of rows.entries()) {
        const count = row.tokens.length - 1;
        tokens.set(row.tokens.subarray(0, count), at);
        labels.set(row.tokens.subarray(1), at);
        for (let j = 0; j < count; j++) {
          [positions[at + j], documents[at + j], mask[at + j]] = [j, document, row.learned[j + 1]];
          targets += row.learned[j + 1];
        }
        bytes += row.bytes;
        at += count;
      }
    }
    const shape = [batchSize, this.length];
    return {
      inputs: {
        tokens: int32(tokens, shape),
        labels: int32(labels, shape),
        lossMask: float32(mask, shape),
        ...(packs && { positions: int32(positions, shape), documents: int32(documents, shape) }),
      },
      size: samples.length,
      units: targets,
      targets,
      bytes,
      names: samples.flatMap((rows) => rows.map(({ name }) => name)),
    };
  }
}

/** The longest rows first, each into the first sample that has room (first-fit decreasing; Johnson 1973). */
function packed(rows: readonly AnswerRow[], length: number): AnswerRow[][] {
  const samples: { rows: AnswerRow[]; room: number }[] = [];
  const inOrder = rows.toSorted((a, b) => b.tokens.length - a.tokens.length);
  /** Samples before this one are full. */
  let firstOpen = 0;
  for (const row of inOrder) {
    const count = row.tokens.length - 1;
    let at = firstOpen;
    while (at < samples.length && samples[at].room < count) at++;
    if (at === samples.length) samples.push({ rows: [], room: length });
    samples[at].rows.push(row);
    samples[at].room -= count;
    while (firstOpen < samples.length && samples[firstOpen].room === 0) firstOpen++;
  }
  return samples.map(({ rows }) => rows);
}
