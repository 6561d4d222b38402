// The section `optim_param_groups`: settings of the optimizer of `optim`, which stands beside it, for some parameters.
import {
  type CheckContext,
  type ConfigNode,
  type Format,
  isMapping,
  isMissing,
  overlayNode,
  recordOf,
} from '../config/index.js';
import { nameKeyOf } from './build.js';
import { optimizerKind } from './components.js';

/** Factor on the learning rate, beside the keys of the optimizer. */
const LR_SCALE = 'lr_scale';

/** @param optim the section whose settings a group replaces */
function groupOf(optim: unknown): Format<ConfigNode | null> {
  const expected = 'a mapping of settings that replace those of optim, or null';
  return {
    expected,
    accepts: (value) => value === null || isMapping(value),
    check: (value, at) => {
      if (isMapping(value)) checkGroup(value, optim, at);
      else if (value !== null) at.report({ message: `expected ${expected}, got ${JSON.stringify(value)}` });
      return value as ConfigNode | null;
    },
    jsonSchema: () => ({ type: ['object', 'null'] }),
  };
}

/** Settings by module or name pattern, for a schema that has the optimizer as its key `optim`. */
export const paramGroupsFormat: Format<Readonly<Record<string, ConfigNode | null>>> = {
  ...recordOf(groupOf(undefined)),
  expected: 'a mapping of modules or name patterns to settings',
  check: (value, at) => {
    const { parent } = at;
    const optim = isMapping(parent) && !isMissing(parent, 'optim') ? parent['optim'] : undefined;
    return recordOf(groupOf(optim)).check(value, at);
  },
};

/** Checks what a group says in place of `optim`, and nothing that `optim` itself says. */
function checkGroup(settings: ConfigNode, optim: unknown, at: CheckContext): void {
  const writtenKeys = Object.keys(settings).filter((key) => !isMissing(settings, key));
  const scale = writtenKeys.includes(LR_SCALE) ? settings[LR_SCALE] : 1;
  if (!isLrScale(scale)) at.child(settings, LR_SCALE).report({ message: describeScale(scale) });
  if (!isMapping(optim) || !at.lookup) return;
  const otherKeys = Object.keys(optim).filter((key) => !(key in settings) && !isMissing(optim, key));
  const wholeSection = overlayNode(settings, Object.fromEntries(otherKeys.map((key) => [key, optim[key]])));
  const trial = at.trial();
  at.lookup.checkComponent(wholeSection, optimizerKind.kind, nameKeyOf(optim), trial);
  const ownPaths = writtenKeys.filter((key) => key !== LR_SCALE).map((key) => [...at.path, key].join('.'));
  for (const problem of trial.problems) {
    const { path = '' } = problem;
    if (ownPaths.some((key) => path === key || path.startsWith(`${key}.`))) at.add(problem);
  }
}

export function isLrScale(scale: unknown): scale is number {
  return typeof scale === 'number' && scale >= 0 && scale < Number.POSITIVE_INFINITY;
}

/** What is wrong with a factor that is none. */
export function describeScale(scale: unknown): string {
  return `expected a number ≥ 0, got ${JSON.stringify(scale) ?? String(scale)}`;
}
