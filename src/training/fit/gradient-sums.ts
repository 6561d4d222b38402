// Sums of gradients over ranks of MPI, in buckets that are sent while the backward pass still computes: a bucket starts as soon as
// its gradients are known, and is waited for before the update. Buckets go from the last parameters to the first, in which
// order a backward pass comes to them. (Li et al. 2020, "PyTorch Distributed".) The numbers are those of sums that
// start after the step: these go through the same buckets.
import { type Communicator, copyElements, type Pending } from '../../distributed/index.js';
import {
  after,
  type HostTensor,
  hostCall,
  ordersByDependence,
  type RawTensor,
  rawHostCall,
  type State,
  sizeOf,
  type Tensor,
} from '../../engine/index.js';

/** Large enough that a start costs little, small enough that the network begins early. */
const BUCKET_BYTES = 2 ** 21;
/** As many values of a host call may share memory with its inputs. */
const BUCKET_TENSORS = 32;

interface Bucket {
  readonly label: string;
  /** Of its tensors among all, ascending. */
  readonly places: readonly number[];
  /** What is sent, tensor by tensor. */
  readonly numbers: Float32Array;
  pending: Pending | undefined;
}

export class GradientSums {
  private readonly buckets: readonly Bucket[];
  private communicator: Communicator | undefined;
  /** Whether the batch that is computed is the rank's last of the step, and its gradients are sent at once. */
  private isLastBatch = false;
  /** Whether what was sent is what the update takes. */
  private areGood = false;

  /** @param sums the states that add up gradients @param connect gives a communicator of the same ranks for these sums alone */
  constructor(
    private readonly sums: readonly State[],
    private readonly connect: () => Communicator,
    private readonly overlaps: boolean,
  ) {
    this.buckets = bucketsOf(sums);
  }

  /** What is sent lies beside the gradients. */
  get bytes(): number {
    return this.buckets.reduce((sum, { numbers }) => sum + numbers.byteLength, 0);
  }

  /** Call before the first batch of a step. @param batches of this rank */
  beginStep(batches: number): void {
    // All ranks come here at the same time.
    this.communicator ??= this.connect();
    this.areGood = false;
    if (this.overlaps && batches === 0) for (const bucket of this.buckets) this.sendNothing(bucket);
  }

  beginBatch(isLast: boolean): void {
    this.isLastBatch = this.overlaps && isLast;
  }

  /** Call when all ranks know whether all batches of the step count. */
  endBatches(allCount: boolean): void {
    this.isLastBatch = false;
    this.areGood = this.overlaps && allCount;
    if (!this.areGood) this.discard();
  }

  /**
   * The gradients of a batch, for their norm: computed so that each bucket starts when its gradients are known.
   * @param keep of what was added up before, a scalar: 0 or 1
   */
  sending(grads: readonly Tensor[], keep: Tensor): readonly Tensor[] {
    if (!this.overlaps || !ordersByDependence()) return grads;
    const ordered = [...grads];
    for (const bucket of this.buckets) {
      const { places } = bucket;
      const inputs = [keep, ...places.map((i) => grads[i]), ...places.map((i) => this.sums[i].tensor())];
      const send = ([kept, ...tensors]: HostTensor[]) => {
        if (this.isLastBatch) {
          const [given, before] = [tensors.slice(0, places.length), tensors.slice(places.length)];
          fill(bucket.numbers, given, before, kept.data[0]);
          this.send(bucket);
        }
        return [{ dtype: 'float32' as const, shape: [1], data: new Float32Array(1) }];
      };
      const [sent] = hostCall(`start of the ${bucket.label}`, send, inputs, [
        { dtype: 'float32', shape: [1] },
      ]);
      // The norm asks for the last parameter of the bucket first.
      const last = places[places.length - 1];
      ordered[last] = after(grads[last], [sent]);
    }
    return ordered;
  }

  /** The sums over ranks of what was added up, as nodes of the program that updates. @param contributes see `Ranks` */
  summed(contributes: () => boolean): Tensor[] {
    const summed: Tensor[] = [];
    let previous: Tensor[] = [];
    for (const bucket of this.buckets) {
      const { places } = bucket;
      const inputs = places.map((i) => after(this.sums[i].tensor(), previous.slice(-1)));
      const specs = places.map((i) => ({ dtype: 'float32' as const, shape: this.sums[i].shape }));
      const sum = (given: readonly RawTensor[], outputs: readonly RawTensor[]) => {
        this.take(bucket, given, outputs, contributes());
      };
      previous = rawHostCall(`sum over ranks of ${bucket.label}`, sum, inputs, specs);
      places.forEach((place, i) => {
        summed[place] = previous[i];
      });
    }
    return summed;
  }

  private send(bucket: Bucket): void {
    const { numbers, label } = bucket;
    const x = { dtype: 'float32' as const, shape: [numbers.length], data: numbers };
    bucket.pending = (this.communicator as Communicator).startAllReduce(x, 'sum', label);
  }

  private sendNothing(bucket: Bucket): void {
    bucket.numbers.fill(0);
    this.send(bucket);
  }

  /** Waits for a bucket, which is sent now unless it has been. */
  private take(
    bucket: Bucket,
    given: readonly RawTensor[],
    outputs: readonly RawTensor[],
    contributes: boolean,
  ): void {
    const parts = partsOf(bucket, this.sums);
    if (!bucket.pending) {
      parts.forEach((part, i) => {
        if (contributes) copyElements(given[i], part);
        else part.data.fill(0);
      });
      this.send(bucket);
    }
    bucket.pending?.wait();
    bucket.pending = undefined;
    parts.forEach((part, i) => {
      copyElements(part, outputs[i]);
    });
  }

  /** Ends what was sent of a step that does not count as it is; all ranks do, for all buckets. */
  private discard(): void {
    if (!this.overlaps) return;
    for (const bucket of this.buckets) {
      if (!bucket.pending) this.sendNothing(bucket);
      bucket.pending?.wait();
      bucket.pending = undefined;
    }
  }
}

function bucketsOf(sums: readonly State[]): Bucket[] {
  const lists: number[][] = [];
  let bytes = 0;
  for (let place = sums.length - 1; place >= 0; place--) {
    const size = 4 * sizeOf(sums[place].shape);
    const list = lists.at(-1);
    if (!list || list.length >= BUCKET_TENSORS || bytes + size > BUCKET_BYTES) {
      lists.push([place]);
      bytes = size;
    } else {
      list.unshift(place);
      bytes += size;
    }
  }
  return lists.map((places) => {
    const length = places.reduce((sum, place) => sum + sizeOf(sums[place].shape), 0);
    // Memory of its own: small arrays would lie in V8's heap, and move.
    const numbers = new Float32Array(new ArrayBuffer(Math.max(4096, 4 * length)), 0, length);
    return { label: labelOf(places, sums), places, numbers, pending: undefined };
  });
}

function labelOf(places: readonly number[], sums: readonly State[]): string {
  const [first, last] = [places[0], places[places.length - 1]].map((place) =>
    sums[place].name.replace(/^gradient\//, ''),
  );
  return `gradients of ${first}${places.length > 1 ? ` … ${last}` : ''}`;
}

/** The numbers of each tensor of a bucket. */
function partsOf({ numbers, places }: Bucket, sums: readonly State[]) {
  let at = 0;
  return places.map((place) => {
    const { shape } = sums[place];
    const data = numbers.subarray(at, at + sizeOf(shape));
    at += data.length;
    return { dtype: 'float32' as const, shape, data };
  });
}

/** As the program adds up: what there was before times `keep`, plus what is given. */
function fill(
  numbers: Float32Array,
  given: readonly HostTensor[],
  before: readonly HostTensor[],
  keep: number,
): void {
  let at = 0;
  given.forEach(({ data }, i) => {
    const kept = before[i].data;
    for (let k = 0; k < data.length; k++) numbers[at + k] = kept[k] * keep + data[k];
    at += data.length;
  });
}
