import { describe, expect, it } from 'vitest';
import {
  AnemoneError,
  printable,
  printableJson,
  printableLines,
  readableLines,
  reportOf,
} from '../../src/errors/index.js';
import { LogLineView, QuietView } from '../../src/training/index.js';

/** What a terminal obeys, what begins lines, and what turns the direction of writing. */
const unsafe = [
  '\u0007',
  '\u001b',
  '\r',
  '\u007f',
  '\u0085',
  '\u009b',
  '\u2028',
  '\u2029',
  '\u200f',
  '\u202e',
  '\u2066',
];

describe('text of strangers', () => {
  it.each(unsafe)('is printed with its controls visible: %j', (sign) => {
    const shown = sign.charCodeAt(0) < 256 ? /^a\\x[0-9a-f]{2}b$/ : /^a\\u[0-9a-f]{4}b$/;
    expect(printable(`a${sign}b`)).toMatch(shown);
    expect(printableLines(`a${sign}b`)).toMatch(shown);
  });

  it('stays as it is otherwise', () => {
    const text = 'Zoë 東京 👩‍👩‍👧 שלום \\x1b';
    expect(printable(text)).toBe(text);
    expect(printableLines(`${text}\n\t${text}`)).toBe(`${text}\n\t${text}`);
    expect(printable('a\nb')).toBe('a\\x0ab');
  });

  it('means the same in JSON', () => {
    const value = { [unsafe.join('')]: unsafe };
    const printed = printableJson(JSON.stringify(value, null, 2));
    expect(JSON.parse(printed)).toEqual(value);
    expect(printed).toMatch(/^[\n -~]*$/);
  });

  it('begins no line and moves no cursor in an error', () => {
    const error = new AnemoneError({
      code: 'x',
      message: 'has \u001b[2J',
      path: 'a\nerror: b',
      position: { file: 'dev/\u001b]0;pwn\u0007\nerror: x.wav', line: 1 },
    });
    expect(reportOf(error).text).toMatch(/^error: [ -~]*\n$/);
    expect(error.position?.file).toContain('\u001b');
    expect(reportOf(new Error('\u001b[2J')).text).not.toContain('\u001b');
  });

  it('is shown so in the progress of a run', () => {
    const lines: string[] = [];
    for (const View of [QuietView, LogLineView])
      new View((line) => void lines.push(line)).say('x\u001b[2J\u202e');
    expect(lines).toEqual(Array(2).fill('x\\x1b[2J\\u202e\n'));
  });

  it('leaves a line one that can be read, with its beginning and its end', () => {
    const line = `c.yaml:1:1: unknown key "${'a\u001b'.repeat(100_000)}" — drop it`;
    const text = readableLines(`first\n${line}\nlast\n`);
    expect(text.length).toBeLessThan(4200);
    expect(text).toMatch(
      /^first\nc\.yaml:1:1: unknown key "a.* … \(\d+ characters left out\) … .*" — drop it\nlast\n$/,
    );
    expect(readableLines('short\n')).toBe('short\n');
    const lines: string[] = [];
    for (const View of [QuietView, LogLineView]) new View((told) => void lines.push(told)).say(line);
    expect(lines.every((told) => told.length < 4200)).toBe(true);
  });
});
