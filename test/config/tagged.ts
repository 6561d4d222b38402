// Values as test/golden/config/make_golden.py tags them: with their Python type, floats as Python writes them.
import { entriesOf, MISSING, writtenAsFloat } from '../../src/config/config-node.js';
import { formatFloat } from '../../src/config/dialect.js';

export type Tagged =
  | ['null']
  | ['error', string]
  | ['bool', boolean]
  | ['int', number]
  | ['float' | 'str', string]
  | ['list', Tagged[]]
  | ['map', [string, Tagged][]];

/** The child `key` of `parent`, tagged. */
export function tagged(parent: object, key: string | number): Tagged {
  const found = entriesOf(parent).find(([name]) => name === String(key));
  const value = found?.[1];
  if (value === MISSING) return ['str', '???'];
  if (value === null || value === undefined) return ['null'];
  if (typeof value === 'boolean') return ['bool', value];
  if (typeof value === 'string') return ['str', value];
  if (typeof value === 'number')
    return writtenAsFloat(parent, key) ? ['float', formatFloat(value)] : ['int', value];
  return taggedNode(value as object);
}

export function taggedNode(node: object): Tagged {
  if (Array.isArray(node)) return ['list', node.map((_, i) => tagged(node, i))];
  return ['map', Object.keys(node).map((key) => [key, tagged(node, key)])];
}
