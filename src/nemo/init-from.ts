// Starting values from other models' files: NeMo's `init_from_nemo_model` and `init_from_ptl_ckpt`, whole or
// in part, which stand at the top of a config.
import { type ConfigNode, defineSchema, isMapping, listOf, requireMapping } from '../config/index.js';
import type { Engine } from '../engine/index.js';
import { AnemoneError, printable } from '../errors/index.js';
import { openWeights, type WeightFile } from '../formats/index.js';
import { type LoadReport, loadWeights, type Module } from '../nn/index.js';

/** Which weights of the other model are taken. */
export interface InitFromOptions {
  /** Load names that contain one of these. Default: all. */
  readonly include?: readonly string[];
  /** Of those, load none whose name contains one of these. Default: none is left out. */
  readonly exclude?: readonly string[];
  /** Every weight of the model must be there, and none beyond. Default false. */
  readonly strict?: boolean;
}

const partSchema = defineSchema('init_from', {
  path: { doc: 'The file.', format: 'string' },
  include: { doc: 'Load names that contain one of these.', format: listOf('string'), default: [''] },
  exclude: { doc: 'But none that contain one of these.', format: listOf('string'), default: [] },
});

const KEYS = ['init_from_nemo_model', 'init_from_ptl_ckpt'] as const;

/**
 * Loads weights of a file into a model: a .nemo archive, a checkpoint of PyTorch or Lightning, or safetensors.
 * @throws AnemoneError `checkpoint.mismatch` for shapes that differ (and, if strict, names); `init.nothing` when
 *   no weight of the file is the model's
 */
export async function initFrom(
  model: Module,
  path: string,
  engine: Pick<Engine, 'write'>,
  { include = [''], exclude = [], strict = false }: InitFromOptions = {},
): Promise<LoadReport> {
  const weights = await openWeights(path);
  try {
    const chosenWeights = [...weights.entries].filter(
      ([name]) => include.some((part) => name.includes(part)) && !exclude.some((part) => name.includes(part)),
    );
    const part: WeightFile = { ...weights, entries: new Map(chosenWeights) };
    const report = await loadWeights([...model.stateDict().values()], part, engine, {
      strict,
      tied: model.tiedNames(),
    });
    if (report.loaded.length > 0) return report;
    throw new AnemoneError({
      code: 'init.nothing',
      message: 'none of the chosen weights has the name of one of the model',
      position: { file: path },
      hint: `the file has ${[...weights.entries.keys()].slice(0, 3).join(', ')}, …`,
    });
  } finally {
    await weights.close();
  }
}

/**
 * Does what the keys at the top of a config say (NeMo's `maybe_init_from_pretrained_checkpoint`); nothing when
 * they are absent. As there, weights that only one of the two has are passed over.
 * @throws AnemoneError `init.two-sources`, `init.unsupported`, and what `initFrom` throws
 */
export async function initFromConfig(
  model: Module,
  config: ConfigNode,
  engine: Pick<Engine, 'write'>,
  say: (line: string) => void = () => {},
): Promise<void> {
  requireMapping(config, 'config');
  if (config['init_from_pretrained_model']) {
    throw new AnemoneError({
      code: 'init.unsupported',
      path: 'init_from_pretrained_model',
      message: 'models are not downloaded by name',
      hint: 'download the .nemo file and give its path as init_from_nemo_model',
    });
  }
  const [key, second] = KEYS.filter((name) => config[name]);
  if (key === undefined) return;
  if (second !== undefined) {
    throw new AnemoneError({ code: 'init.two-sources', path: second, message: `${key} is given too` });
  }
  const source = config[key];
  if (typeof source === 'string') {
    tell(await initFrom(model, source, engine), source, say);
    return;
  }
  if (!isMapping(source)) {
    throw new AnemoneError({
      code: 'config.invalid-value',
      path: key,
      message: 'expected a path, or a mapping of parts, each with path, include and exclude',
    });
  }
  for (const name of Object.keys(source)) {
    const { path, ...options } = partSchema.parse(source[name], { path: `${key}.${name}` });
    tell(await initFrom(model, path, engine, options), path, say);
  }
}

function tell({ loaded, missing }: LoadReport, path: string, say: (line: string) => void): void {
  say(
    `started from ${printable(path)}: ${loaded.length} tensors, ${missing.length} others of the model as initialised`,
  );
}
