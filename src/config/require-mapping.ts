// The check at the doors of the library: a section of a config is a mapping, whatever a program or a file gives.
import { AnemoneError } from '../errors/index.js';
import { type ConfigNode, isMapping, positionOf } from './config-node.js';
import { describeValue } from './schema/describe.js';

/**
 * The value, if it is a mapping.
 * @param path where it stands in the config, or what the argument is called
 * @throws AnemoneError `config.not-a-mapping`
 */
export function requireMapping(value: unknown, path: string): ConfigNode {
  if (isMapping(value)) return value;
  throw new AnemoneError({
    code: 'config.not-a-mapping',
    path,
    message: `expected a mapping of keys to values, got ${describeValue(value)}`,
    position: positionOf(value),
  });
}
