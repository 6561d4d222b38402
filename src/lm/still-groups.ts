// Which parameters do not decay where a config does not say: norms and biases, as in Megatron.
import type { Parameter } from '../nn/index.js';

/** `optim_param_groups` for parameters of one axis; undefined where there are none. */
export function stillGroups(
  parameters: Iterable<Parameter>,
): Readonly<Record<string, { readonly weight_decay: 0 }>> | undefined {
  const still = [...parameters].filter(({ shape, trainable }) => trainable && shape.length === 1);
  if (still.length === 0) return undefined;
  const patterns = new Set(still.map(({ name }) => patternOf(name.split('.'))));
  return Object.fromEntries([...patterns].map((pattern) => [pattern, { weight_decay: 0 as const }]));
}

/** All biases have one pattern, and so have the weights of modules whose names end in "norm". */
function patternOf(path: readonly string[]): string {
  const [module, end] = path.slice(-2);
  if (end !== 'weight') return `*.${end}`;
  return module.endsWith('norm') ? '*norm.weight' : `*.${module}.weight`;
}
