// The tree a config is made of before interpolation: scalars as written, maps and lists, each with its place.
// Merging, overriding and interpolation work on it; users never see it.

import { AnemoneError, type SourcePosition } from '../errors/index.js';

/** The text that marks a value the user must supply. */
export const MISSING_TEXT = '???';

/** The deepest nesting a config may have. */
export const MAX_DEPTH = 200;

export interface RawScalar {
  readonly kind: 'scalar';
  readonly value: null | boolean | number | string;
  /** Written as a float (`1.0`, `1e-3`), which JavaScript numbers cannot tell from an integer. */
  readonly float: boolean;
  readonly position: SourcePosition;
}

export interface RawMap {
  readonly kind: 'map';
  readonly entries: Map<string, RawNode>;
  /** Where each key stands. */
  readonly keyPositions: Map<string, SourcePosition>;
  readonly position: SourcePosition;
}

export interface RawList {
  readonly kind: 'list';
  readonly items: RawNode[];
  readonly position: SourcePosition;
}

export type RawNode = RawScalar | RawMap | RawList;

export function rawScalar(value: RawScalar['value'], position: SourcePosition, float = false): RawScalar {
  return { kind: 'scalar', value, float, position };
}

export function rawMap(position: SourcePosition): RawMap {
  return { kind: 'map', entries: new Map(), keyPositions: new Map(), position };
}

export function rawList(items: RawNode[], position: SourcePosition): RawList {
  return { kind: 'list', items, position };
}

/** Puts a child into a map; refuses the one name that reaches an object's prototype. */
export function setEntry(map: RawMap, key: string, value: RawNode, keyPosition: SourcePosition): void {
  if (key === '__proto__') {
    throw new AnemoneError({
      code: 'config.reserved-key',
      message: 'the key "__proto__" is reserved by JavaScript',
      position: keyPosition,
      hint: 'rename it',
    });
  }
  map.entries.set(key, value);
  map.keyPositions.set(key, keyPosition);
}

/** A copy that shares no container with the original (scalars are immutable and shared). */
export function cloneRaw(node: RawNode): RawNode {
  if (node.kind === 'scalar') return node;
  if (node.kind === 'list') return rawList(node.items.map(cloneRaw), node.position);
  const copy = rawMap(node.position);
  for (const [key, child] of node.entries) {
    setEntry(copy, key, cloneRaw(child), node.keyPositions.get(key) ?? child.position);
  }
  return copy;
}

/** `over` laid on `base`: maps merge key by key, everything else is replaced. Neither is changed. */
export function mergeRaw(base: RawNode, over: RawNode): RawNode {
  if (base.kind !== 'map' || over.kind !== 'map') return cloneRaw(over);
  const mergedMap = cloneRaw(base) as RawMap;
  for (const [key, child] of over.entries) {
    const existingNode = mergedMap.entries.get(key);
    const value = existingNode === undefined ? cloneRaw(child) : mergeRaw(existingNode, child);
    setEntry(mergedMap, key, value, over.keyPositions.get(key) ?? child.position);
  }
  return mergedMap;
}

/** A plain JavaScript value as a raw tree, for configs made in code. */
export function rawFromPlain(value: unknown, position: SourcePosition, depth = 0): RawNode {
  if (depth > MAX_DEPTH) throw tooDeep(position);
  if (value === null || value === undefined) return rawScalar(null, position);
  if (typeof value === 'boolean' || typeof value === 'string') return rawScalar(value, position);
  if (typeof value === 'number') return rawScalar(value, position, !Number.isInteger(value));
  if (Array.isArray(value)) {
    const items = value.map((item) => rawFromPlain(item, position, depth + 1));
    return rawList(items, position);
  }
  if (typeof value === 'object') {
    const map = rawMap(position);
    for (const [key, child] of Object.entries(value)) {
      setEntry(map, key, rawFromPlain(child, position, depth + 1), position);
    }
    return map;
  }
  throw new AnemoneError({
    code: 'config.unsupported-value',
    message: `a ${typeof value} cannot be a config value`,
    position,
    hint: 'use null, booleans, numbers, strings, lists and mappings',
  });
}

export function tooDeep(position: SourcePosition): AnemoneError {
  return new AnemoneError({
    code: 'config.too-deep',
    message: `nested more than ${MAX_DEPTH} levels deep`,
    position,
    hint: 'flatten the config',
  });
}

/** `a.b.0.c` for a list of keys. */
export function joinPath(keys: readonly (string | number)[]): string {
  return keys.join('.');
}
