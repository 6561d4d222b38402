// The interface of communicators: what ranks say to each other. Implementations: self (one rank), local/ (processes of one
// machine over shared memory), mpi/. Not about who starts the ranks (world.ts) nor what training does with them.
import type { HostTensor, RawTensor } from '../engine/index.js';

/** How elements of several ranks become one. */
export type Reduction = 'sum' | 'max' | 'min';

/** What a collective reads or writes: a tensor of the host's, or one at an address (of a host call). */
export type Elements = HostTensor | RawTensor;

/** A collective under way. Its elements belong to it until it has ended. */
export interface Pending {
  /** Ends it where that needs no waiting; whether it has ended. */
  test(): boolean;
  /** Returns when it has ended. @throws AnemoneError `distributed.*` */
  wait(): void;
}

/**
 * A group of ranks. All of them call the same collectives in the same order; `label` says in messages which one it is, such as
 * `gradients of encoder.layers.3`. Numbers of `float16` and `bfloat16` are added in 32 bits and rounded once; sums are made
 * in the order of ranks, whatever the number of elements, where `ordered` says so.
 * All methods throw AnemoneErrors: `distributed.ended` where another rank has failed, `distributed.timeout` where one does not
 * come, `distributed.disagreement` where ranks call different collectives or sizes, `distributed.argument` for sizes that do
 * not fit.
 */
export interface Communicator {
  readonly kind: 'self' | 'local' | 'mpi';
  /** From 0. */
  readonly rank: number;
  readonly size: number;
  /** Whether sums are made in the order of ranks, and so repeat bit by bit. */
  readonly ordered: boolean;
  /** In place; the tensors of a list are sent together. */
  allReduce(x: Elements | readonly Elements[], reduction: Reduction, label: string): void;
  /** The elements of `root`, in place. */
  broadcast(x: Elements, root: number, label: string): void;
  /**
   * The elements of all ranks, one after the other.
   * @param counts elements of each rank; default: all have as many
   */
  allGather(x: Elements, into: Elements, label: string, counts?: readonly number[]): void;
  /**
   * Reduces `x` and leaves the part of each rank with it.
   * @param counts elements of each rank's part; default: all have as many
   */
  reduceScatter(
    x: Elements,
    into: Elements,
    reduction: Reduction,
    label: string,
    counts?: readonly number[],
  ): void;
  /** Returns when `x` may be written again. */
  send(x: Elements, to: number, label: string): void;
  receive(x: Elements, from: number, label: string): void;
  barrier(label: string): void;
  /** As `allReduce`; what is computed meanwhile may not touch `x`. */
  startAllReduce(x: Elements | readonly Elements[], reduction: Reduction, label: string): Pending;
  startAllGather(x: Elements, into: Elements, label: string, counts?: readonly number[]): Pending;
  startReduceScatter(
    x: Elements,
    into: Elements,
    reduction: Reduction,
    label: string,
    counts?: readonly number[],
  ): Pending;
  startSend(x: Elements, to: number, label: string): Pending;
  startReceive(x: Elements, from: number, label: string): Pending;
  /**
   * A group of those ranks that give the same number; its ranks are ordered by `key`, and by rank where it is equal.
   * `undefined`: this rank is in none.
   */
  split(color: number | undefined, key?: number): Communicator | undefined;
  /** Tells the other ranks that this one cannot go on: what they wait for throws `distributed.ended`. */
  abort(exitCode: number): void;
  /** Gives back what it holds, once all ranks have come here. */
  close(): void;
}
