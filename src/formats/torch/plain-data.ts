// Files of torch.save that hold plain data with tensors in it, such as NeMo's files of adapters: dictionaries become
// objects, tuples lists, and configs of OmegaConf what they say.
import type { ByteSource } from '../byte-source.js';
import { PickleObject, type PickleValue, sequenceOf } from '../pickle/index.js';
import { TorchTensor } from './names.js';
import { readTorch, type TorchFile } from './read.js';

export interface TorchData {
  /** Objects of classes that are not known are undefined. */
  readonly value: unknown;
  /** A tensor's numbers. @throws AnemoneError `torch.corrupt`, `zip.*` */
  readonly read: TorchFile['read'];
}

/** @throws AnemoneError `torch.corrupt`, `torch.unsupported`, `pickle.*`, `zip.*` */
export async function readTorchData(source: ByteSource): Promise<TorchData> {
  const file = await readTorch(source, { lenient: true });
  return { value: plain(file.value), read: file.read };
}

function plain(value: PickleValue | undefined): unknown {
  if (value instanceof Map) {
    return Object.fromEntries([...value].map(([key, item]) => [String(key), plain(item)]));
  }
  const list = sequenceOf(value);
  if (list) return list.map(plain);
  if (value instanceof TorchTensor || !(value instanceof PickleObject)) return value;
  // OmegaConf's nodes keep containers under `_content` and anything else under `_val`.
  const state = value.state instanceof Map ? value.state : new Map<PickleValue, PickleValue>();
  return plain(state.get(state.has('_content') ? '_content' : '_val'));
}
