// Writes a model as a .nemo archive that NeMo restores: a tar of model_config.yaml, the tokenizer's files under
// names of their own, and model_weights.ckpt as torch.save writes it.
import { createHash } from 'node:crypto';
import { type Engine, type State, storedType } from '../engine/index.js';
import {
  NEMO_WEIGHTS,
  type SafetensorsDtype,
  type TarInput,
  type TensorData,
  type TorchEntry,
  tarParts,
  torchParts,
  writeFileAtomically,
} from '../formats/index.js';
import { type Module, type ReadState, valueOwner } from '../nn/index.js';
import { NEMO_CONFIG } from './archive.js';

/** What an archive holds beside the weights. */
export interface ArchivedConfig {
  /** model_config.yaml */
  readonly yaml: string;
  /** Members of the archive by name. */
  readonly artifacts: ReadonlyMap<string, Uint8Array>;
}

/** What an archive is made of: states by name, and how NeMo's config describes them. */
export interface Archivable extends Pick<Module, 'stateDict' | 'tiedNames'> {
  /**
   * The config as NeMo is to read it, and the files that it names.
   * @param name gives a file, such as a tokenizer's, its name in the archive
   * @throws AnemoneError `nemo.not-nemos` for models of parts that NeMo does not have
   */
  nemoConfig(name: (file: string, bytes: Uint8Array) => string): ArchivedConfig;
}

/**
 * Writes the archive; an older file of the name is replaced once the new one is complete.
 * @throws AnemoneError `nemo.not-nemos` for models of parts that NeMo does not have
 */
export async function saveArchive(
  model: Archivable,
  path: string,
  engine: Pick<Engine, 'read'>,
  instead: ReadState = async () => undefined,
): Promise<void> {
  const { yaml, artifacts } = model.nemoConfig(hashedName);
  // NeMo has one tensor under all names of what is tied, and takes the last.
  const value = async (state: State) => {
    const owner = valueOwner(state);
    return (await instead(owner)) ?? (await engine.read(owner));
  };
  const weights = torchParts([
    ...[...model.stateDict(), ...model.tiedNames()].map(([name, state]) => entryOf(name, state, value)),
  ]);
  const file = (name: string, bytes: Uint8Array): TarInput => ({
    name: `./${name}`,
    size: bytes.length,
    parts: [bytes],
  });
  await writeFileAtomically(
    path,
    tarParts([
      file(NEMO_CONFIG, Buffer.from(yaml)),
      ...[...artifacts].map(([name, bytes]) => file(name, bytes)),
      { name: `./${NEMO_WEIGHTS}`, ...weights },
    ]),
  );
}

/** NeMo draws 32 random hex digits; the content's hash makes equal models equal files. */
function hashedName(file: string, bytes: Uint8Array): string {
  return `${createHash('sha256').update(bytes).digest('hex').slice(0, 32)}_${file}`;
}

/** Integers are 64 bits wide in PyTorch. */
function entryOf(name: string, state: State, value: (state: State) => Promise<TensorData>): TorchEntry {
  const { shape } = state;
  const dtype: SafetensorsDtype = state.dtype === 'int32' ? 'I64' : storedType(state.dtype);
  const data = async () => {
    const ownValue = await value(state);
    return state.dtype === 'int32' ? BigInt64Array.from(ownValue as Int32Array, BigInt) : ownValue;
  };
  return { name, shape, dtype, data };
}
