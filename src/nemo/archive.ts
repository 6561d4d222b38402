// A .nemo archive opened: its config, its files, its weights. Everything is read where it lies; nothing is
// unpacked to disk. What the config means for a model of ours is in restored-config.ts.
import { type Config, configFromText } from '../config/index.js';
import { AnemoneError } from '../errors/index.js';
import {
  type ByteSource,
  decodeUtf8,
  fileSource,
  NEMO_WEIGHTS,
  readAhead,
  readTar,
  torchWeights,
  type WeightFile,
} from '../formats/index.js';

export const NEMO_CONFIG = 'model_config.yaml';

export interface NemoArchive {
  readonly path: string;
  /** The archive's config as the section `model` of a whole one. */
  config(overrides?: readonly string[]): Promise<Config>;
  /** Files besides config and weights, by name; those the config refers to with `nemo:`. */
  artifacts(): Promise<ReadonlyMap<string, Uint8Array>>;
  /** Read from where they lie; or, `whole`, all into memory, which the tensors then are views of. */
  weights(whole?: boolean): Promise<WeightFile>;
  close(): Promise<void>;
}

/** Tokenizers and vocabularies are small; larger members are weights of another layout, or an attack. */
const MAX_ARTIFACT = 1 << 28;
const MAX_CONFIG = 1 << 26;
/** Weights up to this size, far above which one piece of memory cannot be had, are read whole. */
const MAX_WHOLE = 2 ** 31;

/**
 * @throws AnemoneError `nemo.missing`, `tar.*`, `nemo.not-a-model` for archives of another layout
 */
export async function openNemoArchive(path: string): Promise<NemoArchive> {
  const source = await fileSource(path, 'nemo');
  let ahead: ByteSource | undefined;
  try {
    const archive = await readTar(source);
    const names = [...archive.members.keys()];
    if (!archive.members.has(NEMO_CONFIG) || !archive.members.has(NEMO_WEIGHTS)) {
      throw notAModel(path, names);
    }
    const sizeOf = (name: string) => archive.members.get(name)?.size ?? 0;
    if (sizeOf(NEMO_CONFIG) > MAX_CONFIG) throw tooLarge(path, NEMO_CONFIG);
    const text = decodeUtf8(await archive.read(NEMO_CONFIG), `${path}:${NEMO_CONFIG}`);
    return {
      path,
      config: async (overrides = []) => {
        return configFromText(text, overrides, { file: `${path}:${NEMO_CONFIG}`, under: 'model' });
      },
      artifacts: async () => {
        const artifacts = new Map<string, Uint8Array>();
        for (const name of names) {
          if (name === NEMO_CONFIG || name === NEMO_WEIGHTS) continue;
          if (sizeOf(name) > MAX_ARTIFACT) throw tooLarge(path, name);
          artifacts.set(name, await archive.read(name));
        }
        return artifacts;
      },
      weights: (whole = false) => {
        const member = archive.open(NEMO_WEIGHTS);
        if (whole && member.size <= MAX_WHOLE) ahead ??= readAhead(member);
        return torchWeights(ahead ?? member, false);
      },
      close: async () => {
        await ahead?.close();
        await source.close();
      },
    };
  } catch (error) {
    await source.close();
    throw error;
  }
}

function tooLarge(path: string, name: string): AnemoneError {
  return new AnemoneError({
    code: 'nemo.too-large',
    message: `${name} is larger than any config or tokenizer`,
    position: { file: path },
  });
}

function notAModel(path: string, names: readonly string[]): AnemoneError {
  const sharded = names.find((name) => /^(mp_rank|tp_rank|model_weights\/)/.test(name));
  return new AnemoneError({
    code: 'nemo.not-a-model',
    message: sharded
      ? `its weights are in parts for several devices (${sharded}), which is not supported`
      : `an archive, but not of a NeMo model: ${NEMO_CONFIG} or ${NEMO_WEIGHTS} is missing`,
    position: { file: path },
    hint: names.length === 0 ? undefined : `it holds ${names.slice(0, 10).join(', ')}`,
  });
}
