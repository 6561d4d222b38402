// The section `model.adapters`: adapters by name, each a component, beside what NeMo keeps for all of them.
import { componentConfig, type Format, isMapping, recordOf } from '../config/index.js';
import { adapterKind } from './components.js';

/** What NeMo keeps for all adapters, under the name of none. */
export const GLOBAL_CONFIG = 'global_cfg';

const adapter = componentConfig(adapterKind.kind, { given: ['in_features', 'n_feat'] });

const entry: Format<unknown> = {
  ...adapter,
  accepts: isMapping,
  check: (value, at) => (at.key === GLOBAL_CONFIG ? value : adapter.check(value, at)),
  jsonSchema: () => ({ type: 'object' }),
};

/** The format of the section `model.adapters`. */
export const adaptersFormat: Format<Readonly<Record<string, unknown>>> = {
  ...recordOf(entry),
  expected: 'a mapping of names to adapters',
};
