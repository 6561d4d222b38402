// Runs the graph of a flat update over its states: over large ones stretch by stretch, over small ones several at a time.
import type { DType, HostTensor, TensorSpec } from '../tensors.js';
import type { FlatMember, FlatUpdate } from './passes/flat-update.js';
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

/** States of at most so many numbers are copied side by side and updated by one run: starting a run takes longer than that. */
export const SMALL = 1 << 12;
/** Numbers of the states that are updated side by side. */
export const SIDE_BY_SIDE = 1 << 14;

export async function runFlatUpdate(
  update: FlatUpdate,
  session: Session,
  values: ReadonlyMap<string, RunTensor>,
  store: StateStore,
  loan: Loan,
): Promise<void> {
  const tensorOf = (name: string): HostTensor => values.get(name) as HostTensor;
  const scalarsOf = ({ scalars }: FlatMember): Feeds =>
    Object.fromEntries(update.scalars.map((name, i) => [name, tensorOf(scalars[i])]));
  const [beside, reads, writes] = scratchByUse(update).map((specs) =>
    specs.map((spec) => spec && loan.tensor(spec)),
  );
  const { large, small } = membersBySize(update.members);
  const length = isOneNode(update) ? Number.POSITIVE_INFINITY : STRETCH;
  for (const member of large) {
    const states = member.writes.map(([state]) => store.currentOnHost(state));
    const tensors = { reads: member.reads.map(tensorOf), states, beside };
    for (const stretch of stretches(member, length))
      await runStretch(update, session, scalarsOf(member), tensors, stretch);
  }
  for (const members of small) {
    const copies = members.map((member) => ({
      reads: member.reads.map(tensorOf),
      states: member.writes.map(([state]) => store.currentOnHost(state)),
      size: member.size,
    }));
    const scratch = { reads: reads as HostTensor[], writes: writes as HostTensor[] };
    await runSideBySide(update, session, scalarsOf(members[0]), copies, scratch);
  }
}

type Feeds = Record<string, HostTensor>;

interface StretchTensors {
  readonly reads: readonly HostTensor[];
  readonly states: readonly HostTensor[];
  /** Where a new value goes that cannot be written over the old one. */
  readonly beside: readonly (HostTensor | undefined)[];
}

/** Updates the numbers `from` to `to` of one member. */
async function runStretch(
  update: FlatUpdate,
  session: Session,
  scalars: Feeds,
  { reads, states, beside }: StretchTensors,
  [from, to]: readonly [number, number],
): Promise<void> {
  const feeds: Feeds = { ...scalars };
  update.reads.forEach((name, i) => {
    feeds[name] = viewOf(reads[i], from, to);
  });
  const fetches: Feeds = {};
  update.writes.forEach(({ output }, i) => {
    const scratch = beside[i];
    fetches[output] = scratch ? viewOf(scratch, 0, to - from) : viewOf(states[i], from, to);
  });
  await session.run(feeds, fetches);
  update.writes.forEach(({ output }, i) => {
    if (beside[i]) viewOf(states[i], from, to).data.set(fetches[output].data);
  });
}

interface Copied {
  readonly reads: readonly HostTensor[];
  readonly states: readonly HostTensor[];
  readonly size: number;
}

/** Updates small members whose scalars are the same, as one vector. */
async function runSideBySide(
  update: FlatUpdate,
  session: Session,
  scalars: Feeds,
  members: readonly Copied[],
  scratch: { readonly reads: readonly HostTensor[]; readonly writes: readonly HostTensor[] },
): Promise<void> {
  let total = 0;
  const placed = members.map((member) => {
    const from = total;
    total += member.size;
    return { ...member, from, to: total };
  });
  const feeds: Feeds = { ...scalars };
  update.reads.forEach((name, i) => {
    for (const { reads, from } of placed) scratch.reads[i].data.set(reads[i].data, from);
    feeds[name] = viewOf(scratch.reads[i], 0, total);
  });
  const fetches = Object.fromEntries(
    update.writes.map(({ output }, i) => [output, viewOf(scratch.writes[i], 0, total)]),
  );
  await session.run(feeds, fetches);
  update.writes.forEach((_, i) => {
    for (const { states, from, to } of placed) states[i].data.set(viewOf(scratch.writes[i], from, to).data);
  });
}

/** What a run borrows. */
export function scratchOf(update: FlatUpdate): readonly TensorSpec[] {
  return scratchByUse(update).flatMap((specs) => specs.flatMap((spec) => spec ?? []));
}

/** Room for a stretch of each new value that cannot be written over the old one; for what small members read; for what they write. */
function scratchByUse(update: FlatUpdate): readonly (readonly (TensorSpec | undefined)[])[] {
  const { graph, reads, writes, members } = update;
  const beside = writes.map(({ dtype, inPlace }) => (inPlace ? undefined : { dtype, shape: [STRETCH] }));
  if (membersBySize(members).small.length === 0) return [beside, [], []];
  const typeOf = new Map(graph.inputs.map(({ name, dtype }) => [name, dtype]));
  const shape = [SIDE_BY_SIDE];
  return [
    beside,
    reads.map((name) => ({ dtype: typeOf.get(name) as DType, shape })),
    writes.map(({ dtype }) => ({ dtype, shape })),
  ];
}

interface MembersBySize {
  readonly large: readonly FlatMember[];
  readonly small: readonly (readonly FlatMember[])[];
}

const bySize = new WeakMap<readonly FlatMember[], MembersBySize>();

function membersBySize(members: readonly FlatMember[]): MembersBySize {
  const sortedMembers = bySize.get(members) ?? sortBySize(members);
  bySize.set(members, sortedMembers);
  return sortedMembers;
}

/** Small members in groups of equal scalars; one that has no company is left with the large ones. */
function sortBySize(members: readonly FlatMember[]): MembersBySize {
  const groups: { readonly key: string; size: number; readonly members: FlatMember[] }[] = [];
  const large = members.filter(({ size }) => size > SMALL);
  for (const member of members.filter(({ size }) => size <= SMALL)) {
    const key = member.scalars.join(' ');
    const group = groups.findLast((candidate) => candidate.key === key);
    if (group && group.size + member.size <= SIDE_BY_SIDE) {
      group.members.push(member);
      group.size += member.size;
    } else groups.push({ key, size: member.size, members: [member] });
  }
  const alone = groups.filter((group) => group.members.length === 1).flatMap((group) => group.members);
  const small = groups.flatMap((group) => (group.members.length > 1 ? [group.members] : []));
  return { large: [...large, ...alone], small };
}

/** Nothing is held between nodes then: whole tensors are as good as stretches. */
function isOneNode({ graph, writes }: FlatUpdate): boolean {
  return graph.nodes.length === 1 && writes.every(({ inPlace }) => inPlace);
}

function stretches({ size }: FlatMember, most: number): readonly (readonly [number, number])[] {
  const count = Math.max(1, Math.ceil(size / most));
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
