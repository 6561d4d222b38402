import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { blockTypes } from '../../src/formats/gguf/blocks.js';

interface Golden {
  readonly types: Record<string, { readonly type: number; readonly blocks: string; readonly values: string }>;
}

const { types } = JSON.parse(
  readFileSync(new URL('../golden/gguf_blocks.json', import.meta.url), 'utf8'),
) as Golden;
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));

describe('blocks of GGUF', () => {
  it.each(Object.entries(types))('writes %s out as the package gguf does, bit for bit', (name, golden) => {
    const type = blockTypes.get(golden.type);
    const expected = new Float32Array(bytesOf(golden.values).buffer);
    const out = new Float32Array(expected.length);
    type?.decode(bytesOf(golden.blocks), out);
    expect(type?.name).toBe(name);
    expect(new Uint32Array(out.buffer)).toEqual(new Uint32Array(expected.buffer));
  });
});
