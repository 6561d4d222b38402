// How errors are said.
import { describe, expect, it } from 'vitest';
import { encodeTranscripts } from '../../src/data/speech/dataset.js';
import { AnemoneError, AnemoneErrors } from '../../src/errors/index.js';

describe('an error that passes on another', () => {
  const inner = new AnemoneError({ code: 'a.b', path: 'text', message: 'no "x"', hint: 'take "y"' });

  it('says the hint once', () => {
    const { code, message, hint } = inner;
    const outer = new AnemoneError({ code, message: `m.json:3: ${message}`, hint });
    expect(outer.message).toBe('m.json:3: text: no "x" — take "y"');
    expect(outer.hint).toBe('take "y"');
  });

  it('adds a hint of its own', () => {
    const outer = new AnemoneError({ code: 'a.c', message: inner.message, hint: 'or z' });
    expect(outer.message).toBe('text: no "x" — take "y" — or z');
  });

  it('names the manifest line of a transcript, and its hint once', () => {
    const utterance = { text: 'x', origin: 'm.json:3' } as Parameters<typeof encodeTranscripts>[0][number];
    const refuse = () => {
      throw inner;
    };
    expect(() => encodeTranscripts([utterance], refuse)).toThrow(/^m\.json:3: text: no "x" — take "y"$/);
  });
});

describe('a line end in what an error quotes', () => {
  const quoted = 'a\nerror: posing as ours\u2028x\x1b[2J';
  const fields = { code: 'x.y', message: `cannot read ${quoted}` };

  it.each([
    ['message', fields],
    ['path', { ...fields, path: quoted }],
    ['place', { ...fields, position: { file: quoted, line: 1 } }],
    ['hint', { ...fields, hint: `use ${quoted}` }],
  ])('is shown and ends no line: in the %s', (_, all) => {
    const { message } = new AnemoneError(all);
    expect(message).not.toMatch(/[\p{Cc}\u2028]/u);
    expect(message).toContain('a\\x0aerror: posing as ours\\u2028x\\x1b[2J');
  });

  it('ends no line below an error either, where lines are meant to be', () => {
    const error = new AnemoneError({ ...fields, lines: [`  ${quoted}`, '  b'], hint: 'look there' });
    expect(error.message.split('\n')).toEqual([
      expect.stringMatching(/^cannot read a\\x0aerror/),
      expect.stringMatching(/^ {2}a\\x0aerror/),
      '  b',
      '  — look there',
    ]);
    const all = new AnemoneErrors('x.y', `2 mistakes in ${quoted}`, [error, new AnemoneError(fields)]);
    expect(all.message.split('\n')).toHaveLength(6);
  });
});
