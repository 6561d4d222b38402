// Rows of chats: what is learned of them, and that a template that writes the ends of a text itself has each once.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ChatText, readAnswerRows } from '../../../src/data/index.js';

const [BOS, EOS] = [1, 2];
/** A character is a token, `<` and `>` begin and end a text. */
const encode = (text: string) =>
  Array.from(text, (c) => (c === '<' ? BOS : c === '>' ? EOS : c.charCodeAt(0)));
const file = join(mkdtempSync(join(tmpdir(), 'rows-')), 'rows.jsonl');

/** Tokens as text, what is learned in brackets. */
async function shown(row: object, chat: ChatText, more: object = {}): Promise<string> {
  writeFileSync(file, JSON.stringify(row));
  const options = { encode, template: '{input} {output}', labelKey: 'output', truncated: [], cut: 'right', length: 100, answerOnly: true, bos: BOS, separator: undefined, eos: EOS, chat, section: 'train_ds' } as const; // biome-ignore format: one line
  const [{ tokens, learned }] = await readAnswerRows(file, { ...options, ...more });
  const text = Array.from(tokens, (id, i) => {
    const c = id === BOS ? '<' : id === EOS ? '>' : String.fromCharCode(id);
    return learned[i] ? `[${c}]` : c;
  });
  return text.join('').replaceAll('][', '');
}

const messages = [
  { role: 'user', content: 'a' },
  { role: 'assistant', content: 'b' },
  { role: 'user', content: 'c' },
  { role: 'assistant', content: 'd' },
];
const turns =
  (start: string, end: string): ChatText =>
  (all, asks) =>
    `${start}${all.map(({ role, content }) => `${role[0]}:${content}${end}`).join('')}${asks ? 'a:' : ''}`;

describe('a chat', () => {
  it.each([
    ['writes neither end', turns('', '.'), '<u:a.a:[b.]u:c.a:[d.>]'],
    ['writes the beginning', turns('<', '.'), '<u:a.a:[b.]u:c.a:[d.>]'],
    ['ends its turns, a line break behind', turns('', '>\n'), '<u:a>\na:[b>\n]u:c>\na:[d>\n]'],
    ['writes both', turns('<', '>'), '<u:a>a:[b>]u:c>a:[d>]'],
  ])('whose template %s has each once, and its answers are learned', async (_, chat, expected) => {
    expect(await shown({ messages }, chat)).toBe(expected);
  });

  it('has no end that was not asked for', async () => {
    expect(await shown({ messages }, turns('', '.'), { eos: undefined, bos: undefined })).toBe('u:a.a:[b.]u:c.a:[d.]'); // biome-ignore format: one line
  });
});

it('a row of a prompt and an answer has its end after whatever the answer says', async () => {
  expect(await shown({ input: 'a', output: 'b>' }, turns('', ''))).toBe('<a[ b>>]');
});
