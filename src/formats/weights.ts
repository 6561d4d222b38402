// Weights by name, whatever file they lie in: .nemo archives, torch.save's files (also checkpoints of Lightning,
// whose weights are under `state_dict`) and safetensors. Shapes are known at once, numbers when asked for.
import { AnemoneError } from '../errors/index.js';
import { type ByteSource, fileSource } from './byte-source.js';
import {
  readSafetensor,
  readSafetensorsHeader,
  type SafeTensor,
  type SafetensorsDtype,
} from './safetensors.js';
import { readTar } from './tar.js';
import { readTorch, TorchTensor } from './torch/index.js';

/** A weight's type and shape, known before its numbers are read. */
export interface WeightInfo {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
}

/** An open file of weights. */
export interface WeightFile {
  /** For messages. */
  readonly name: string;
  readonly entries: ReadonlyMap<string, WeightInfo>;
  /** As in `ByteSource`: numbers read without scratch may be kept. */
  readonly resident?: boolean | undefined;
  /** A tensor's numbers, in memory of their own; or in `scratch`, as in `ByteSource.read`. */
  read(name: string, scratch?: Uint8Array): Promise<SafeTensor>;
  /** Gives back the file; no weight can be read afterwards. */
  close(): Promise<void>;
}

/** The member of a .nemo archive that holds the weights. */
export const NEMO_WEIGHTS = 'model_weights.ckpt';

/**
 * Opens a file of weights; its beginning says of which kind it is, not its name.
 * @throws AnemoneError `weights.missing`, `weights.unknown`, and what the readers of the formats throw
 */
export async function openWeights(path: string): Promise<WeightFile> {
  const source = await fileSource(path, 'weights');
  try {
    const weights = await readWeights(source);
    return { ...weights, close: () => source.close() };
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** The same for an open source, which stays the caller's. */
export async function readWeights(source: ByteSource): Promise<WeightFile> {
  const head = Buffer.from(await source.read(0, 264));
  if (isSafetensors(head)) return safetensorsWeights(source);
  if (head[0] === 0x1f && head[1] === 0x8b) return archiveWeights(source);
  if (head.subarray(257, 262).toString('latin1') === 'ustar') return archiveWeights(source);
  if (head.subarray(0, 2).toString('latin1') === 'PK' || head[0] === 0x80) return torchWeights(source, true);
  throw new AnemoneError({
    code: 'weights.unknown',
    message: 'this is no file of weights',
    position: { file: source.name },
    hint: 'known are .nemo archives, PyTorch and Lightning checkpoints and safetensors',
  });
}

/** The length of a header below 4 GiB, then the header: the length may begin with what other files begin with. */
function isSafetensors(head: Uint8Array): boolean {
  return head[8] === 0x7b && head.subarray(4, 8).every((byte) => byte === 0);
}

async function archiveWeights(source: ByteSource): Promise<WeightFile> {
  return torchWeights((await readTar(source)).open(NEMO_WEIGHTS), false);
}

/**
 * Weights of a torch.save file; those of a Lightning checkpoint are under `state_dict`.
 * @param lenient whether it may be a trainer's checkpoint, which holds more than weights
 * @throws AnemoneError `torch.*`, `zip.*` for a damaged file
 */
export async function torchWeights(source: ByteSource, lenient: boolean): Promise<WeightFile> {
  const file = await readTorch(source, { lenient });
  const nested = file.value instanceof Map ? file.value.get('state_dict') : undefined;
  const dictionary = nested instanceof Map ? nested : file.value;
  const tensors = new Map<string, TorchTensor>();
  if (dictionary instanceof Map) {
    for (const [name, value] of dictionary) {
      if (typeof name === 'string' && value instanceof TorchTensor) tensors.set(name, value);
    }
  }
  if (tensors.size === 0) {
    throw new AnemoneError({
      code: 'weights.unknown',
      message: 'there is no dictionary of tensors in this file',
      position: { file: source.name },
      hint: 'save a state_dict, or a checkpoint that has one under "state_dict"',
    });
  }
  return {
    name: source.name,
    entries: tensors,
    resident: source.resident,
    read: (name, scratch) => file.read(known(tensors, name, source.name), scratch),
    close: async () => {},
  };
}

async function safetensorsWeights(source: ByteSource): Promise<WeightFile> {
  const header = await readSafetensorsHeader(source);
  return {
    name: source.name,
    entries: header.entries,
    read: (name, scratch) => readSafetensor(source, header, name, scratch),
    close: async () => {},
  };
}

function known(tensors: ReadonlyMap<string, TorchTensor>, name: string, file: string): TorchTensor {
  const tensor = tensors.get(name);
  if (tensor) return tensor;
  throw new AnemoneError({
    code: 'weights.no-tensor',
    path: name,
    message: 'no such tensor',
    position: { file },
  });
}
