// Files of torch.save that hold plain data with tensors in it, such as NeMo's files of adapters: dictionaries become
// objects, tuples lists, and configs of OmegaConf what they say.
import { AnemoneError } from '../../errors/index.js';
import type { ByteSource } from '../byte-source.js';
import { PickleObject, type PickleValue, sequenceOf } from '../pickle/index.js';
import { TorchTensor } from './names.js';
import { readTorch, type TorchFile } from './read.js';

/** The content of a torch.save file; tensors in it are read when asked for. */
export interface TorchData {
  /** Objects of classes that are not known are undefined. */
  readonly value: unknown;
  /** A tensor's numbers. @throws AnemoneError `torch.corrupt`, `zip.*` */
  readonly read: TorchFile['read'];
}

/**
 * Opens a torch.save file of plain data.
 * @throws AnemoneError `torch.corrupt`, `torch.unsupported`, `pickle.*`, `zip.*`
 */
export async function readTorchData(source: ByteSource): Promise<TorchData> {
  const file = await readTorch(source, { lenient: true });
  const fail = (message: string): AnemoneError =>
    new AnemoneError({ code: 'torch.corrupt', message, position: { file: source.name } });
  return { value: new Plainly(fail).value(file.value, 0), read: file.read };
}

/** A bound that no real config comes near, in depth and in size. */
const MAX_DEPTH = 100;
const MAX_VALUES = 1_000_000;

/** What a pickle shares is counted each time: a few lists of lists could stand for more than any memory holds. */
class Plainly {
  private count = 0;

  constructor(private readonly fail: (message: string) => AnemoneError) {}

  value(value: PickleValue | undefined, depth: number): unknown {
    if (++this.count > MAX_VALUES) throw this.fail(`more than ${MAX_VALUES} values besides its tensors`);
    if (value === null || typeof value !== 'object') return value;
    if (value instanceof TorchTensor || value instanceof Uint8Array) return value;
    if (depth > MAX_DEPTH)
      throw this.fail(`values nested more than ${MAX_DEPTH} deep, or that contain themselves`);
    return this.container(value, depth + 1);
  }

  private container(value: PickleValue & object, depth: number): unknown {
    if (value instanceof Map) {
      return Object.fromEntries([...value].map(([key, item]) => [this.key(key), this.value(item, depth)]));
    }
    const list = sequenceOf(value);
    if (list) return list.map((item) => this.value(item, depth));
    if (!(value instanceof PickleObject)) return value;
    // OmegaConf's nodes keep containers under `_content` and anything else under `_val`.
    const state = value.state instanceof Map ? value.state : new Map<PickleValue, PickleValue>();
    return this.value(state.get(state.has('_content') ? '_content' : '_val'), depth);
  }

  private key(key: PickleValue): string {
    if (key === null || typeof key !== 'object') return String(key);
    throw this.fail('a dictionary with keys that are no names');
  }
}
