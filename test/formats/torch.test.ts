import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AnemoneError } from '../../src/errors/index.js';
import {
  memorySource,
  readWeights,
  type SafeTensor,
  tensorToFloat32,
  torchParts,
  torchWeights,
} from '../../src/formats/index.js';
import { codeOf } from './codes.js';

const folder = join(import.meta.dirname, '../fixtures/torch');
const bytesOf = (name: string) => new Uint8Array(readFileSync(join(folder, name)));
const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')).tensors as Record<
  string,
  { readonly shape: readonly number[]; readonly values: readonly number[] }
>;
const ofModule = (prefix: string) =>
  Object.fromEntries(
    Object.entries(expected)
      .filter(([name]) => name.startsWith('module.') === (prefix !== ''))
      .map(([name, value]) => [name.slice(prefix.length), value]),
  );

function numbers(tensor: SafeTensor): number[] {
  if (['F16', 'BF16'].includes(tensor.dtype)) return [...tensorToFloat32(tensor)];
  return Array.from(tensor.data as Iterable<number | bigint>, Number);
}

async function all(bytes: Uint8Array): Promise<typeof expected> {
  const weights = await readWeights(memorySource(bytes, 'x.pt'));
  const entries = [...weights.entries.keys()].map(async (name) => {
    const tensor = await weights.read(name);
    return [name, { shape: [...tensor.shape], values: numbers(tensor) }] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

async function written(tensors: Record<string, SafeTensor>): Promise<Uint8Array> {
  const entries = Object.entries(tensors).map(([name, { dtype, shape, data }]) => ({
    name,
    dtype,
    shape,
    data: () => data,
  }));
  const { size, parts } = torchParts(entries);
  const chunks: Uint8Array[] = [];
  for await (const part of parts) chunks.push(part);
  const bytes = new Uint8Array(Buffer.concat(chunks));
  expect(bytes.length).toBe(size);
  return bytes;
}

/** A pickle as the data.pkl of an otherwise good file. */
async function withPickle(pickle: Uint8Array): Promise<Uint8Array> {
  const { ZipWriter } = await import('../../src/formats/zip.js');
  const zip = new ZipWriter();
  const parts = zip.entry({ name: 'a/data.pkl', bytes: pickle });
  return new Uint8Array(Buffer.concat([...parts, zip.finish()]));
}

const text = (source: string) => new Uint8Array(Buffer.from(source, 'latin1'));

describe('files of torch.save, made by PyTorch', () => {
  it('reads every type, views, shared storages and parameters from the zip and the legacy format', async () => {
    const wanted = ofModule('');
    expect(await all(bytesOf('zip.pt'))).toEqual(wanted);
    expect(await all(bytesOf('legacy.pt'))).toEqual(wanted);
  });

  it('reads a state dict with metadata, and the weights of a Lightning checkpoint with strangers in it', async () => {
    const wanted = ofModule('module.');
    expect(await all(bytesOf('module.pt'))).toEqual(wanted);
    expect(await all(bytesOf('lightning.ckpt'))).toEqual(wanted);
  });

  it('refuses the strangers where only weights belong', async () => {
    const source = memorySource(bytesOf('lightning.ckpt'));
    expect(await codeOf(torchWeights(source, false))).toBe('pickle.forbidden');
  });
});

describe('writing', () => {
  it('reads back what it wrote', async () => {
    const tensors: Record<string, SafeTensor> = {
      'a.weight': { dtype: 'F32', shape: [2, 3], data: Float32Array.of(1, -2, 3, 4.5, 0, -0.25) },
      'a.count': { dtype: 'I64', shape: [], data: BigInt64Array.of(7n) },
      half: { dtype: 'F16', shape: [1], data: Uint16Array.of(0x3c00) },
      empty: { dtype: 'F32', shape: [0, 2], data: new Float32Array(0) },
    };
    const weights = await readWeights(memorySource(await written(tensors)));
    expect([...weights.entries.keys()]).toEqual(Object.keys(tensors));
    for (const [name, tensor] of Object.entries(tensors)) {
      const back = await weights.read(name);
      expect({ ...back, data: [...back.data] }).toEqual({ ...tensor, data: [...tensor.data] });
    }
  });

  it('aligns numbers to 64 bytes', async () => {
    const bytes = await written({ w: { dtype: 'F32', shape: [3], data: Float32Array.of(1.5, 2.5, 3.5) } });
    const pattern = Buffer.from(Float32Array.of(1.5, 2.5, 3.5).buffer);
    expect(Buffer.from(bytes).indexOf(pattern) % 64).toBe(0);
  });

  it('refuses numbers that do not fit the shape', async () => {
    const wrong = written({ w: { dtype: 'F32', shape: [4], data: Float32Array.of(1) } });
    expect(await codeOf(wrong)).toBe('torch.write');
  });
});

describe('hostile files', () => {
  const commands = {
    'os.system': "cos\nsystem\n(S'touch /tmp/anemone-was-here'\ntR.",
    'posix.system': "cposix\nsystem\n(S'id'\ntR.",
    'builtins.eval': "cbuiltins\neval\n(S'1'\ntR.",
    'subprocess.Popen': "(isubprocess\nPopen\n(lS'id'\na.",
    'builtins.getattr': '\x80\x04\x8c\x08builtins\x8c\x07getattr\x93.',
    'nt.system': '\x80\x02cnt\nsystem\n.',
  };
  it.each(Object.entries(commands))('%s is refused, in weights and in checkpoints', async (name, pickle) => {
    const bytes = await withPickle(text(pickle));
    for (const lenient of [true, false]) {
      const error = await torchWeights(memorySource(bytes), lenient).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(AnemoneError);
      expect((error as AnemoneError).code).toBe('pickle.forbidden');
      expect((error as AnemoneError).path).toBe(name);
    }
  });

  it('nests as deep as the file is long without recursion', async () => {
    const deep = text(`\x80\x02${'('.repeat(200_000)}${'t'.repeat(200_000)}.`);
    expect(await codeOf(torchWeights(memorySource(await withPickle(deep)), false))).toBe('weights.unknown');
  });

  it('wrong opcodes, empty stacks, cut-off values and absurd integers are errors', async () => {
    const bad = ['', '.', 'R.', '\xff', '\x80\x09.', 'X\xff\xff\xff\xff', 'h\x05.', '\x8b\xff\xff\xff\x7f', 'Ix\n.', '(u.', 'K\x01K\x02R.', 'Qa.']; // biome-ignore format: a row
    for (const pickle of bad) {
      const code = await codeOf(torchWeights(memorySource(await withPickle(text(pickle))), true));
      expect([pickle, code]).toEqual([pickle, expect.stringMatching(/^(pickle|torch)\./)]);
    }
  });

  const tensorPickle = (storage: string, offset: string, shape: string, strides: string) =>
    text(
      `\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpu${storage}tQ${offset}(${shape}t(${strides}t\x89}tRs.`,
    );

  it('sizes that reach beyond the storage are errors', async () => {
    const { ZipWriter } = await import('../../src/formats/zip.js');
    const file = async (pickle: Uint8Array) => {
      const zip = new ZipWriter();
      const parts = [
        ...zip.entry({ name: 'a/data.pkl', bytes: pickle }),
        ...zip.entry({ name: 'a/data/0', bytes: new Uint8Array(16) }),
      ];
      return memorySource(new Uint8Array(Buffer.concat([...parts, zip.finish()])));
    };
    const reads = async (pickle: Uint8Array) => (await torchWeights(await file(pickle), false)).read('w');
    const K = (n: number) => `J${String.fromCharCode(n & 255, (n >> 8) & 255, (n >> 16) & 255, n >>> 24)}`;
    await reads(tensorPickle(K(4), K(0), K(4), K(1)));
    expect(await codeOf(reads(tensorPickle(K(4), K(1), K(4), K(1))))).toBe('torch.corrupt');
    expect(await codeOf(reads(tensorPickle(K(4), K(0), K(4), K(2))))).toBe('torch.corrupt');
    expect(await codeOf(reads(tensorPickle(K(1000), K(0), K(1000), K(1))))).toBe('torch.corrupt');
    expect(await codeOf(reads(tensorPickle(K(4), K(0), K(-4), K(1))))).toBe('torch.corrupt');
    const many = K(2 ** 30) + K(2 ** 30);
    expect(await codeOf(reads(tensorPickle(K(4), K(0), many, K(0) + K(0))))).toBe('torch.corrupt');
  });

  it('a flipped bit in the numbers or the pickle is found by its checksum', async () => {
    const good = await written({ w: { dtype: 'F32', shape: [2], data: Float32Array.of(1.5, 2.5) } });
    const at = Buffer.from(good).indexOf(Buffer.from(Float32Array.of(1.5, 2.5).buffer));
    const bad = good.slice();
    bad[at] ^= 1;
    const weights = await readWeights(memorySource(bad));
    expect(await codeOf(weights.read('w'))).toBe('torch.corrupt');
  });

  it('files cut off anywhere, or with bytes changed anywhere, fail with an AnemoneError or still read', async () => {
    const files = ['zip.pt', 'legacy.pt', 'lightning.ckpt'].map(bytesOf);
    const attempt = async (bytes: Uint8Array) => {
      try {
        await all(bytes);
      } catch (error) {
        if (!(error instanceof AnemoneError)) throw error;
      }
    };
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...files), fc.nat(), async (file, cut) => {
        await attempt(file.slice(0, cut % file.length));
      }),
      { numRuns: 150, seed: 1 },
    );
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...files), changes, async (file, list) => {
        const bytes = file.slice();
        for (const [at, value] of list) bytes[at % bytes.length] = value;
        await attempt(bytes);
      }),
      { numRuns: 400, seed: 2 },
    );
  });
});
