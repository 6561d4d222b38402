// What every communicator must do, run by each rank of a group: throws where one does not. conformance.ts [MPI chunk]
import assert from 'node:assert/strict';
import type { Communicator, Elements, Reduction } from '../../../src/distributed/index.js';
import { allocate, type DType, type HostData } from '../../../src/engine/index.js';
import { toBfloat16, toFloat16 } from '../../../src/formats/index.js';

const TYPES: readonly DType[] = ['float32', 'float16', 'bfloat16', 'int32', 'int64', 'uint8', 'int8'];
/** Around the sizes of slots, messages and cache lines. */
const LENGTHS = [0, 1, 7, 1000, 2 ** 18 + 1];
/** More than a slot of any type. */
const LONG = 2 ** 20 + 2 ** 18 + 5;

export function conform(communicator: Communicator): void {
  const { rank, size } = communicator;
  for (const dtype of TYPES) {
    for (const length of LENGTHS) allReduces(communicator, dtype, length);
    broadcasts(communicator, dtype);
    gathers(communicator, dtype);
    scatters(communicator, dtype);
    sends(communicator, dtype);
  }
  for (const dtype of ['float32', 'bfloat16'] as const) allReduces(communicator, dtype, LONG, ['sum']);
  lists(communicator);
  sumsOfHalves(communicator);
  handles(communicator);
  groups(communicator);
  assert.throws(
    () => communicator.broadcast(tensor('float32', [1]), size, 'from nobody'),
    /there is no rank/,
    'a root that does not exist',
  );
  assert.ok(rank >= 0 && rank < size);
  communicator.barrier('end of the test');
}

/** Small whole numbers, which all types hold and whose sums are exact. */
function value(rank: number, i: number): number {
  return ((i * 7 + rank * 3) % 5) + (i % 3);
}

type Holder = Elements & { readonly data: HostData };

function tensor(dtype: DType, values: readonly number[]): Holder {
  const data = allocate(dtype, values.length);
  if (dtype === 'int64') (data as unknown as BigInt64Array).set(values.map(BigInt));
  else if (dtype === 'float16') data.set(toFloat16(values));
  else if (dtype === 'bfloat16') data.set(toBfloat16(values));
  else data.set(values);
  return { dtype, shape: [values.length], data };
}

/** Bit by bit. */
function same(actual: Holder, expected: Holder, what: string): void {
  const bytes = ({ data }: Holder) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  assert.ok(bytes(actual).equals(bytes(expected)), `${what}: other values`);
}

function filled(dtype: DType, rank: number, length: number): Holder {
  return made(dtype, length, (i) => value(rank, i));
}

function made(dtype: DType, length: number, valueAt: (i: number) => number): Holder {
  const period = Array.from({ length: Math.min(length, 15) }, (_, i) => valueAt(i));
  const one = tensor(dtype, period).data;
  const data = allocate(dtype, length);
  data.set(one as never);
  // Twice as many each time, in whole periods.
  for (let filled = period.length; filled < length; filled *= 2) data.copyWithin(filled, 0, filled);
  return { dtype, shape: [length], data };
}

function ranksOf({ size }: Communicator): number[] {
  return Array.from({ length: size }, (_, rank) => rank);
}

function allReduces(
  communicator: Communicator,
  dtype: DType,
  length: number,
  reductions: readonly Reduction[] = ['sum', 'max', 'min'],
): void {
  const expected = {
    sum: (i: number) => ranksOf(communicator).reduce((sum, rank) => sum + value(rank, i), 0),
    max: (i: number) => Math.max(...ranksOf(communicator).map((rank) => value(rank, i))),
    min: (i: number) => Math.min(...ranksOf(communicator).map((rank) => value(rank, i))),
  };
  for (const reduction of reductions) {
    const x = filled(dtype, communicator.rank, length);
    communicator.allReduce(x, reduction, `${length} of ${dtype}`);
    same(x, made(dtype, length, expected[reduction]), `${reduction} of ${length} of ${dtype}`);
  }
}

function broadcasts(communicator: Communicator, dtype: DType): void {
  for (const root of ranksOf(communicator)) {
    const x = filled(dtype, communicator.rank, 300_001);
    communicator.broadcast(x, root, `${dtype}`);
    same(x, filled(dtype, root, 300_001), `broadcast of ${dtype}`);
  }
}

/** Uneven parts, one of them empty. */
function counts(communicator: Communicator): number[] {
  return ranksOf(communicator).map((rank) => (rank === 1 ? 0 : 5 + rank * 150_001));
}

function gathers(communicator: Communicator, dtype: DType): void {
  const sizes = counts(communicator);
  const x = filled(dtype, communicator.rank, sizes[communicator.rank]);
  const into = made(
    dtype,
    sizes.reduce((a, b) => a + b),
    () => 0,
  );
  communicator.allGather(x, into, dtype, sizes);
  let start = 0;
  for (const rank of ranksOf(communicator)) {
    const part = { ...into, data: into.data.subarray(start, start + sizes[rank]) };
    same(part, filled(dtype, rank, sizes[rank]), `all-gather of ${dtype}`);
    start += sizes[rank];
  }
}

function scatters(communicator: Communicator, dtype: DType): void {
  const sizes = counts(communicator);
  const total = sizes.reduce((a, b) => a + b);
  const x = filled(dtype, communicator.rank, total);
  const into = made(dtype, sizes[communicator.rank], () => 0);
  communicator.reduceScatter(x, into, 'sum', dtype, sizes);
  const start = sizes.slice(0, communicator.rank).reduce((a, b) => a + b, 0);
  const sum = (i: number) => ranksOf(communicator).reduce((sum, rank) => sum + value(rank, start + i), 0);
  same(into, made(dtype, into.data.length, sum), `reduce-scatter of ${dtype}`);
}

/** Around a ring; handles, for all send at once. */
function sends(communicator: Communicator, dtype: DType): void {
  const { rank, size } = communicator;
  const [to, from] = [(rank + 1) % size, (rank + size - 1) % size];
  for (const length of [0, 3, 200_003]) {
    const x = filled(dtype, rank, length);
    const into = made(dtype, length, () => 0);
    const sent = communicator.startSend(x, to, 'ring');
    const received = communicator.startReceive(into, from, 'ring');
    // Neither waits alone: the other side may need this one.
    while (!received.test()) sent.test();
    sent.wait();
    received.wait();
    same(into, filled(dtype, from, length), `ring of ${dtype}`);
  }
}

/** Tensors that are sent together keep their elements apart. */
function lists(communicator: Communicator): void {
  const lengths = [3, 0, 400_000, 1, 65_536];
  const list = lengths.map((length) => filled('float32', communicator.rank, length));
  communicator.allReduce(list, 'sum', 'a list');
  for (const x of list) {
    const sum = (i: number) => ranksOf(communicator).reduce((sum, rank) => sum + value(rank, i), 0);
    same(x, made('float32', x.data.length, sum), 'a list');
  }
}

/** 2048 + 1 + 1 + 1: added in 16 bits, the ones would vanish one by one. */
function sumsOfHalves(communicator: Communicator): void {
  if (communicator.size < 3) return;
  const x = tensor('float16', [communicator.rank === 0 ? 2048 : 1]);
  communicator.allReduce(x, 'sum', 'halves');
  const exact = 2048 + communicator.size - 1;
  same(x, tensor('float16', [exact]), 'a sum of float16');
}

/** What is started ends in any order of waiting. */
function handles(communicator: Communicator): void {
  const list = [0, 1, 2].map((k) => filled('float32', communicator.rank + k, 70_000));
  const pending = list.map((x, k) => communicator.startAllReduce(x, 'sum', `handle ${k}`));
  for (const k of [2, 0, 1]) pending[k].wait();
  list.forEach((x, k) => {
    const wanted = ranksOf(communicator).reduce((sum, rank) => sum + value(rank + k, 11), 0);
    assert.equal(x.data[11], wanted, `handle ${k}`);
    assert.ok(pending[k].test());
  });
}

/** Even and odd ranks, in reverse order. */
function groups(communicator: Communicator): void {
  const { rank, size } = communicator;
  const group = communicator.split(rank % 2, -rank) as Communicator;
  const members = ranksOf(communicator).filter((other) => other % 2 === rank % 2);
  assert.equal(group.size, members.length);
  assert.equal(group.rank, members.reverse().indexOf(rank));
  const x = tensor('int32', [rank]);
  group.allReduce(x, 'sum', 'a group');
  assert.equal(
    x.data[0],
    members.reduce((a, b) => a + b, 0),
  );
  group.close();
  const rest = communicator.split(rank === 0 ? undefined : 0);
  assert.equal(rest?.size, rank === 0 ? undefined : size - 1);
  rest?.close();
}
