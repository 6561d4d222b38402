// Ids and texts of every kind of tokenizer.json are those of Hugging Face's tokenizers.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { HuggingFaceTokenizer } from '../../src/text/index.js';

interface Golden {
  readonly tokenizer: unknown;
  readonly texts: readonly string[];
  readonly ids: readonly (readonly number[])[];
  readonly withSpecials: readonly (readonly number[])[];
  readonly decoded: readonly string[];
}

const folder = new URL('../golden/tokenizers/', import.meta.url);
const kinds = readdirSync(folder).filter((name) => name.endsWith('.json'));

describe.each(kinds)('%s', (name) => {
  const golden = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Golden;
  const tokenizer = HuggingFaceTokenizer.fromBytes(Buffer.from(JSON.stringify(golden.tokenizer)), {}, name);
  it.each(golden.texts.map((text, i) => [JSON.stringify(text), i] as const))('%s', (_, i) => {
    expect(tokenizer.textToIds(golden.texts[i])).toEqual(golden.ids[i]);
    expect(tokenizer.textToIdsWithSpecials(golden.texts[i])).toEqual(golden.withSpecials[i]);
    expect(tokenizer.idsToText(golden.ids[i])).toBe(golden.decoded[i]);
  });
});
