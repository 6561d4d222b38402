// How errors are said.
import { describe, expect, it } from 'vitest';
import { encodeTranscripts } from '../../src/data/speech/dataset.js';
import { AnemoneError } from '../../src/errors/index.js';

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
