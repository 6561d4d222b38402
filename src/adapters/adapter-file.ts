// Files of adapters alone, as NeMo's save_adapters writes them: a torch.save of, for each adapter, the weights in
// every module that has it, and the section `model.adapters` under `__cfg__`.
import { isMapping } from '../config/index.js';
import type { Engine } from '../engine/index.js';
import { AnemoneError } from '../errors/index.js';
import {
  fileSource,
  readTorchData,
  type TorchEntry,
  TorchTensor,
  type TorchValue,
  torchValueParts,
  writeFileAtomically,
} from '../formats/index.js';
import { loadWeights, type WeightSource } from '../nn/index.js';
import type { ModelAdapters } from './model-adapters.js';
import { GLOBAL_CONFIG } from './section.js';

const CONFIG = '__cfg__';

/** Which adapters of a file are loaded, and how strictly. */
export interface LoadAdaptersOptions {
  /** Default: all that the file has. */
  readonly names?: readonly string[];
  /** Every weight must be there and none beyond. Default true. */
  readonly strict?: boolean;
}

/**
 * Writes adapters alone, with the weights that `engine` holds.
 * @throws AnemoneError `adapter.unknown`, `adapter.none`
 */
export async function saveAdapters(
  adapters: ModelAdapters,
  path: string,
  engine: Pick<Engine, 'read'>,
  names: readonly string[] = adapters.names,
): Promise<void> {
  if (names.length === 0 || !adapters.config) {
    throw new AnemoneError({ code: 'adapter.none', message: 'the model has no adapters to save' });
  }
  const file: Record<string, TorchValue> = {};
  for (const name of names) {
    file[adapters.fullName(name)] = adapters.modulesOf(name).map(([slot, module]) => {
      const prefix = slot.path.length + 1;
      const states = [...module.stateDict().values()];
      return new Map(
        states.map((state): [string, TorchEntry] => {
          const key = state.name.slice(prefix);
          const data = () => engine.read(state);
          return [key, { name: key, dtype: 'F32', shape: state.shape, data }];
        }),
      );
    });
  }
  file[CONFIG] = adapters.config as TorchValue;
  const { parts } = torchValueParts(file, 'archive');
  await writeFileAtomically(path, parts);
}

/**
 * Adds the adapters of a file to a model. Returns their names.
 * @throws AnemoneError `adapter.file`, `adapter.unknown`, `adapter.exists`, `checkpoint.mismatch`, and of the formats
 */
export async function loadAdapters(
  adapters: ModelAdapters,
  path: string,
  engine: Pick<Engine, 'write'>,
  options: LoadAdaptersOptions = {},
): Promise<readonly string[]> {
  const source = await fileSource(path, 'adapter');
  try {
    const file = await readTorchData(source);
    const savedData = (file.value ?? {}) as Readonly<Record<string, unknown>>;
    const config = savedData[CONFIG];
    if (!isMapping(config)) throw wrong(path, 'these are no adapters of save_adapters');
    const modules = modulesIn(config);
    const savedNames = Object.keys(config).filter((name) => name !== GLOBAL_CONFIG);
    const chosenNames = options.names?.map((name) => name.slice(name.indexOf(':') + 1)) ?? savedNames;
    for (const name of chosenNames) {
      const fullName = modules[name] ? `${modules[name]}:${name}` : name;
      const states = savedData[fullName];
      const section = config[name];
      if (!Array.isArray(states) || !isMapping(section)) {
        throw wrong(path, `it has no adapter "${name}"`, `it has ${savedNames.join(', ')}`);
      }
      adapters.add(fullName, section);
      const places = adapters.modulesOf(name);
      if (places.length !== states.length) {
        throw wrong(path, `"${name}" is made for ${states.length} modules, this model has ${places.length}`);
      }
      for (const [i, [slot, module]] of places.entries()) {
        const weights = weightsOf(states[i], name, slot.path, (tensor) => file.read(tensor), path);
        await loadWeights([...module.stateDict().values()], weights, engine, { strict: options.strict });
      }
    }
    return chosenNames;
  } finally {
    await source.close();
  }
}

/** The tensors of one module under the names they have in the model. */
function weightsOf(
  states: unknown,
  adapter: string,
  slot: string,
  readTensor: (tensor: TorchTensor) => ReturnType<WeightSource['read']>,
  path: string,
): WeightSource {
  const entries = new Map<string, TorchTensor>();
  for (const [key, value] of Object.entries(isMapping(states) ? states : {})) {
    // NeMo looks for the name anywhere in the key, so that other adapters' weights may stand here too.
    if (!key.startsWith(`${adapter}.`)) continue;
    if (value instanceof TorchTensor) entries.set(`${slot}.${key}`, value);
  }
  return { name: path, entries, read: (name) => readTensor(entries.get(name) as TorchTensor) };
}

function modulesIn(config: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  const global = config[GLOBAL_CONFIG];
  const meta = isMapping(global) ? global['adapter_meta_cfg'] : undefined;
  const modules = isMapping(meta) ? meta['modules'] : undefined;
  return (isMapping(modules) ? modules : {}) as Readonly<Record<string, string>>;
}

function wrong(path: string, message: string, hint?: string): AnemoneError {
  return new AnemoneError({ code: 'adapter.file', message, position: { file: path }, hint });
}
