// The values users see: frozen plain objects and arrays. Where each value was written is kept beside them,
// out of sight, and asked for with `positionOf`.

import { AnemoneError, type SourcePosition } from '../errors/index.js';
import { joinPath, MISSING_TEXT } from './raw-tree.js';

/** A value of a config that is neither a mapping nor a list. */
export type ConfigScalar = null | boolean | number | string;
/** Any value of a config. */
export type ConfigValue = ConfigScalar | ConfigNode | ConfigList;
/** A list of a config, frozen. */
export type ConfigList = readonly ConfigValue[];

declare const LOADED: unique symbol;

/**
 * The mark, for the compiler alone, of what was loaded or checked: every function that takes a section takes it, whatever
 * its keys. A literal does not have it, so that its keys must be those of the section's schema.
 */
export interface Loaded {
  readonly [LOADED]: true;
}

/** A mapping of a config. A key that is not there reads as `undefined`; one that is `???` throws `config.missing`. */
export interface ConfigNode extends Loaded {
  readonly [key: string]: ConfigValue;
}

/** A section without keys. */
export const EMPTY_SECTION = Object.freeze({}) as ConfigNode;

/** Stands for `???` where a value is inspected without being used. */
export const MISSING: unique symbol = Symbol('???');

/** What is remembered of one child of a mapping or list. */
export interface ChildOrigin {
  readonly position: SourcePosition | undefined;
  /** Where its key stands; lists have none. */
  readonly keyPosition?: SourcePosition | undefined;
  readonly float: boolean;
  readonly missing: boolean;
}

interface Origin {
  readonly path: readonly (string | number)[];
  readonly position: SourcePosition | undefined;
  readonly children: ReadonlyMap<string | number, ChildOrigin>;
}

/** One child to build a node of. */
export interface NodeChild extends ChildOrigin {
  readonly key: string;
  readonly value: ConfigValue | typeof MISSING;
}

const origins = new WeakMap<object, Origin>();

/** Builds a frozen mapping without a prototype, so that no key name can reach one. */
export function buildNode(
  path: readonly (string | number)[],
  position: SourcePosition | undefined,
  children: readonly NodeChild[],
): ConfigNode {
  const node = Object.create(null) as Record<string, ConfigValue> & Loaded;
  for (const child of children) {
    const { value } = child;
    if (value === MISSING) {
      const throwMissing = () => {
        throw missingValue([...path, child.key], child.position);
      };
      Object.defineProperty(node, child.key, { enumerable: true, get: throwMissing });
    } else {
      Object.defineProperty(node, child.key, { enumerable: true, value });
    }
  }
  origins.set(node, { path, position, children: new Map(children.map((child) => [child.key, child])) });
  return Object.freeze(node);
}

export function buildList(
  path: readonly (string | number)[],
  position: SourcePosition | undefined,
  items: readonly (ChildOrigin & { readonly value: ConfigValue | typeof MISSING })[],
): ConfigList {
  const list = items.map(({ value }) => (value === MISSING ? MISSING_TEXT : value));
  origins.set(list, { path, position, children: new Map(items.map((item, i) => [i, item])) });
  return Object.freeze(list);
}

/** Where a node, or its child `key`, was written; undefined for values made in code. */
export function positionOf(node: unknown, key?: string | number): SourcePosition | undefined {
  const origin = originOf(node);
  return key === undefined ? origin?.position : origin?.children.get(key)?.position;
}

/** Where the key of a child was written. */
export function keyPositionOf(node: unknown, key: string): SourcePosition | undefined {
  const child = originOf(node)?.children.get(key);
  return child?.keyPosition ?? child?.position;
}

/** The dotted path of a node from the top of its config; '' for the top itself and for values made in code. */
export function pathOf(node: unknown): string {
  return joinPath(originOf(node)?.path ?? []);
}

/** Whether a child was written as a float: `1.0` and `1` are the same number and may mean different things. */
export function writtenAsFloat(node: unknown, key: string | number): boolean {
  return originOf(node)?.children.get(key)?.float ?? false;
}

/** Whether `key` is there but still `???`. */
export function isMissing(node: unknown, key: string | number): boolean {
  return peek(node, key) === MISSING;
}

/** Keys and values of a mapping; `???` comes as MISSING instead of throwing. */
export function entriesOf(node: object): [string, unknown][] {
  return Object.keys(node).map((key) => [key, peek(node, key)]);
}

/** The child `key` of a mapping or list without throwing: MISSING for `???`, undefined when absent. */
export function peek(node: unknown, key: string | number): unknown {
  if (typeof node !== 'object' || node === null || !Object.hasOwn(node, key)) return undefined;
  if (originOf(node)?.children.get(key)?.missing) return MISSING;
  const value: unknown = Reflect.get(node, key);
  return value === MISSING_TEXT ? MISSING : value;
}

/** Remembers for a typed value made of `source` (by a schema) where `source` came from. */
export function copyOrigin(source: unknown, target: object): void {
  const origin = originOf(source);
  if (origin) origins.set(target, origin);
}

/** A plain copy of `node` with `keys` beside its own or in their place, without those that are undefined; places of what stays are kept. */
export function withKeys(
  node: Readonly<Record<string, unknown>>,
  keys: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const copy = Object.fromEntries(
    Object.entries({ ...node, ...keys }).filter(([, value]) => value !== undefined),
  );
  copyOrigin(node, copy);
  return copy;
}

/** `node` with `values` laid over it, mappings merged key by key; places of what stays are kept. */
export function overlayNode(node: ConfigNode, values: Readonly<Record<string, unknown>>): ConfigNode {
  const origin = originOf(node);
  const laidValues = new Map<string, unknown>(entriesOf(node));
  for (const [key, value] of Object.entries(values)) {
    const below = laidValues.get(key);
    laidValues.set(key, isMapping(below) && isMapping(value) ? overlayNode(below, value) : value);
  }
  const children = [...laidValues].map(([key, value]): NodeChild => {
    const knownChild = Object.hasOwn(values, key) ? undefined : origin?.children.get(key);
    const isMissingValue = value === MISSING;
    const float = knownChild?.float ?? false;
    const { position, keyPosition } = knownChild ?? { position: origin?.position };
    return { key, value: value as NodeChild['value'], missing: isMissingValue, float, position, keyPosition };
  });
  return buildNode(origin?.path ?? [], origin?.position, children);
}

/** Whether a value is a mapping of a loaded config, which stays what it is. */
export function isImmutable(value: unknown): value is ConfigNode {
  return originOf(value) !== undefined && isMapping(value) && Object.isFrozen(value);
}

/** True for mappings: config nodes and plain objects made in code, not lists or class instances. */
export function isMapping(value: unknown): value is ConfigNode {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

/** The value at a dotted path, undefined when it is not there; throws where the path meets `???`. */
export function selectValue(node: ConfigNode, path: string): ConfigValue | undefined {
  let currentValue: ConfigValue | undefined = node;
  for (const key of path.split('.')) {
    if (typeof currentValue !== 'object' || currentValue === null || !Object.hasOwn(currentValue, key))
      return undefined;
    currentValue = Reflect.get(currentValue, key) as ConfigValue;
  }
  return currentValue;
}

/** The error for a mandatory value nobody gave. */
export function missingValue(
  path: readonly (string | number)[],
  position: SourcePosition | undefined,
): AnemoneError {
  const dotted = joinPath(path);
  return new AnemoneError({
    code: 'config.missing',
    message: 'a value is required here but it is still ???',
    path: dotted,
    position,
    hint: `set it in the file or with ${dotted}=VALUE`,
  });
}

function originOf(node: unknown): Origin | undefined {
  return typeof node === 'object' && node !== null ? origins.get(node) : undefined;
}
