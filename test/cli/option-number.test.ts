// Numbers of options: what is none is refused while the command line is read.
import { expect, it } from 'vitest';
import { run } from '../../src/cli/main.js';
import { notNegative, wholeNumber } from '../../src/cli/option-number.js';

it.each(['x', '', ' ', '1.5', '0', '-1', 'Infinity'])('"%s" is no whole number of at least 1', (text) => {
  expect(() => wholeNumber(1)(text)).toThrow('expected an integer ≥ 1');
});

it('takes whole numbers, and durations that are not negative', () => {
  expect([wholeNumber(1)('1'), wholeNumber(0)('0'), wholeNumber(0)('1e3')]).toEqual([1, 0, 1000]);
  expect([notNegative('0'), notNegative('0.25')]).toEqual([0, 0.25]);
  expect(() => notNegative('-0.1')).toThrow('not negative');
});

it.each([
  ['test', 'model.nemo', '--samples', 'x'],
  ['inspect', 'model.nemo', '--depth', '-1'],
  ['manifest', 'check', 'data.json', '--workers', '1.5'],
])('ends with exit code 2: %s', async (...line) => {
  expect(await run(line)).toBe(2);
});
