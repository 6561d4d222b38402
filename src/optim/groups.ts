// Which parameter belongs to which group: `optim_param_groups` of the model's config, NeMo's meaning (a
// group is named after a submodule) widened by patterns with `*` over full parameter names.
import { AnemoneError } from '../errors/index.js';
import { namePattern, type Parameter } from '../nn/index.js';

/** A parameter group before its optimizer is made. */
export interface GroupSelection {
  /** `default` for what no entry names. */
  readonly name: string;
  readonly parameters: readonly Parameter[];
  /** Settings that replace those of `optim`. */
  readonly overrides: Readonly<Record<string, unknown>>;
}

/**
 * Splits trainable parameters: each goes to the first entry that names it, the rest to `default`.
 * @throws AnemoneError `optim.empty-group` when an entry names nothing.
 */
export function selectGroups(
  parameters: readonly Parameter[],
  entries: Readonly<Record<string, Readonly<Record<string, unknown>> | null>>,
): GroupSelection[] {
  let rest = parameters;
  const groups: GroupSelection[] = [];
  for (const [pattern, overrides] of Object.entries(entries)) {
    const matches = namePattern(pattern);
    const chosenParameters = rest.filter((parameter) => matches(parameter.name));
    if (chosenParameters.length === 0) throw emptyGroup(pattern, parameters);
    groups.push({ name: pattern, parameters: chosenParameters, overrides: overrides ?? {} });
    rest = rest.filter((parameter) => !chosenParameters.includes(parameter));
  }
  if (rest.length > 0) groups.push({ name: 'default', parameters: rest, overrides: {} });
  return groups;
}

function emptyGroup(pattern: string, parameters: readonly Parameter[]): AnemoneError {
  const tops = [...new Set(parameters.map((parameter) => parameter.name.split('.')[0]))];
  return new AnemoneError({
    code: 'optim.empty-group',
    path: `model.optim_param_groups.${pattern}`,
    message: 'names no trainable parameter that is not in an earlier group',
    hint: `use a module (${tops.slice(0, 6).join(', ')}) or a pattern such as "*.bias"`,
  });
}
