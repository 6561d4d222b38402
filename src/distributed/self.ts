// The communicator of a rank that is alone: nothing is sent, and what is reduced is what it was.
import type { Communicator, Elements, Pending, Reduction } from './communicator.js';
import { badArgument, checkRank, countsOf, lengthOf } from './elements.js';
import { copyElements } from './memory.js';

const DONE: Pending = { test: () => true, wait: () => {} };

export class SelfCommunicator implements Communicator {
  readonly kind = 'self';
  readonly rank = 0;
  readonly size = 1;
  readonly ordered = true;
  /** What this rank has sent to itself and not received yet. */
  private readonly sent: Elements[] = [];

  allReduce(_x: Elements | readonly Elements[], _reduction: Reduction, _label: string): void {}

  broadcast(_x: Elements, root: number, label: string): void {
    checkRank(root, 1, label);
  }

  allGather(x: Elements, into: Elements, label: string, counts?: readonly number[]): void {
    countsOf(into, x, this, label, counts);
    copyElements(x, into);
  }

  reduceScatter(
    x: Elements,
    into: Elements,
    _reduction: Reduction,
    label: string,
    counts?: readonly number[],
  ): void {
    countsOf(x, into, this, label, counts);
    copyElements(x, into);
  }

  /** Kept until it is received, as a message between two ranks may be. */
  send(x: Elements, to: number, label: string): void {
    checkRank(to, 1, label);
    this.sent.push(copyOf(x));
  }

  receive(x: Elements, from: number, label: string): void {
    checkRank(from, 1, label);
    const message = this.sent.shift();
    if (!message) throw badArgument(label, 'the only rank receives what it has not sent');
    if (message.dtype !== x.dtype || lengthOf(message) !== lengthOf(x)) {
      throw badArgument(label, `${lengthOf(message)} of ${message.dtype} were sent`);
    }
    copyElements(message, x);
  }

  barrier(_label: string): void {}

  startAllReduce(): Pending {
    return DONE;
  }

  startAllGather(x: Elements, into: Elements, label: string, counts?: readonly number[]): Pending {
    this.allGather(x, into, label, counts);
    return DONE;
  }

  startReduceScatter(
    x: Elements,
    into: Elements,
    reduction: Reduction,
    label: string,
    counts?: readonly number[],
  ): Pending {
    this.reduceScatter(x, into, reduction, label, counts);
    return DONE;
  }

  startSend(x: Elements, to: number, label: string): Pending {
    this.send(x, to, label);
    return DONE;
  }

  /** Received when it is waited for: this rank may send it between. */
  startReceive(x: Elements, from: number, label: string): Pending {
    let received = false;
    const receive = () => {
      if (!received) this.receive(x, from, label);
      received = true;
    };
    return {
      test: () => {
        if (received || this.sent.length > 0) receive();
        return received;
      },
      wait: receive,
    };
  }

  split(color: number | undefined): Communicator | undefined {
    return color === undefined ? undefined : new SelfCommunicator();
  }

  abort(): void {}

  close(): void {}
}

function copyOf(x: Elements): Elements {
  if ('data' in x) return { ...x, data: x.data.slice() };
  const data = new Uint8Array(x.bytes);
  copyElements(x, { dtype: 'uint8', shape: [x.bytes], data });
  return { dtype: x.dtype, shape: x.shape, data } as Elements;
}
