// Writes GGUF files as llama.cpp's converter writes models of transformers: for tests of reading them.
import { tensorToFloat32, type WeightFile } from '../../src/formats/index.js';

export type Metadata = Readonly<Record<string, number | boolean | string | readonly (string | number)[]>>;

/** A float where it is none of the metadata's whole numbers. */
const FLOATS = /epsilon|freq_base|factor|softcapping|scale|scores/;

class Writer {
  private readonly parts: Buffer[] = [];

  u32(value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return this.raw(bytes);
  }
  u64(value: number): this {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(value));
    return this.raw(bytes);
  }
  text(value: string): this {
    return this.u64(Buffer.byteLength(value)).raw(Buffer.from(value));
  }
  raw(bytes: Buffer): this {
    this.parts.push(bytes);
    return this;
  }
  float(value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeFloatLE(value);
    return this.raw(bytes);
  }
  value(key: string, value: Metadata[string]): this {
    if (typeof value === 'string') return this.u32(8).text(value);
    if (typeof value === 'boolean') return this.u32(7).raw(Buffer.from([Number(value)]));
    if (typeof value === 'number')
      return FLOATS.test(key) ? this.u32(6).float(value) : this.u32(4).u32(value);
    const kind = typeof value[0] === 'string' ? 8 : FLOATS.test(key) ? 6 : 4;
    this.u32(9).u32(kind).u64(value.length);
    for (const each of value) {
      if (typeof each === 'string') this.text(each);
      else if (kind === 6) this.float(each);
      else this.u32(each);
    }
    return this;
  }
  get bytes(): Buffer {
    return Buffer.concat(this.parts);
  }
}

/** A file of metadata and float32 tensors, [rows, columns] or [columns]. */
export function ggufFile(
  metadata: Metadata,
  tensors: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float32Array }>,
): Buffer {
  const header = new Writer().u32(0x46554747).u32(3).u64(tensors.size).u64(Object.keys(metadata).length);
  for (const [key, value] of Object.entries(metadata)) header.text(key).value(key, value);
  const padded = (size: number): number => Math.ceil(size / 32) * 32;
  let offset = 0;
  for (const [name, { shape, data }] of tensors) {
    header.text(name).u32(shape.length);
    for (const size of [...shape].reverse()) header.u64(size);
    header.u32(0).u64(offset);
    offset += padded(data.byteLength);
  }
  const { bytes } = header;
  const filled = (part: Buffer): Buffer => Buffer.concat([part, Buffer.alloc(padded(part.length) - part.length)]); // biome-ignore format: one line
  const parts = [...tensors.values()].map(({ data }) => filled(Buffer.from(data.buffer, data.byteOffset, data.byteLength))); // biome-ignore format: one line
  return Buffer.concat([filled(bytes), ...parts]);
}

const NAMES: readonly (readonly [RegExp, string])[] = [
  [/^model\.embed_tokens/, 'token_embd'],
  [/^model\.norm/, 'output_norm'],
  [/^lm_head/, 'output'],
  [/^model\.layers\.(\d+)\.input_layernorm/, 'blk.$1.attn_norm'],
  [/^model\.layers\.(\d+)\.pre_feedforward_layernorm/, 'blk.$1.ffn_norm'],
  [/^model\.layers\.(\d+)\.post_feedforward_layernorm/, 'blk.$1.post_ffw_norm'],
  [/^model\.layers\.(\d+)\.self_attn\.([qkv])_proj/, 'blk.$1.attn_$2'],
  [/^model\.layers\.(\d+)\.self_attn\.([qk])_norm/, 'blk.$1.attn_$2_norm'],
  [/^model\.layers\.(\d+)\.self_attn\.o_proj/, 'blk.$1.attn_output'],
  [/^model\.layers\.(\d+)\.mlp\.(gate|up|down)_proj/, 'blk.$1.ffn_$2'],
];

/** The tensors of a folder of transformers by llama.cpp's names, in its order of rows, and with Gemma's norms whole. */
export async function ggufTensors(
  weights: WeightFile,
  { family, headSize }: { readonly family: string; readonly headSize: number },
): Promise<Map<string, { shape: readonly number[]; data: Float32Array }>> {
  const isGemma = family.startsWith('gemma');
  const after = family === 'gemma2' || family === 'gemma3' ? 'post_attention_norm' : 'ffn_norm';
  const names = [...NAMES, [/^model\.layers\.(\d+)\.post_attention_layernorm/, `blk.$1.${after}`] as const];
  const tensors = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  for (const [name, { shape }] of weights.entries) {
    const [pattern, to] = names.find(([pattern]) => pattern.test(name)) ?? [/$^/, ''];
    let data = Float32Array.from(tensorToFloat32(await weights.read(name)));
    if (isGemma && name.endsWith('norm.weight')) data = data.map((value) => value + 1);
    if (family === 'llama' && /[qk]_proj\.weight$/.test(name)) data = neighbouring(data, headSize, shape[1]);
    tensors.set(name.replace(pattern, to), { shape, data });
  }
  return tensors;
}

/** Rows that are half a head apart become neighbours. */
function neighbouring(data: Float32Array, headSize: number, columns: number): Float32Array<ArrayBuffer> {
  const out = new Float32Array(data.length);
  for (let row = 0; row < data.length / columns; row++) {
    const [head, at] = [Math.floor(row / headSize), row % headSize];
    const to = head * headSize + 2 * (at % (headSize / 2)) + Math.floor(at / (headSize / 2));
    out.set(data.subarray(row * columns, (row + 1) * columns), to * columns);
  }
  return out;
}
