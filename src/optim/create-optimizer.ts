// From the `optim` section of a model's config to an optimizer over its trainable parameters.
import { type ConfigNode, overlayNode, positionOf } from '../config/index.js';
import { Container } from '../container/index.js';
import { AnemoneError, asText } from '../errors/index.js';
import type { Parameter } from '../nn/index.js';
import { build, nameKeyOf } from './build.js';
import { optimizerComponents, optimizerKind } from './components.js';
import { selectGroups } from './groups.js';
import { GroupedOptimizer, type Optimizer } from './optimizer.js';
import { describeScale, isLrScale } from './param-groups.js';
import { schedulerComponents } from './schedules/components.js';

type Section = Readonly<Record<string, unknown>>;

/** A container that knows the optimizers and schedules of this library. */
export function optimContainer(): Container {
  return new Container().registerAll([...optimizerComponents, ...schedulerComponents]);
}

/**
 * The optimizer that a config's `optim` section describes.
 * @param config `optim`: `name` (default adam), `lr`, the optimizer's own settings, `sched` (not read here)
 * @param groups `optim_param_groups`: settings per submodule or name pattern; `lr_scale` multiplies `lr`
 * @param container knows the optimizers; default: those of this library
 * @throws AnemoneError for an unknown name, unknown or mistyped settings, a group that names nothing
 */
export function createOptimizer(
  config: Section,
  parameters: Iterable<Parameter>,
  groups: Readonly<Record<string, Section | null>> = {},
  container: Container = optimContainer(),
): Optimizer {
  const trainable = [...parameters].filter((parameter) => parameter.trainable);
  const nameKey = nameKeyOf(config);
  const name = asText(config[nameKey] ?? 'adam');
  return new GroupedOptimizer(
    name,
    selectGroups(trainable, groups).map(({ name: group, parameters: members, overrides }) => {
      const { lr_scale: scale = 1, ...own } = overrides;
      const settings = overlayNode(config as ConfigNode, { ...own, [nameKey]: name });
      const path = Object.keys(overrides).length === 0 ? 'model.optim' : `model.optim_param_groups.${group}`;
      const recipe = build(container, settings, optimizerKind, path);
      if (!isLrScale(scale)) throw badScale(overrides, `${path}.lr_scale`, scale);
      const lr = recipe.lr * scale;
      return { name: group, parameters: members, rule: recipe.rule(lr), lr };
    }),
  );
}

function badScale(section: Section, path: string, scale: unknown): AnemoneError {
  return new AnemoneError({
    code: 'optim.lr-scale',
    path,
    position: positionOf(section, 'lr_scale'),
    message: describeScale(scale),
  });
}
