// Gives every `${...}` of a raw tree its value and builds the frozen config. Values are computed once, on first
// need; cycles, unknown paths and failed resolvers are collected and thrown together, each at its own place.

import { AnemoneError, didYouMean, type SourcePosition } from '../errors/index.js';
import { throwAll } from './collect.js';
import {
  buildList,
  buildNode,
  type ConfigNode,
  type ConfigValue,
  entriesOf,
  MISSING,
  type NodeChild,
  peek,
  writtenAsFloat,
} from './config-node.js';
import { formatInString } from './dialect.js';
import { type Expression, hasInterpolation, parseOverrideValue, parseTemplate } from './expression.js';
import { joinPath, MAX_DEPTH, MISSING_TEXT, type RawMap, type RawNode, tooDeep } from './raw-tree.js';
import { builtinResolvers, type Resolver, type ResolverContext } from './resolvers.js';

/** Limits on what a few references to references may grow into. */
const MAX_VALUES = 200_000;
const MAX_TEXT = 1_000_000;
const MAX_ALL_TEXTS = 20_000_000;
/** Further mistakes are not looked for: each costs a search for near names. */
const MAX_PROBLEMS = 50;

export interface InterpolationOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly resolvers?: Readonly<Record<string, Resolver>>;
  readonly now?: Date;
}

interface Resolved {
  readonly value: ConfigValue | typeof MISSING;
  readonly float: boolean;
  /** How many values it holds, shared ones counted each time. */
  readonly size: number;
}

type Key = string | number;

/** The config of a raw tree. @throws AnemoneError (or AnemoneErrors) with code `config.*` */
export function interpolate(root: RawMap, options: InterpolationOptions = {}): ConfigNode {
  const interpolator = new Interpolator(root, options);
  const summary = 'the config has interpolations without a value:';
  try {
    const { value } = interpolator.resolve(root, []);
    throwAll('config.interpolation', summary, interpolator.problems);
    return value as ConfigNode;
  } catch (error) {
    throwAll('config.interpolation', summary, interpolator.problems);
    throw error;
  }
}

class Interpolator {
  readonly problems: AnemoneError[] = [];
  private readonly done = new Map<string, Resolved>();
  private readonly failed = new Map<string, AnemoneError>();
  private readonly open: string[] = [];
  private readonly resolvers: ReadonlyMap<string, Resolver>;
  private readonly context: ResolverContext;
  private depth = 0;
  private readonly spent = { characters: 0, values: 0 };

  constructor(
    private readonly root: RawMap,
    options: InterpolationOptions,
  ) {
    this.resolvers = new Map([...builtinResolvers, ...Object.entries(options.resolvers ?? {})]);
    this.context = {
      env: options.env ?? process.env,
      now: options.now ?? new Date(),
      select: (path) => this.select(path.split('.')),
      decode: (text) => this.decode(text),
    };
  }

  resolve(node: RawNode, path: readonly Key[]): Resolved {
    const id = JSON.stringify(path);
    const knownValue = this.done.get(id);
    if (knownValue) return knownValue;
    const failure = this.failed.get(id);
    if (failure) throw failure;
    if (this.open.includes(id)) throw this.cycle(id, node.position);
    if (++this.depth > MAX_DEPTH * 4) throw tooDeep(node.position);
    this.open.push(id);
    try {
      const resolved = this.compute(node, path);
      if (resolved.size > MAX_VALUES) {
        throw new AnemoneError({
          code: 'config.too-large',
          message: `grows beyond ${MAX_VALUES} values when interpolated`,
          path: joinPath(path),
          position: node.position,
        });
      }
      this.done.set(id, resolved);
      return resolved;
    } catch (error) {
      // The same failure reached by several references is one problem, at its root.
      if (error instanceof AnemoneError) this.failed.set(id, error);
      throw error;
    } finally {
      this.open.pop();
      this.depth--;
    }
  }

  private compute(node: RawNode, path: readonly Key[]): Resolved {
    if (node.kind === 'map') {
      let size = 1;
      const children = [...node.entries].map(([key, child]): NodeChild => {
        const resolved = this.collecting(child, [...path, key]);
        size += resolved.size;
        return {
          key,
          value: resolved.value,
          float: resolved.float,
          missing: resolved.value === MISSING,
          position: valuePosition(child, node.keyPositions.get(key)),
          keyPosition: node.keyPositions.get(key),
        };
      });
      return { value: buildNode(path, node.position, children), float: false, size };
    }
    if (node.kind === 'list') {
      let size = 1;
      const items = node.items.map((child, i): Omit<NodeChild, 'key'> => {
        const resolved = this.collecting(child, [...path, i]);
        size += resolved.size;
        const isMissingValue = resolved.value === MISSING;
        return {
          value: resolved.value,
          float: resolved.float,
          missing: isMissingValue,
          position: child.position,
        };
      });
      return { value: buildList(path, node.position, items), float: false, size };
    }
    if (typeof node.value !== 'string') return { value: node.value, float: node.float, size: 1 };
    if (node.value === MISSING_TEXT) return { value: MISSING, float: false, size: 1 };
    if (!hasInterpolation(node.value)) return { value: node.value, float: false, size: 1 };
    try {
      return this.value(parseTemplate(node.value), path);
    } catch (error) {
      throw located(error, path, node.position);
    }
  }

  /** Resolves a child; a failure is noted and leaves a hole, so that the other failures are found too. */
  private collecting(child: RawNode, path: readonly Key[]): Resolved {
    try {
      return this.resolve(child, path);
    } catch (error) {
      if (!(error instanceof AnemoneError)) throw error;
      if (this.problems.length >= MAX_PROBLEMS) throw error;
      if (!this.problems.includes(error)) this.problems.push(error);
      return { value: null, float: false, size: 1 };
    }
  }

  private value(expression: Expression, path: readonly Key[]): Resolved {
    switch (expression.kind) {
      case 'literal':
        return { ...expression.literal, size: 1 };
      case 'join':
        return this.join(expression.parts, path);
      case 'reference':
        return this.reference(expression, path);
      case 'call':
        return this.call(expression, path);
      case 'list': {
        const items = expression.items.map((item) => this.value(item, path));
        const value = buildList(
          path,
          undefined,
          items.map((item) => ({ ...item, missing: item.value === MISSING, position: undefined })),
        );
        return { value, float: false, size: 1 + totalSize(items) };
      }
      case 'map': {
        const entries = expression.entries.map(([key, child]) => ({ key, ...this.value(child, path) }));
        const value = buildNode(
          path,
          undefined,
          entries.map((entry) => ({ ...entry, missing: entry.value === MISSING, position: undefined })),
        );
        return { value, float: false, size: 1 + totalSize(entries) };
      }
    }
  }

  private join(parts: readonly Expression[], path: readonly Key[]): Resolved {
    let text = '';
    for (const part of parts) {
      const { value, float } = this.value(part, path);
      if (value === MISSING) return { value: MISSING, float: false, size: 1 };
      if (typeof value === 'object' && value !== null) {
        const shape = Array.isArray(value) ? 'list' : 'mapping';
        const name = part.kind === 'reference' || part.kind === 'call' ? part.text : 'an interpolation';
        throw new AnemoneError({
          code: 'config.not-text',
          message: `${name} is a ${shape} and cannot be part of a string`,
        });
      }
      text += formatInString({ value, float });
      if (text.length > MAX_TEXT) {
        throw new AnemoneError({
          code: 'config.too-large',
          message: `becomes longer than ${MAX_TEXT} characters`,
        });
      }
    }
    this.spend('characters', text.length, MAX_ALL_TEXTS);
    return { value: text, float: false, size: 1 };
  }

  private reference(expression: Expression & { kind: 'reference' }, path: readonly Key[]): Resolved {
    const keys = expression.keys.map((key) => this.keyText(key, path));
    const { up, text } = expression;
    if (up > path.length) {
      throw new AnemoneError({
        code: 'config.reference-too-high',
        message: `${text} goes above the top of the config`,
        hint: `one dot means beside this value, so at most ${path.length} dots fit here`,
      });
    }
    const base = up === 0 ? [] : path.slice(0, path.length - up);
    return this.follow([...base.map(String), ...keys], text);
  }

  private keyText(key: Expression, path: readonly Key[]): string {
    const { value, float } = this.value(key, path);
    if (value === MISSING || (typeof value === 'object' && value !== null)) {
      throw new AnemoneError({
        code: 'config.bad-reference',
        message: 'a part of a reference has no plain value',
      });
    }
    return formatInString({ value, float });
  }

  /** Walks raw containers without resolving their other children, so that siblings may refer to each other. */
  private follow(keys: readonly string[], text: string): Resolved {
    let node: RawNode = this.root;
    const walkedKeys: Key[] = [];
    for (const [i, key] of keys.entries()) {
      if (node.kind === 'scalar') return this.followResolved(this.resolve(node, walkedKeys), keys, i, text);
      const child: RawNode | undefined =
        node.kind === 'map' ? node.entries.get(key) : node.items[listIndex(key, node.items.length)];
      if (child === undefined) {
        const names = node.kind === 'map' ? [...node.entries.keys()] : node.items.map((_, n) => String(n));
        throw unknownReference(text, walkedKeys, key, names);
      }
      walkedKeys.push(node.kind === 'map' ? key : listIndex(key, node.items.length));
      node = child;
    }
    return this.resolve(node, walkedKeys);
  }

  private followResolved(start: Resolved, keys: readonly string[], from: number, text: string): Resolved {
    let { value, float } = start;
    const { size } = start;
    for (let i = from; i < keys.length; i++) {
      if (value === MISSING) return { value, float: false, size: 1 };
      const key = Array.isArray(value) ? listIndex(keys[i], value.length) : keys[i];
      const child = peek(value, key);
      if (child === undefined) {
        const names = typeof value === 'object' && value !== null ? Object.keys(value) : [];
        throw unknownReference(text, keys.slice(0, i), keys[i], names);
      }
      float = writtenAsFloat(value, key);
      value = child as ConfigValue | typeof MISSING;
    }
    return { value, float, size };
  }

  private select(keys: readonly string[]): ConfigValue | undefined {
    try {
      const { value } = this.follow(keys, `\${${keys.join('.')}}`);
      return value === MISSING ? undefined : value;
    } catch (error) {
      if (error instanceof AnemoneError && error.code === 'config.unknown-reference') return undefined;
      throw error;
    }
  }

  private decode(text: string): ConfigValue {
    const { value } = this.value(parseOverrideValue(text), []);
    if (value === MISSING)
      throw new AnemoneError({ code: 'config.missing', message: `"${text}" refers to ???` });
    return value;
  }

  private call(expression: Expression & { kind: 'call' }, path: readonly Key[]): Resolved {
    const name = this.keyText(expression.name, path);
    const resolver = this.resolvers.get(name);
    if (!resolver) {
      throw new AnemoneError({
        code: 'config.unknown-resolver',
        message: `${expression.text} calls "${name}", which does not exist`,
        hint: didYouMean(name, this.resolvers.keys()) ?? `known are ${[...this.resolvers.keys()].join(', ')}`,
      });
    }
    const args = expression.args.map((arg) => this.value(arg, path));
    if (args.some((arg) => arg.value === MISSING)) return { value: MISSING, float: false, size: 1 };
    const value = resolver(
      args.map((arg) => arg.value as ConfigValue),
      this.context,
    );
    const float = typeof value === 'number' && (!Number.isInteger(value) || args.some((arg) => arg.float));
    const size = countValues(value);
    this.spend('values', size, MAX_VALUES);
    return { value, float, size };
  }

  /** Refuses texts and values that are small each and together fill the memory, or take long to count. */
  private spend(what: 'characters' | 'values', amount: number, bound: number): void {
    this.spent[what] += amount;
    if (this.spent[what] <= bound) return;
    throw new AnemoneError({
      code: 'config.too-large',
      message: `the interpolations give more than ${bound} ${what}`,
    });
  }

  private cycle(id: string, position: SourcePosition): AnemoneError {
    const loop = [...this.open.slice(this.open.indexOf(id)), id].map(
      (entry) => joinPath(JSON.parse(entry) as Key[]) || '(top)',
    );
    return new AnemoneError({
      code: 'config.cycle',
      message: `interpolations go in a circle: ${loop.join(' → ')}`,
      position,
      hint: 'give one of them a value',
    });
  }
}

/** A scalar's own place; a container's errors are better placed at its key. */
function valuePosition(child: RawNode, key: SourcePosition | undefined): SourcePosition {
  return child.kind === 'scalar' ? child.position : (key ?? child.position);
}

function located(error: unknown, path: readonly Key[], position: SourcePosition): unknown {
  if (!(error instanceof AnemoneError) || error.position) return error;
  const { code, hint, details } = error;
  const text = hint ? error.message.slice(0, -(hint.length + 3)) : error.message;
  return new AnemoneError({ code, message: text, path: joinPath(path), position, hint, details });
}

function unknownReference(
  text: string,
  walkedKeys: readonly Key[],
  key: string,
  names: readonly string[],
): AnemoneError {
  const where = walkedKeys.length === 0 ? 'at the top of the config' : `in ${joinPath(walkedKeys)}`;
  const nearName = didYouMean(key, names);
  const listedNames = names.length > 0 && names.length <= 12 ? `there are ${names.join(', ')}` : undefined;
  return new AnemoneError({
    code: 'config.unknown-reference',
    message: `${text} refers to "${key}", which does not exist ${where}`,
    hint: nearName ?? listedNames,
  });
}

function listIndex(key: string, length: number): number {
  if (!/^-?\d+$/.test(key)) return -1;
  const index = Number(key);
  return index < 0 ? length + index : index;
}

function totalSize(parts: readonly Resolved[]): number {
  return parts.reduce((total, part) => total + part.size, 0);
}

function countValues(value: ConfigValue): number {
  if (typeof value !== 'object' || value === null) return 1;
  return entriesOf(value).reduce((total, [, child]) => total + countValues(child as ConfigValue), 1);
}
