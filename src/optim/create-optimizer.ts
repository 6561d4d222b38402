// From the `optim` section of a model's config to an optimizer over its trainable parameters.
import { AnemoneError, didYouMean } from '../errors/index.js';
import type { Parameter } from '../nn/index.js';
import { type OptimizerEntry, optimizerCatalog } from './catalog.js';
import { selectGroups } from './groups.js';
import { GroupedOptimizer, type Optimizer } from './optimizer.js';
import { completeOptions } from './options.js';

type Section = Readonly<Record<string, unknown>>;

/** Keys of `optim` that are not settings of the optimizer. */
const STRUCTURE = new Set(['name', '_target_', 'sched', 'args']);

/**
 * @param config `optim`: `name`, `lr`, the optimizer's own settings, `sched` (not read here).
 * @param groups `optim_param_groups`: settings per submodule or name pattern; `lr_scale` multiplies `lr`.
 * @throws AnemoneError for an unknown name, unknown or mistyped settings, a group that names nothing.
 */
export function createOptimizer(
  config: Section,
  parameters: Iterable<Parameter>,
  groups: Readonly<Record<string, Section | null>> = {},
): Optimizer {
  const name = String(config['name'] ?? config['_target_'] ?? 'adam').replace(/^torch\.optim\./, '');
  const entry = optimizerEntry(name);
  const settings = Object.fromEntries(Object.entries(config).filter(([key]) => !STRUCTURE.has(key)));
  const base = completeOptions('optim', settings, entry.defaults);
  const trainable = [...parameters].filter((parameter) => parameter.trainable);
  return new GroupedOptimizer(
    name,
    selectGroups(trainable, groups).map(({ name: group, parameters: members, overrides }) => {
      const { lr_scale: scale = 1, ...own } = overrides;
      const merged = completeOptions(`optim_param_groups.${group}`, own, base);
      const lr = merged.lr * Number(scale);
      return { name: group, parameters: members, rule: entry.rule({ ...merged, lr }), lr };
    }),
  );
}

function optimizerEntry(name: string): OptimizerEntry {
  const entries = new Map<string, OptimizerEntry>(Object.entries(optimizerCatalog));
  const entry = entries.get(name.toLowerCase());
  if (entry) return entry;
  throw new AnemoneError({
    code: 'optim.unknown',
    path: 'optim.name',
    message: `there is no optimizer "${name}"`,
    hint: didYouMean(name, entries.keys()) ?? `known: ${[...entries.keys()].join(', ')}`,
  });
}
