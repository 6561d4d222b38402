// Values of JavaScript between ranks: each gives one and gets those of all. A rank that cannot go on gives its error instead,
// and then none goes on.
import type { Communicator } from './communicator.js';
import { startsOf } from './elements.js';
import { ENDED_ELSEWHERE, EndedElsewhere } from './local/waiting.js';

type Message = { readonly value?: unknown } | { readonly failed: number };

/**
 * What all ranks give, in their order. Values are sent as JSON; numbers that JSON has no word for (NaN, infinities) arrive as
 * they are.
 * @throws AnemoneError `distributed.ended` where a rank gave an error instead, and what the communicator throws
 */
export function exchange<T>(communicator: Communicator, value: T, label: string): T[] {
  if (communicator.size === 1) return [value];
  const messages = exchangeMessages(communicator, { value }, label);
  const failure = messages.find((message) => 'failed' in message);
  if (failure && 'failed' in failure) {
    throw new EndedElsewhere(communicator.kind === 'local' ? ENDED_ELSEWHERE : failure.failed);
  }
  return messages.map((message) => (message as { value: T }).value);
}

/** Gives an error where the other ranks give values: theirs is not answered. */
export function exchangeFailure(communicator: Communicator, exitCode: number, label: string): void {
  if (communicator.size > 1) exchangeMessages(communicator, { failed: exitCode }, label);
}

function exchangeMessages(communicator: Communicator, message: Message, label: string): Message[] {
  const text = new TextEncoder().encode(JSON.stringify(message, encoded));
  const lengths = new Int32Array(communicator.size);
  const own = { dtype: 'int32', shape: [1], data: Int32Array.of(text.length) } as const;
  const shape = [communicator.size];
  communicator.allGather(own, { dtype: 'int32', shape, data: lengths }, `lengths of ${label}`);
  const counts = [...lengths];
  const bytes = new Uint8Array(counts.reduce((sum, n) => sum + n, 0));
  communicator.allGather(
    { dtype: 'uint8', shape: [text.length], data: text },
    { dtype: 'uint8', shape: [bytes.length], data: bytes },
    label,
    counts,
  );
  return startsOf(counts).map((start, i) => {
    const json = new TextDecoder().decode(bytes.subarray(start, start + counts[i]));
    return JSON.parse(json, decoded) as Message;
  });
}

const NUMBER = '$number';

function encoded(_key: string, value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) return { [NUMBER]: String(value) };
  return Object.is(value, -0) ? { [NUMBER]: '-0' } : value;
}

function decoded(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !(NUMBER in value)) return value;
  return Number((value as { [NUMBER]: string })[NUMBER]);
}
