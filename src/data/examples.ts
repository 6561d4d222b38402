// A source of batches from examples that a program has in hand: a list, or anything that can be iterated.
import type { HostTensors } from '../engine/index.js';
import { AnemoneError } from '../errors/index.js';
import type { Batch, BatchSource } from '../model/index.js';
import { CounterRandom } from '../random/index.js';

/** A list, or a function that begins an epoch anew: `(epoch) => readLines(file)`. */
export type Examples<E> = readonly E[] | ((epoch: number) => AsyncIterable<E> | Iterable<E>);

/** Which batch of which epoch is made, for those who draw random numbers. */
export interface BatchPlace {
  readonly epoch: number;
  /** Place of the first example in the epoch. */
  readonly first: number;
}

/** How examples become batches. */
export interface ExampleSourceOptions<E> {
  /** Examples a batch. */
  readonly batchSize: number;
  /** What a model's `trainingStep` gets of these examples; batches of one shape share one compiled step. */
  collate(examples: readonly E[], place: BatchPlace): HostTensors | Promise<HostTensors>;
  /** For messages. Default `examples`. */
  readonly name?: string;
  /** Of an iterable, which cannot tell it: how many examples an epoch has. */
  readonly examplesInEpoch?: number;
  /** Another order each epoch, a function of seed and epoch; a list only. Default: as given. */
  readonly shuffle?: boolean;
  /** Default 0. */
  readonly seed?: number;
  /** Whether a last batch of fewer examples is left out. Default false. */
  readonly dropLast?: boolean;
  /** What throughput counts, such as seconds or tokens of an example. Default 1. */
  unitsOf?(example: E): number;
  /** The same of a whole batch, where only its inputs tell. */
  unitsOfBatch?(inputs: HostTensors): number;
  /** How the progress line calls examples and units. */
  readonly names?: BatchSource['names'];
  /** A readable name of an example, for error reports. Default its number in the epoch. */
  nameOf?(example: E): string | undefined;
  /** Reference text of an example, for those who look at samples. */
  textOf?(example: E): string;
}

/**
 * Cuts examples into batches.
 * @throws AnemoneError `data.examples` for a size that is no whole number above 0, for an iterable whose length nobody
 *   tells or that is to be shuffled, and, in an epoch, for one that has fewer examples than was said
 */
export function batchesOf<E>(examples: Examples<E>, options: ExampleSourceOptions<E>): BatchSource {
  return new ExampleSource(examples, options);
}

class ExampleSource<E> implements BatchSource {
  readonly name: string;
  readonly names: BatchSource['names'];
  private readonly count: number;

  constructor(
    private readonly examples: Examples<E>,
    private readonly options: ExampleSourceOptions<E>,
  ) {
    this.name = options.name ?? 'examples';
    this.names = options.names;
    requireWhole('batchSize', options.batchSize);
    if (isList(examples)) {
      this.count = examples.length;
      return;
    }
    requireWhole('examplesInEpoch', options.examplesInEpoch);
    if (options.shuffle) throw refuse('shuffle', 'only a list can be shuffled', 'collect the examples first');
    this.count = options.examplesInEpoch as number;
  }

  batchesInEpoch(): number {
    const { batchSize, dropLast } = this.options;
    return dropLast ? Math.floor(this.count / batchSize) : Math.ceil(this.count / batchSize);
  }

  async *epoch(epoch: number, from = 0): AsyncGenerator<Batch, void, undefined> {
    const count = Math.max(0, this.batchesInEpoch() - from);
    yield* this.batches(
      epoch,
      Array.from({ length: count }, (_, i) => from + i),
    );
  }

  /** Every example is gone through; those of the batches with these numbers are collated. */
  async *batches(epoch: number, numbers: readonly number[]): AsyncGenerator<Batch, void, undefined> {
    const { batchSize } = this.options;
    const last = this.batchesInEpoch();
    const wanted = new Set(numbers);
    let heldExamples: E[] = [];
    let batch = 0;
    let number = 0;
    for await (const example of this.inOrder(epoch)) {
      if (batch >= last) return;
      number++;
      heldExamples.push(example);
      if (heldExamples.length < batchSize && number < this.count) continue;
      if (wanted.has(batch)) yield await this.batchOf(heldExamples, { epoch, first: batch * batchSize });
      batch++;
      heldExamples = [];
    }
    if (batch < last) {
      const message = `epoch ${epoch} of ${this.name} has ${number} examples, not ${this.count}`;
      throw refuse('examplesInEpoch', message, 'say how many there are');
    }
  }

  gauges(): Readonly<Record<string, number>> {
    return {};
  }

  async close(): Promise<void> {}

  private inOrder(epoch: number): AsyncIterable<E> | Iterable<E> {
    const { examples } = this;
    if (!isList(examples)) return examples(epoch);
    if (!this.options.shuffle) return examples;
    const order = new CounterRandom(this.options.seed ?? 0)
      .derive('examples', epoch)
      .permutation(examples.length);
    return Array.from(order, (index) => examples[index]);
  }

  private async batchOf(members: readonly E[], place: BatchPlace): Promise<Batch> {
    const { collate, unitsOf = () => 1, unitsOfBatch, nameOf, textOf } = this.options;
    const inputs = await collate(members, place);
    return {
      inputs,
      size: members.length,
      units: unitsOfBatch?.(inputs) ?? members.reduce((sum, example) => sum + unitsOf(example), 0),
      names: members.map((example, i) => nameOf?.(example) ?? `${this.name} ${place.first + i}`),
      ...(textOf && { texts: members.map((example) => textOf(example)) }),
    };
  }
}

function isList<E>(examples: Examples<E>): examples is readonly E[] {
  return Array.isArray(examples);
}

function requireWhole(key: string, value: number | undefined): void {
  if (Number.isSafeInteger(value) && (value as number) > 0) return;
  throw refuse(key, `expected a whole number above 0, got ${String(value)}`, `give ${key}`);
}

function refuse(path: string, message: string, hint: string): AnemoneError {
  return new AnemoneError({ code: 'data.examples', path, message, hint });
}
