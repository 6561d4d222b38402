// Writes what torch.save would write of an OrderedDict of tensors, or of plain data with tensors in it: a zip with a
// pickle of protocol 2 and a file for each storage. torch.load(weights_only=True) reads it.
import { AnemoneError } from '../../errors/index.js';
import { arrayTypeOf, type SafetensorsDtype, type TensorData } from '../safetensors.js';
import { ZipWriter, zipSize } from '../zip.js';
import { sizeOf } from './materialise.js';

/** One tensor to be written, under its name in the OrderedDict. */
export interface TorchEntry {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /** Gives the numbers when they are written, so that one tensor is in memory at a time. */
  readonly data: () => TensorData | Promise<TensorData>;
}

/** A file to be written: its size is known before its parts are made. */
export interface TorchParts {
  /** Bytes of the file. */
  readonly size: number;
  readonly parts: AsyncIterable<Uint8Array>;
}

const STORAGE_NAMES: Partial<Record<SafetensorsDtype, string>> = {
  F32: 'FloatStorage',
  F64: 'DoubleStorage',
  F16: 'HalfStorage',
  BF16: 'BFloat16Storage',
  I64: 'LongStorage',
  I32: 'IntStorage',
  I16: 'ShortStorage',
  I8: 'CharStorage',
  U8: 'ByteStorage',
  BOOL: 'BoolStorage',
};

/**
 * The file as parts to be written one after the other.
 * @param root folder inside of the zip; torch uses the file's name
 * @throws AnemoneError `torch.write` for a type torch has no storage for, or numbers that do not fit the shape
 */
export function torchParts(entries: readonly TorchEntry[], root = 'model_weights'): TorchParts {
  return torchValueParts(new Map(entries.map((entry) => [entry.name, entry])), root);
}

/** What a file can hold besides tensors. Maps become OrderedDicts, other objects dicts. */
export type TorchValue =
  | TorchEntry
  | ReadonlyMap<string, TorchValue>
  | readonly TorchValue[]
  | { readonly [key: string]: TorchValue }
  | string
  | number
  | boolean
  | null;

/** The same for anything with tensors in it. */
export function torchValueParts(value: TorchValue, root: string): TorchParts {
  const encode = (text: string) => new TextEncoder().encode(text);
  const { pickle, entries } = pickleOf(value);
  const small = [
    { name: `${root}/data.pkl`, bytes: pickle },
    { name: `${root}/byteorder`, bytes: encode('little') },
  ];
  const last = { name: `${root}/version`, bytes: encode('3\n') };
  const sized = ({ name, bytes }: { name: string; bytes: Uint8Array }) => ({ name, size: bytes.length });
  const storages = entries.map((entry, i) => ({ name: `${root}/data/${i}`, size: bytesOf(entry) }));
  async function* parts(): AsyncGenerator<Uint8Array> {
    const zip = new ZipWriter();
    for (const entry of small) yield* zip.entry(entry);
    for (const [i, entry] of entries.entries()) {
      const data = await entry.data();
      if (data.byteLength !== storages[i].size) throw failure(entry, `${data.length} numbers were given`);
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      yield* zip.entry({ name: storages[i].name, bytes });
    }
    yield* zip.entry(last);
    yield zip.finish();
  }
  return { size: zipSize([...small.map(sized), ...storages, sized(last)]), parts: parts() };
}

function bytesOf({ dtype, shape }: TorchEntry): number {
  return sizeOf(shape) * arrayTypeOf(dtype).BYTES_PER_ELEMENT;
}

function failure({ name, dtype, shape }: TorchEntry, message: string): AnemoneError {
  return new AnemoneError({
    code: 'torch.write',
    path: name,
    message: `cannot be written as ${dtype} [${shape}]: ${message}`,
  });
}

function pickleOf(value: TorchValue): { pickle: Uint8Array; entries: readonly TorchEntry[] } {
  const out = new PickleWriter();
  const entries: TorchEntry[] = [];
  out.bytes(0x80, 2);
  writeValue(out, value, entries);
  out.bytes(0x2e);
  return { pickle: out.finish(), entries };
}

function writeValue(out: PickleWriter, value: TorchValue, entries: TorchEntry[]): void {
  if (value === null) out.bytes(0x4e);
  else if (typeof value === 'boolean') out.bytes(value ? 0x88 : 0x89);
  else if (typeof value === 'string') out.text(value);
  else if (typeof value === 'number') Number.isInteger(value) ? out.int(value) : out.float(value);
  else if (isEntry(value)) writeTensor(out, value, entries);
  else if (Array.isArray(value)) {
    out.bytes(0x5d, 0x28);
    for (const item of value as readonly TorchValue[]) writeValue(out, item, entries);
    out.bytes(0x65);
  } else {
    const ordered = value instanceof Map;
    if (ordered) out.emptyOrderedDict();
    else out.bytes(0x7d);
    out.bytes(0x28);
    for (const [key, item] of ordered ? value : Object.entries(value)) {
      out.text(key as string);
      writeValue(out, item as TorchValue, entries);
    }
    out.bytes(0x75);
  }
}

function isEntry(value: object): value is TorchEntry {
  return 'dtype' in value && 'data' in value && typeof value.data === 'function';
}

function writeTensor(out: PickleWriter, entry: TorchEntry, entries: TorchEntry[]): void {
  const storage = STORAGE_NAMES[entry.dtype];
  if (!storage) throw failure(entry, 'PyTorch has no storage of this type');
  out.global('torch._utils', '_rebuild_tensor_v2');
  out.bytes(0x28, 0x28);
  out.text('storage');
  out.global('torch', storage);
  out.text(String(entries.length));
  out.text('cpu');
  out.int(sizeOf(entry.shape));
  out.bytes(0x74, 0x51);
  out.int(0);
  out.ints(entry.shape);
  out.ints(entry.shape.map((_, axis) => sizeOf(entry.shape.slice(axis + 1))));
  out.bytes(0x89);
  out.emptyOrderedDict();
  out.bytes(0x74, 0x52);
  entries.push(entry);
}

class PickleWriter {
  private readonly parts: Uint8Array[] = [];

  bytes(...values: number[]): void {
    this.parts.push(Uint8Array.from(values));
  }

  text(text: string): void {
    const bytes = Buffer.from(text);
    this.word(0x58, bytes.length);
    this.parts.push(bytes);
  }

  global(module: string, name: string): void {
    this.parts.push(Buffer.from(`c${module}\n${name}\n`));
  }

  emptyOrderedDict(): void {
    this.global('collections', 'OrderedDict');
    this.bytes(0x29, 0x52);
  }

  float(value: number): void {
    const bytes = new Uint8Array(9);
    bytes[0] = 0x47;
    new DataView(bytes.buffer).setFloat64(1, value);
    this.parts.push(bytes);
  }

  int(value: number): void {
    if (value >= -(2 ** 31) && value < 2 ** 31) {
      this.word(0x4a, value);
      return;
    }
    const long = new Uint8Array(10);
    long.set([0x8a, 8]);
    new DataView(long.buffer).setBigInt64(2, BigInt(value), true);
    this.parts.push(long);
  }

  ints(values: readonly number[]): void {
    this.bytes(0x28);
    for (const value of values) this.int(value);
    this.bytes(0x74);
  }

  finish(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.parts));
  }

  private word(code: number, value: number): void {
    const bytes = new Uint8Array(5);
    bytes[0] = code;
    new DataView(bytes.buffer).setUint32(1, value >>> 0, true);
    this.parts.push(bytes);
  }
}
