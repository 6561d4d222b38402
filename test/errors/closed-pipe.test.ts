// What becomes of a process whose reader goes away.
import { EventEmitter } from 'node:events';
import { afterEach, expect, it, vi } from 'vitest';
import { exitOnClosedPipe, outliveReaders } from '../../src/errors/index.js';

const exit = vi.spyOn(process, 'exit').mockImplementation(() => undefined as never);
afterEach(() => exit.mockClear());

function closed(code: string): void {
  const stream = new EventEmitter() as NodeJS.WriteStream;
  exitOnClosedPipe(stream);
  stream.emit('error', Object.assign(new Error(code), { code }));
}

it('what only prints ends quietly, and other failures are told', () => {
  closed('EPIPE');
  expect(exit).toHaveBeenCalledWith(0);
  expect(() => closed('EBADF')).toThrow('EBADF');
});

it('work that leaves more than its output goes on, until it is done', () => {
  const [first, second] = [outliveReaders(), outliveReaders()];
  closed('EPIPE');
  closed('EIO');
  first();
  first();
  closed('EPIPE');
  expect(exit).not.toHaveBeenCalled();
  second();
  closed('EPIPE');
  expect(exit).toHaveBeenCalledWith(0);
});

it('never ends with the reader of its progress', () => {
  exitOnClosedPipe();
  process.stderr.emit('error', Object.assign(new Error('EPIPE'), { code: 'EPIPE' }));
  expect(exit).not.toHaveBeenCalled();
});
