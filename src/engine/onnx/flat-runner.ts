// Runs the graph of a flat update over its states, stretch by stretch.
import type { HostTensor, TensorSpec } from '../tensors.js';
import type { FlatMember, FlatUpdate, FlatWrite } from './passes/flat-update.js';
import type { Loan } from './passing-buffers.js';
import type { RunTensor } from './run-tensor.js';
import type { Session } from './session.js';
import type { StateStore } from './state-store.js';

/**
 * Numbers of a stretch. Measured: shorter ones spend their time on starting runs and threads, longer ones leave the cache
 * between one node and the next.
 */
export const STRETCH = 1 << 16;
/** Stretches begin at multiples of so many numbers, a line of the cache. */
const LINE = 16;

export async function runFlatUpdate(
  update: FlatUpdate,
  session: Session,
  values: ReadonlyMap<string, RunTensor>,
  store: StateStore,
  loan: Loan,
): Promise<void> {
  const beside = update.writes.map((write) => (write.inPlace ? undefined : loan.tensor(scratchFor(write))));
  for (const member of update.members) {
    const feeds: Record<string, HostTensor> = {};
    update.scalars.forEach((name, i) => {
      feeds[name] = values.get(member.scalars[i]) as HostTensor;
    });
    const reads = member.reads.map((name) => values.get(name) as HostTensor);
    const states = member.writes.map(([state]) => store.currentOnHost(state));
    for (const [from, to] of stretches(member)) {
      update.reads.forEach((name, i) => {
        feeds[name] = viewOf(reads[i], from, to);
      });
      const fetches: Record<string, HostTensor> = {};
      update.writes.forEach(({ output }, i) => {
        const scratch = beside[i];
        fetches[output] = scratch ? viewOf(scratch, 0, to - from) : viewOf(states[i], from, to);
      });
      await session.run(feeds, fetches);
      update.writes.forEach(({ output }, i) => {
        if (beside[i]) viewOf(states[i], from, to).data.set(fetches[output].data);
      });
    }
  }
}

/** What a run borrows: room for a stretch of each new value that cannot be written over the old one. */
export function scratchOf({ writes }: FlatUpdate): readonly TensorSpec[] {
  return writes.filter(({ inPlace }) => !inPlace).map(scratchFor);
}

function scratchFor({ dtype }: FlatWrite): TensorSpec {
  return { dtype, shape: [STRETCH] };
}

function stretches({ size }: FlatMember): readonly (readonly [number, number])[] {
  const count = Math.ceil(size / STRETCH);
  const length = Math.ceil(size / count / LINE) * LINE;
  return Array.from({ length: count }, (_, i) => [i * length, Math.min(size, (i + 1) * length)] as const);
}

/** Kept as long as the tensors, so that a session makes its values of them once. */
const views = new WeakMap<HostTensor, Map<string, HostTensor>>();

/** The numbers `from` to `to` of a tensor as a vector over the same memory. */
function viewOf(tensor: HostTensor, from: number, to: number): HostTensor {
  const known = views.get(tensor) ?? new Map<string, HostTensor>();
  views.set(tensor, known);
  const key = `${from}:${to}`;
  const view = known.get(key) ?? {
    dtype: tensor.dtype,
    shape: [to - from],
    data: tensor.data.subarray(from, to),
  };
  known.set(key, view);
  return view;
}
