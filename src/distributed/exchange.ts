// Values of JavaScript between ranks: each gives one and gets those of all. A rank that cannot go on gives its error instead,
// and then none goes on.
import { AnemoneError, reportOf } from '../errors/index.js';
import type { Communicator } from './communicator.js';
import { startsOf } from './elements.js';
import { ENDED_ELSEWHERE, EndedElsewhere } from './ended-elsewhere.js';
import { endIsToldOf } from './told.js';

interface Failure {
  readonly text: string;
  readonly exitCode: number;
}

interface Message {
  readonly label: string;
  readonly value?: unknown;
  readonly failure?: Failure;
}

/**
 * What all ranks give, in their order. Values are sent as JSON; numbers that JSON has no word for (NaN, infinities) arrive as
 * they are.
 * @throws AnemoneError `distributed.ended` where a rank gave an error instead, `distributed.disagreement` where ranks exchange
 *   different things, and what the communicator throws
 */
export function exchange<T>(communicator: Communicator, value: T, label: string): T[] {
  if (communicator.size === 1) return [value];
  const messages = exchangeMessages(communicator, { label, value });
  const failure = messages.find((message) => message.failure)?.failure;
  if (failure) throw endedElsewhere(communicator, failure);
  const other = messages.findIndex((message) => message.label !== label);
  if (other !== -1) {
    throw new AnemoneError({
      code: 'distributed.disagreement',
      message: `rank ${communicator.rank} exchanges the ${label}, rank ${other} the ${messages[other].label}`,
      hint: 'all ranks must do the same in the same order',
    });
  }
  return messages.map((message) => message.value as T);
}

/**
 * Gives an error where the other ranks give values: theirs is not answered.
 * @returns the error to go on with: where a rank before this one has failed alike, it speaks for both
 */
export function exchangeFailure(communicator: Communicator, error: unknown, label: string): unknown {
  if (communicator.size === 1) return error;
  const own = reportOf(error);
  const messages = exchangeMessages(communicator, { label, failure: own });
  endIsToldOf(error);
  const isSaid = messages.slice(0, communicator.rank).some(({ failure }) => failure?.text === own.text);
  return isSaid ? endedElsewhere(communicator, own) : error;
}

function endedElsewhere({ kind }: Communicator, { exitCode }: Failure): EndedElsewhere {
  const error = new EndedElsewhere(kind === 'local' ? ENDED_ELSEWHERE : exitCode);
  endIsToldOf(error);
  return error;
}

/** Under one label for all: a failure answers whatever the others exchange. */
function exchangeMessages(communicator: Communicator, message: Message): Message[] {
  const text = new TextEncoder().encode(JSON.stringify(message, encoded));
  const lengths = new Int32Array(communicator.size);
  const own = { dtype: 'int32', shape: [1], data: Int32Array.of(text.length) } as const;
  const all = { dtype: 'int32', shape: [communicator.size], data: lengths } as const;
  communicator.allGather(own, all, 'what ranks have to say: its length');
  const counts = [...lengths];
  const bytes = new Uint8Array(counts.reduce((sum, n) => sum + n, 0));
  communicator.allGather(
    { dtype: 'uint8', shape: [text.length], data: text },
    { dtype: 'uint8', shape: [bytes.length], data: bytes },
    'what ranks have to say',
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
