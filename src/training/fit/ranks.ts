// What a run has to do with other ranks: which batches of a step are its own, what all of them found, and the sum of their
// gradients. A rank that is alone has all batches, and nothing is sent.
import {
  type Communicator,
  copyElements,
  EndedElsewhere,
  exchange,
  exchangeFailure,
  isTold,
  joinedWorld,
  SelfCommunicator,
  zeroElements,
} from '../../distributed/index.js';
import { after, bytesOf, type RawTensor, rawHostCall, sizeOf, type Tensor } from '../../engine/index.js';
import { type AnemoneError, reportOf } from '../../errors/index.js';

/** Gradients are sent together up to so many bytes: small ones one by one would cost a meeting each. */
const BUCKET_BYTES = 8 * 2 ** 20;
/** As many values of a host call may share memory with its inputs. */
const BUCKET_TENSORS = 64;

/** A half-open range of batches, counted from the first of a step or an epoch. */
export interface Share {
  readonly start: number;
  readonly end: number;
}

/** A gradient to be summed, and the name it goes by in messages. */
export interface NamedTensor {
  readonly name: string;
  readonly tensor: Tensor;
}

export class Ranks {
  /** Whether this rank's gradients of the step count; a rank without a batch has none. */
  contributes = true;

  constructor(private readonly communicator: Communicator = new SelfCommunicator()) {}

  get rank(): number {
    return this.communicator.rank;
  }

  get size(): number {
    return this.communicator.size;
  }

  get areSeveral(): boolean {
    return this.size > 1;
  }

  /** Whether this is the one that writes files and talks. */
  get isFirst(): boolean {
    return this.rank === 0;
  }

  /** What is said of several ranks at the start of a run; undefined for one. @param batches of a step, of all ranks */
  describe(batches: number): string | undefined {
    if (!this.areSeveral) return undefined;
    const where = this.communicator.kind === 'mpi' ? 'by MPI' : 'on this machine';
    const own = batches / this.size;
    return `${this.size} ranks ${where} sum their gradients; a step takes ${batches} batches, ${own} of each`;
  }

  /** The error to throw where all ranks have found the same: rank 0 says it. */
  sayAlike(error: AnemoneError): unknown {
    return exchangeFailure(this.communicator, error, 'what all ranks have found');
  }

  /** See `World.begin`. */
  begin(): () => void {
    return this.areSeveral ? (joinedWorld()?.begin() ?? (() => {})) : () => {};
  }

  /**
   * Tells the others that this one cannot go on, wherever they are. Where another has told so before, this process ends
   * here: there is nothing that the program could say or do about it.
   */
  leave(error: unknown): void {
    if (!this.areSeveral) return;
    if (error instanceof EndedElsewhere) process.exit(error.exitCode);
    if (isTold(error)) return;
    const { text, exitCode } = reportOf(error);
    // MPI ends this process too, before it can say anything.
    if (this.communicator.kind === 'mpi') process.stderr.write(`rank ${this.rank}: ${text}`);
    this.communicator.abort(exitCode);
  }

  /** What all ranks say, in their order. */
  exchange<T>(value: T, label: string): T[] {
    return exchange(this.communicator, value, label);
  }

  /** The numbers of all ranks, as many from each. */
  gather(numbers: Float32Array, label: string): Float32Array[] {
    const all = new Float32Array(numbers.length * this.size);
    const tensor = (data: Float32Array) => ({ dtype: 'float32' as const, shape: [data.length], data });
    this.communicator.allGather(tensor(numbers), tensor(all), label);
    return Array.from({ length: this.size }, (_, rank) =>
      all.subarray(rank * numbers.length, (rank + 1) * numbers.length),
    );
  }

  /** What rank 0 says; `value` is asked there alone. Where it throws, all ranks do. */
  async ofFirst<T>(value: () => T | Promise<T>, label: string): Promise<T> {
    const own = this.isFirst ? await this.orTellAll(value, label) : undefined;
    return this.exchange(own, label)[0] as T;
  }

  /** Does what any rank may fail at; where one does, none goes on. */
  async together<T>(act: () => T | Promise<T>, label: string): Promise<T> {
    const result = await this.orTellAll(act, label);
    this.exchange(null, label);
    return result;
  }

  /**
   * The batches of a step that are this rank's: the first ranks have one more where they cannot be divided. Batches that
   * follow each other stay together, so that gradients are added in the order of batches, as far as it goes.
   */
  share(count: number, rank = this.rank): Share {
    const each = Math.floor(count / this.size);
    const more = count % this.size;
    const start = rank * each + Math.min(rank, more);
    return { start, end: start + each + (rank < more ? 1 : 0) };
  }

  /**
   * The first so many of these ranks. All ranks must ask for them, at the same time.
   * @returns undefined on a rank that is not one of them
   */
  first(count: number): Ranks | undefined {
    if (count === this.size) return this;
    const group = this.communicator.split(this.rank < count ? 0 : undefined);
    return group && new Ranks(group);
  }

  /** Whether what ranks send is on its way while they compute: by a network, and not by copies that they make themselves. */
  get sendMeanwhile(): boolean {
    return this.areSeveral && this.communicator.kind === 'mpi';
  }

  /** A communicator of the same ranks, whose collectives do not stand in line with others. All ranks must ask for it. */
  separately(): Communicator {
    return this.communicator.split(0) as Communicator;
  }

  /** The sum over ranks of numbers that they have as many of. */
  sum(numbers: Float32Array, label: string): Float32Array {
    const data = numbers.slice();
    this.communicator.allReduce({ dtype: 'float32', shape: [data.length], data }, 'sum', label);
    return data;
  }

  /** The sums over ranks, as nodes of the program that is traced. */
  sums(gradients: readonly NamedTensor[]): Tensor[] {
    if (!this.areSeveral) return gradients.map(({ tensor }) => tensor);
    const sums: Tensor[] = [];
    for (const bucket of bucketsOf(gradients)) {
      // One after the other: all ranks must come to the same bucket.
      const inputs = bucket.map(({ tensor }) => after(tensor, sums.slice(-1)));
      sums.push(...this.summed(labelOf(bucket), inputs));
    }
    return sums;
  }

  private summed(label: string, inputs: Tensor[]): Tensor[] {
    const specs = inputs.map(({ shape }) => ({ dtype: 'float32' as const, shape }));
    const sum = (given: readonly RawTensor[], outputs: readonly RawTensor[]) => {
      outputs.forEach((output, i) => {
        if (!this.contributes) zeroElements(output);
        else if (output.address !== given[i].address) copyElements(given[i], output);
      });
      this.communicator.allReduce(outputs, 'sum', label);
    };
    return rawHostCall(`sum over ranks of ${label}`, sum, inputs, specs);
  }

  private async orTellAll<T>(act: () => T | Promise<T>, label: string): Promise<T> {
    try {
      return await act();
    } catch (error) {
      if (error instanceof EndedElsewhere) throw error;
      throw exchangeFailure(this.communicator, error, label);
    }
  }
}

function bucketsOf(gradients: readonly NamedTensor[]): NamedTensor[][] {
  const buckets: NamedTensor[][] = [];
  let bytes = 0;
  for (const gradient of gradients) {
    const size = bytesOf('float32', sizeOf(gradient.tensor.shape));
    const bucket = buckets.at(-1);
    if (!bucket || bucket.length >= BUCKET_TENSORS || bytes + size > BUCKET_BYTES) {
      buckets.push([gradient]);
      bytes = size;
    } else {
      bucket.push(gradient);
      bytes += size;
    }
  }
  return buckets;
}

function labelOf(bucket: readonly NamedTensor[]): string {
  const [first, last] = [bucket[0].name, bucket[bucket.length - 1].name];
  return `gradients of ${first}${bucket.length > 1 ? ` … ${last}` : ''}`;
}
