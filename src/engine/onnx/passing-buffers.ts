// Memory of values that go from one part of a program to a later one, such as gradients. It is lent for a run, so all
// programs of an engine use the same: signatures by the dozen would hold the gradients as often.
import { allocate, type DType, type HostTensor, sizeOf, type TensorSpec } from '../tensors.js';

/** What is lent for one run. */
export interface Loan {
  tensor(spec: TensorSpec): HostTensor;
  giveBack(): void;
}

export class PassingBuffers {
  private readonly free = new Map<string, HostTensor[]>();
  /** How many of a kind each program needs at once. */
  private readonly needs = new Map<object, ReadonlyMap<string, number>>();

  /** Says what a program's runs will ask for: so much is kept between runs. */
  expect(program: object, specs: readonly TensorSpec[]): void {
    const counts = new Map<string, number>();
    for (const spec of specs) counts.set(keyOf(spec), (counts.get(keyOf(spec)) ?? 0) + 1);
    this.needs.set(program, counts);
  }

  /** Frees what only this program needed. */
  forget(program: object): void {
    this.needs.delete(program);
    for (const key of this.free.keys()) this.trim(key);
  }

  lend(): Loan {
    const lent: HostTensor[] = [];
    return {
      tensor: (spec) => {
        const tensor = this.free.get(keyOf(spec))?.shift() ?? made(spec);
        lent.push(tensor);
        return tensor;
      },
      giveBack: () => {
        for (const tensor of lent.splice(0)) this.take(tensor);
      },
    };
  }

  /** Bytes that are kept and not lent. */
  get bytes(): number {
    return [...this.free.values()].flat().reduce((sum, { data }) => sum + data.byteLength, 0);
  }

  private take(tensor: HostTensor): void {
    const key = keyOf(tensor);
    this.free.set(key, [...(this.free.get(key) ?? []), tensor]);
    this.trim(key);
  }

  private trim(key: string): void {
    const most = Math.max(0, ...[...this.needs.values()].map((counts) => counts.get(key) ?? 0));
    const kept = this.free.get(key)?.slice(0, most) ?? [];
    if (kept.length > 0) this.free.set(key, kept);
    else this.free.delete(key);
  }
}

function keyOf({ dtype, shape }: TensorSpec): string {
  return `${dtype}[${shape.join()}]`;
}

function made({ dtype, shape }: { readonly dtype: DType; readonly shape: readonly number[] }): HostTensor {
  return { dtype, shape, data: allocate(dtype, sizeOf(shape)) };
}
