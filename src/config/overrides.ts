// Overrides as typed on a command line: `a.b=1` changes, `+a.b=1` adds, `++a.b=1` does either, `~a.b` removes.
// Parsing and applying to a raw tree; choosing config groups (`optim=adam`) is compose.ts's.
import { AnemoneError, didYouMean, type SourcePosition } from '../errors/index.js';
import { type Expression, parseOverrideValue } from './expression.js';
import { mergeRaw, type RawMap, type RawNode, rawList, rawMap, rawScalar, setEntry } from './raw-tree.js';

export type OverrideAction = 'change' | 'add' | 'force' | 'delete';

export interface Override {
  readonly action: OverrideAction;
  /** The key as written, without its prefix: `a.b`, `group`, `group@package`. */
  readonly key: string;
  /** Undefined for `~key`. */
  readonly value: RawNode | undefined;
  readonly text: string;
  readonly position: SourcePosition;
}

/** Parses one override. @throws AnemoneError `config.bad-override` or `config.bad-expression` */
export function parseOverride(text: string): Override {
  const position: SourcePosition = { file: `override ${text}` };
  const match = /^(\+\+|\+|~)?([^=]*)(=([\s\S]*))?$/.exec(text);
  const prefix = match?.[1] ?? '';
  const key = match?.[2].trim() ?? '';
  const assigned = match?.[3] !== undefined;
  const action: OverrideAction =
    prefix === '~' ? 'delete' : prefix === '++' ? 'force' : prefix === '+' ? 'add' : 'change';
  if (!assigned && action !== 'delete') {
    throw badOverride(text, 'has no "="', 'write key=value; a flag needs two dashes');
  }
  if (!/^[\w$@/:.[\]-]+$/.test(key) || /\.\.|^\.|\.$/.test(key)) {
    throw badOverride(text, `"${key}" is not a key`, 'write keys as a.b.c');
  }
  const valueText = match?.[4] ?? '';
  const call = /^\s*([A-Za-z_]\w*)\s*\(/.exec(valueText);
  if (call) {
    throw badOverride(
      text,
      `functions such as ${call[1]}(...) are not supported`,
      'quote the value if it is text',
    );
  }
  const value = assigned ? rawOf(readValue(valueText, key, position), position) : undefined;
  return { action, key, value, text, position };
}

function readValue(text: string, key: string, position: SourcePosition): Expression {
  try {
    return parseOverrideValue(text);
  } catch (error) {
    if (!(error instanceof AnemoneError)) throw error;
    const { code, reason: message, hint } = error;
    throw new AnemoneError({ code, path: key, position, message, hint, cause: error });
  }
}

/** Applies overrides to a tree in place, in order. @throws AnemoneError `config.override-*` */
export function applyOverride(root: RawMap, override: Override): void {
  const keys = override.key.replace(/\[(\w+)\]/g, '.$1').split('.');
  const last = keys[keys.length - 1];
  const parent = findParent(root, keys, override);
  const currentNode = childOf(parent, last);
  if (override.action === 'delete') {
    if (currentNode === undefined) throw unknownKey(parent, keys, keys.length - 1, override);
    if (
      override.value !== undefined &&
      JSON.stringify(plain(currentNode)) !== JSON.stringify(plain(override.value))
    ) {
      throw failure(override, 'override-mismatch', 'the key has another value, so it was not removed');
    }
    remove(parent, last);
    return;
  }
  if (currentNode === undefined && override.action === 'change')
    throw unknownKey(parent, keys, keys.length - 1, override);
  if (currentNode !== undefined && override.action === 'add') {
    throw failure(
      override,
      'override-exists',
      `"${override.key}" is there already`,
      'drop the "+", or write "++" for either',
    );
  }
  const value = override.value as RawNode;
  if (override.action === 'change' && currentNode) refuseNewKeys(currentNode, value, keys, override);
  const mergedNode = currentNode === undefined ? value : mergeRaw(currentNode, value);
  if (parent.kind === 'map') setEntry(parent, last, mergedNode, override.position);
  else if (parent.kind === 'list') parent.items[indexOf(parent, last)] = mergedNode;
}

function findParent(root: RawMap, keys: readonly string[], override: Override): RawNode {
  let node: RawNode = root;
  const creates = override.action === 'add' || override.action === 'force';
  for (let i = 0; i < keys.length - 1; i++) {
    let child = childOf(node, keys[i]);
    const empty = child?.kind === 'scalar' && (child.value === null || child.value === '???');
    if (child === undefined || (empty && creates)) {
      if (!creates || node.kind !== 'map') throw unknownKey(node, keys, i, override);
      child = rawMap(override.position);
      setEntry(node, keys[i], child, override.position);
    }
    if (child.kind === 'scalar') {
      const where = keys.slice(0, i + 1).join('.');
      const shownValue = typeof child.value === 'string' ? `"${child.value}"` : String(child.value);
      throw failure(
        override,
        'override-not-a-mapping',
        `"${where}" is ${shownValue}, not a mapping`,
        `set ${where} itself`,
      );
    }
    node = child;
  }
  const last = keys[keys.length - 1];
  if (node.kind === 'list' && indexOf(node, last) < 0)
    throw unknownKey(node, keys, keys.length - 1, override);
  return node;
}

/** A mapping given as a value changes keys that exist; new ones need `++`, as everywhere. */
function refuseNewKeys(
  currentNode: RawNode,
  value: RawNode,
  keys: readonly string[],
  override: Override,
): void {
  if (currentNode.kind !== 'map' || value.kind !== 'map') return;
  for (const [key, child] of value.entries) {
    const existingNode = currentNode.entries.get(key);
    if (existingNode === undefined) throw unknownKey(currentNode, [...keys, key], keys.length, override);
    refuseNewKeys(existingNode, child, [...keys, key], override);
  }
}

function childOf(node: RawNode, key: string): RawNode | undefined {
  if (node.kind === 'map') return node.entries.get(key);
  return node.kind === 'list' ? node.items[indexOf(node, key)] : undefined;
}

function indexOf(list: RawNode & { kind: 'list' }, key: string): number {
  const index = /^\d+$/.test(key) ? Number(key) : -1;
  return index < list.items.length ? index : -1;
}

function remove(parent: RawNode, key: string): void {
  if (parent.kind === 'map') {
    parent.entries.delete(key);
    parent.keyPositions.delete(key);
  } else if (parent.kind === 'list') {
    parent.items.splice(indexOf(parent, key), 1);
  }
}

function plain(node: RawNode): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(plain);
  return [...node.entries].map(([key, child]) => [key, plain(child)]);
}

function unknownKey(parent: RawNode, keys: readonly string[], at: number, override: Override): AnemoneError {
  const names =
    parent.kind === 'map'
      ? [...parent.entries.keys()]
      : parent.kind === 'list'
        ? parent.items.map((_, i) => String(i))
        : [];
  const where = at === 0 ? 'at the top of the config' : `in "${keys.slice(0, at).join('.')}"`;
  const nearHint = (at === 0 ? sectionHint(parent, override) : undefined) ?? didYouMean(keys[at], names);
  const add = override.action === 'change' ? `to add a new key, write +${override.text}` : undefined;
  const hint = nearHint ? `${nearHint}${add ? ` ${add[0].toUpperCase()}${add.slice(1)}` : ''}` : add;
  return failure(override, 'override-unknown-key', `there is no "${keys[at]}" ${where}`, hint);
}

/** A key that a section has and that is given without the section: `decoding.strategy` for `model.decoding.strategy`. */
function sectionHint(root: RawNode, { key, text }: Override): string | undefined {
  if (root.kind !== 'map') return undefined;
  const first = key.split(/[.[]/)[0];
  const sections = [...root.entries].filter(([, node]) => node.kind === 'map' && node.entries.has(first));
  const spellings = sections.map(([name]) => `"${text.replace(first, `${name}.${first}`)}"`);
  return spellings.length === 0 ? undefined : `did you mean ${spellings.join(' or ')}?`;
}

function failure(override: Override, code: string, message: string, hint?: string): AnemoneError {
  return new AnemoneError({ code: `config.${code}`, message, position: override.position, hint });
}

function badOverride(text: string, message: string, hint: string): AnemoneError {
  return new AnemoneError({
    code: 'config.bad-override',
    message: `cannot read the override "${text}": ${message}`,
    hint,
  });
}

/** An override's value as a raw tree; interpolations stay text and get their value with everything else. */
function rawOf(expression: Expression, position: SourcePosition): RawNode {
  switch (expression.kind) {
    case 'literal':
      return rawScalar(expression.literal.value, position, expression.literal.float);
    case 'list':
      return rawList(
        expression.items.map((item) => rawOf(item, position)),
        position,
      );
    case 'map': {
      const map = rawMap(position);
      for (const [key, child] of expression.entries) setEntry(map, key, rawOf(child, position), position);
      return map;
    }
    default:
      return rawScalar(sourceOf(expression), position);
  }
}

function sourceOf(expression: Expression): string {
  if (expression.kind === 'join') return expression.parts.map(sourceOf).join('');
  if (expression.kind === 'literal') return String(expression.literal.value);
  return expression.kind === 'reference' || expression.kind === 'call' ? expression.text : '';
}
