// Files of torch.save: the zip of PyTorch 1.6 and later, and the older row of pickles. Nothing in them is
// executed; tensors are read when asked for, from where they lie.
import { crc32 } from 'node:zlib';
import { AnemoneError } from '../../errors/index.js';
import type { ByteSource } from '../byte-source.js';
import { type PickleValue, sequenceOf, unpickle } from '../pickle/index.js';
import { arrayTypeOf, type SafeTensor } from '../safetensors.js';
import { readZipEntries, readZipEntry, type ZipEntry, zipDataOffset } from '../zip.js';
import { extentOf, materialise, sizeOf } from './materialise.js';
import { storageOf, type TorchStorage, type TorchTensor, torchNames } from './names.js';

export interface ReadTorchOptions {
  /**
   * Record unknown classes instead of refusing them, as checkpoints of trainers need, which hold more than
   * weights. Names known for running commands are refused all the same. Default false.
   */
  readonly lenient?: boolean;
}

export interface TorchFile {
  /** What was saved: dictionaries are Maps, tensors are `TorchTensor`. */
  readonly value: PickleValue;
  /**
   * A tensor's numbers; `scratch` as in `ByteSource.read`.
   * @throws AnemoneError `torch.corrupt`, `zip.corrupt`, `zip.truncated`
   */
  read(tensor: TorchTensor, scratch?: Uint8Array): Promise<SafeTensor>;
}

/** Where a storage's bytes are. */
interface Place {
  readonly source: ByteSource;
  readonly offset: number;
  readonly bytes: number;
  /** CRC-32 of the whole storage, when known. */
  readonly crc?: number;
}

/** Python's integer 0x1950a86a20f9469cfc6c as pickled, with which old files begin. */
const LEGACY_START = Buffer.from('8a0a6cfc9c46f9206aa85019', 'hex');
const MAX_PICKLE = 1 << 28;
/** A view may repeat its storage; one that repeats it more than this is no weight. */
const MAX_REPETITION = 1 << 24;

/** @throws AnemoneError `torch.corrupt`, `torch.unsupported`, `pickle.*`, `zip.*` */
export async function readTorch(source: ByteSource, options: ReadTorchOptions = {}): Promise<TorchFile> {
  const head = await source.read(0, 16);
  const reader = head[0] === 0x50 && head[1] === 0x4b ? await zipReader(source) : await legacyReader(source);
  const names = torchNames({ file: source.name, lenient: options.lenient ?? false });
  const { value, place } = await reader(names);
  return { value, read: (tensor, scratch) => readTensor(tensor, place, source.name, scratch) };
}

type Names = ReturnType<typeof torchNames>;
type Reader = (names: Names) => Promise<{
  value: PickleValue;
  place: (storage: TorchStorage) => Promise<Place>;
}>;

function failure(file: string) {
  return (kind: 'corrupt' | 'unsupported', message: string, hint?: string) =>
    new AnemoneError({ code: `torch.${kind}`, message, position: { file }, hint });
}

async function zipReader(source: ByteSource): Promise<Reader> {
  const fail = failure(source.name);
  const entries = await readZipEntries(source);
  const main = [...entries.keys()].find((name) => /^[^/]*\/?data\.pkl$/.test(name));
  if (main === undefined) throw fail('unsupported', 'a zip file, but not of torch.save (no data.pkl in it)');
  const prefix = main.slice(0, -'data.pkl'.length);
  if (entries.has(`${prefix}constants.pkl`)) {
    throw fail('unsupported', 'a TorchScript program, not weights', 'save the state_dict instead');
  }
  const entry = (name: string): ZipEntry => {
    const bytes = entries.get(prefix + name);
    if (!bytes) throw fail('corrupt', `${prefix}${name} is missing`);
    return bytes;
  };
  if (entries.has(`${prefix}byteorder`)) {
    const order = new TextDecoder().decode(await readZipEntry(source, entry('byteorder')));
    if (order !== 'little') throw fail('unsupported', `the numbers are ${order}-endian`);
  }
  if (entry('data.pkl').size > MAX_PICKLE) throw fail('corrupt', 'the pickle is unbelievably long');
  const place = async (storage: TorchStorage): Promise<Place> => {
    const data = entry(`data/${storage.key}`);
    if (data.method === 'deflated') {
      const bytes = await readZipEntry(source, data);
      return {
        source: { ...source, read: async (at, n) => bytes.subarray(at, at + n) },
        offset: 0,
        bytes: data.size,
      };
    }
    return { source, offset: await zipDataOffset(source, data), bytes: data.size, crc: data.crc };
  };
  return async (names) => {
    const bytes = await readZipEntry(source, entry('data.pkl'));
    const persistent = (id: PickleValue) => storageOf(id, source.name);
    return { value: unpickle(bytes, { file: source.name, find: names, persistent }).value, place };
  };
}

/** Magic number, protocol, facts of the machine, the object, the keys of its storages; then the storages. */
async function legacyReader(source: ByteSource): Promise<Reader> {
  const fail = failure(source.name);
  const start = Buffer.from(await source.read(2, LEGACY_START.length));
  if (!start.equals(LEGACY_START)) {
    throw fail('unsupported', 'not a file of torch.save', 'expected a zip or pickles with its magic number');
  }
  return async (names) => {
    const bytes = await source.read(0, Math.min(source.size, MAX_PICKLE));
    const storages = new Map<string, TorchStorage>();
    const persistent = (id: PickleValue) => {
      const storage = storageOf(id, source.name);
      storages.set(storage.key, storage);
      return storage;
    };
    let offset = 0;
    const next = (): PickleValue => {
      const result = unpickle(bytes, { file: source.name, find: names, persistent, offset });
      offset = result.end;
      return result.value;
    };
    next();
    const protocol = next();
    if (protocol !== 1001)
      throw fail('unsupported', `version ${typeof protocol === 'number' ? protocol : '?'} of torch.save`);
    const facts = next();
    if (facts instanceof Map && facts.get('little_endian') === false) {
      throw fail('unsupported', 'the numbers are big-endian');
    }
    const value = next();
    const keys = sequenceOf(next()) ?? [];
    const places = new Map<string, Place>();
    for (const key of keys) {
      const storage = typeof key === 'string' ? storages.get(key) : undefined;
      if (!storage?.dtype) throw fail('corrupt', 'the list of storages does not fit the tensors');
      const count = await source.read(offset, 8);
      if (count.length < 8) throw fail('corrupt', 'the file ends before its numbers do');
      const length = Number(new DataView(count.buffer, count.byteOffset, 8).getBigInt64(0, true));
      const size = length * arrayTypeOf(storage.dtype).BYTES_PER_ELEMENT;
      if (!(size >= 0 && size <= source.size - offset - 8)) {
        throw fail('corrupt', 'the file ends before its numbers do');
      }
      places.set(storage.key, { source, offset: offset + 8, bytes: size });
      offset += 8 + size;
    }
    const place = async ({ key }: TorchStorage): Promise<Place> => {
      const place = places.get(key);
      if (!place) throw fail('corrupt', `the storage ${key} is missing`);
      return place;
    };
    return { value, place };
  };
}

async function readTensor(
  tensor: TorchTensor,
  place: (storage: TorchStorage) => Promise<Place>,
  file: string,
  scratch?: Uint8Array,
): Promise<SafeTensor> {
  const fail = failure(file);
  const { storage, dtype, shape } = tensor;
  const { source, offset, bytes, crc } = await place(storage);
  const width = arrayTypeOf(dtype).BYTES_PER_ELEMENT;
  const unit = storage.dtype ? arrayTypeOf(storage.dtype).BYTES_PER_ELEMENT : 1;
  if (
    (storage.skip + storage.length) * unit > bytes ||
    (crc !== undefined && storage.length * unit !== bytes)
  ) {
    throw fail('corrupt', `storage ${storage.key} promises ${storage.length * unit} bytes, it has ${bytes}`);
  }
  const extent = extentOf(tensor) * width;
  const from = storage.skip * unit + tensor.offset * width;
  if (!(from + extent <= (storage.skip + storage.length) * unit)) {
    throw fail('corrupt', `a tensor of shape [${shape}] reaches beyond its storage`);
  }
  if (sizeOf(shape) > Math.max(MAX_REPETITION, storage.length)) {
    throw fail('corrupt', `a tensor of shape [${shape}] repeats a storage of ${storage.length} numbers`);
  }
  const data = await source.read(offset + from, extent, scratch);
  if (data.length !== extent) throw fail('corrupt', 'the file ends before its numbers do');
  if (crc !== undefined && extent === bytes && crc32(data) !== crc) {
    throw fail('corrupt', `the checksum of storage ${storage.key} does not fit`);
  }
  return materialise(tensor, data);
}
