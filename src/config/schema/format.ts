// What a value may be: formats check one value, name themselves for messages and docs, and describe themselves
// as JSON Schema. Schemas (schema.ts) are formats too, so they nest. Longer than other files
// because it is a table of small formats, each of a few lines.
import { asText } from '../../errors/index.js';
import {
  type ConfigNode,
  copyOrigin,
  isMapping,
  type Loaded,
  MISSING,
  peek,
  writtenAsFloat,
} from '../config-node.js';
import type { CheckContext } from './context.js';
import { describeValue, orList, showValue } from './describe.js';

/** A JSON Schema (draft 2020-12) as a plain object. */
export type JsonSchema = { readonly [key: string]: unknown };

declare const INPUT: unique symbol;

/** A check of one value that yields a `T`; `I` is what code may write for it, where that is not a `T`. */
export interface Format<T, I = unknown> {
  /** For the compiler alone. */
  readonly [INPUT]?: I;
  /** What is expected, as a noun phrase: `an integer ≥ 1`. */
  readonly expected: string;
  /** Whether a value has roughly the right shape, so that its own errors are the interesting ones in a union. */
  accepts(value: unknown): boolean;
  /** The typed value. Reports problems to `at` and then may return anything: the result is thrown away. */
  check(value: unknown, at: CheckContext): T;
  /** What the format accepts as JSON Schema, for editors and the config reference. */
  jsonSchema(): JsonSchema;
  /** Schemas whose keys a reader of the docs should see below this value. */
  readonly nested?: readonly NestedSchema[] | undefined;
}

export interface NestedSchema {
  readonly name: string;
}

/** The formats that have a name, and what they yield. */
export interface NamedFormats {
  /** A whole number. */
  int: number;
  /** A whole number from 0 up. */
  nat: number;
  /** A whole number from 1 up. */
  count: number;
  /** A finite number. */
  number: number;
  /** A number or an infinity, for what bounds nothing then. */
  bound: number;
  boolean: boolean;
  string: string;
  /** Any mapping, taken as it is. */
  mapping: ConfigNode;
  any: unknown;
}
export type NamedFormat = keyof NamedFormats;
type Choice = string | number | boolean;

/** Everything a field may give as its `format`: a name, a list of allowed values, or a format object. */
export type FormatSpec = NamedFormat | readonly Choice[] | Format<unknown>;

/** The type of the values a format yields. */
export type ValueOf<F> = F extends NamedFormat
  ? NamedFormats[F]
  : F extends readonly (infer E)[]
    ? E
    : F extends Format<infer T>
      ? T
      : never;

/** The type of what code may write for a value of a format. */
export type InputOf<F> = F extends 'mapping'
  ? Readonly<Record<string, unknown>> | Loaded
  : F extends NamedFormat
    ? NamedFormats[F]
    : F extends readonly (infer E)[]
      ? E
      : F extends Format<infer T, infer I>
        ? unknown extends I
          ? T
          : I
        : never;

/** A section that names a component, as code may write it. */
export type ComponentSection<N extends string = '_target_'> =
  | Loaded
  | ({ readonly [K in N]: string } & { readonly [key: string]: unknown });

/** How often something happens, when `1` means "every batch" and `1.0` "once an epoch". */
export type Interval = { readonly batches: number } | { readonly fraction: number };

function named<T>(
  expected: string,
  accepts: (value: unknown) => boolean,
  jsonSchema: JsonSchema,
  shape: (value: unknown) => boolean = accepts,
): Format<T> {
  return {
    expected,
    accepts: shape,
    check: (value, at) => {
      if (!accepts(value))
        at.report({
          message: `expected ${expected}, got ${describeValue(value)}`,
          hint: hintFor(value, jsonSchema),
        });
      return value as T;
    },
    jsonSchema: () => jsonSchema,
  };
}

const isNumber = (value: unknown) => typeof value === 'number';

const NAMED: { readonly [N in NamedFormat]: Format<NamedFormats[N]> } = {
  int: named('an integer', Number.isSafeInteger, { type: 'integer' }, isNumber),
  nat: named(
    'an integer ≥ 0',
    (v) => Number.isSafeInteger(v) && (v as number) >= 0,
    { type: 'integer', minimum: 0 },
    isNumber,
  ),
  count: named(
    'an integer ≥ 1',
    (v) => Number.isSafeInteger(v) && (v as number) >= 1,
    { type: 'integer', minimum: 1 },
    isNumber,
  ),
  number: named('a number', Number.isFinite, { type: 'number' }, isNumber),
  bound: named('a number', (v) => isNumber(v) && !Number.isNaN(v), { type: 'number' }, isNumber),
  boolean: named('true or false', (v) => typeof v === 'boolean', { type: 'boolean' }),
  string: named('text', (v) => typeof v === 'string', { type: 'string' }),
  mapping: named('a mapping', isMapping, { type: 'object' }),
  any: named('any value', () => true, {}),
};

/** The format object of a `format` entry. */
export function formatOf(spec: FormatSpec): Format<unknown> {
  if (typeof spec === 'string') return NAMED[spec];
  if (Array.isArray(spec)) return choice(spec as readonly Choice[]);
  return spec as Format<unknown>;
}

function choice<T extends Choice>(values: readonly T[]): Format<T> {
  const expected = orList(values.map(showValue));
  return {
    expected: values.length === 1 ? expected : `one of ${expected}`,
    accepts: (value) => values.some((allowedValue) => typeof allowedValue === typeof value),
    check: (value, at) => {
      if (!values.includes(value as T)) {
        const texts = values.filter((v): v is T & string => typeof v === 'string');
        const unquoted = typeof value !== 'string' && texts.includes(asText(value) as T & string);
        const nearValue = typeof value === 'string' ? at.nearest(value, texts) : undefined;
        const hint = unquoted ? 'put it in quotes' : nearValue;
        at.report({
          message: `expected ${values.length === 1 ? '' : 'one of '}${expected}, got ${describeValue(value)}`,
          hint,
        });
      }
      return value as T;
    },
    jsonSchema: () => ({ enum: [...values] }),
  };
}

/** A list whose items all have one format. */
export function listOf<const F extends FormatSpec>(
  item: F,
  options: { readonly min?: number; readonly max?: number } = {},
): Format<readonly ValueOf<F>[], readonly InputOf<F>[]> {
  const format = formatOf(item);
  const { min = 0, max = Number.POSITIVE_INFINITY } = options;
  const count = min === max ? `${min} ` : min > 0 ? `at least ${min} ` : '';
  return {
    expected: `a list of ${count}${plural(format.expected)}`,
    accepts: (value) => Array.isArray(value),
    nested: format.nested,
    check: (value, at) => {
      if (!Array.isArray(value)) {
        at.report({
          message: `expected a list of ${count}${plural(format.expected)}, got ${describeValue(value)}`,
          hint: 'write lists as [a, b]',
        });
        return [];
      }
      if (value.length < min || value.length > max) {
        at.report({
          message: `expected a list of ${min === max ? min : `${min} to ${max}`} values, got ${value.length}`,
        });
      }
      const items = value.map((_, i) => {
        const below = at.child(value, i);
        const child = peek(value, i);
        if (child === MISSING) below.reportMissing();
        return format.check(child, below) as ValueOf<F>;
      });
      copyOrigin(value, items);
      return Object.freeze(items);
    },
    jsonSchema: () => ({
      type: 'array',
      items: format.jsonSchema(),
      ...(min > 0 && { minItems: min }),
      ...(max < Number.POSITIVE_INFINITY && { maxItems: max }),
    }),
  };
}

/** A list of exactly two. */
export function pairOf<const F extends FormatSpec>(
  item: F,
): Format<readonly [first: ValueOf<F>, second: ValueOf<F>]> {
  // The list is checked to have two items.
  return listOf(item, { min: 2, max: 2 }) as Format<unknown> as Format<readonly [ValueOf<F>, ValueOf<F>]>;
}

/** A mapping from free names to values of one format. */
export function recordOf<const F extends FormatSpec>(
  value: F,
): Format<Readonly<Record<string, ValueOf<F>>>, Readonly<Record<string, InputOf<F>>> | Loaded> {
  const format = formatOf(value);
  const expected = `a mapping of names to ${plural(format.expected)}`;
  return {
    expected,
    accepts: isMapping,
    nested: format.nested,
    check: (node, at) => {
      const result = Object.create(null) as Record<string, ValueOf<F>>;
      if (!isMapping(node)) {
        at.report({ message: `expected ${expected}, got ${describeValue(node)}` });
        return result;
      }
      for (const key of Object.keys(node)) {
        const below = at.child(node, key);
        const child = peek(node, key);
        if (child === MISSING) below.reportMissing();
        else result[key] = format.check(child, below) as ValueOf<F>;
      }
      copyOrigin(node, result);
      return Object.freeze(result);
    },
    jsonSchema: () => ({ type: 'object', additionalProperties: format.jsonSchema() }),
  };
}

/** A value of any of several formats; the first that fits wins. */
export function oneOf<const F extends readonly FormatSpec[]>(
  ...specs: F
): Format<ValueOf<F[number]>, InputOf<F[number]>> {
  const formats = specs.map(formatOf);
  const expected = orList(formats.map((format) => format.expected));
  return {
    expected,
    accepts: (value) => formats.some((format) => format.accepts(value)),
    nested: formats.flatMap((format) => format.nested ?? []),
    check: (value, at) => {
      for (const format of formats) {
        const trial = at.trial();
        const result = format.check(value, trial);
        if (trial.problems.length === 0) {
          trial.keep();
          return result as ValueOf<F[number]>;
        }
      }
      // If one alternative alone has the value's shape, its complaints say more than "none of them".
      const nearFormats = formats.filter((format) => format.accepts(value));
      if (nearFormats.length === 1 && typeof value === 'object') nearFormats[0].check(value, at);
      else at.report({ message: `expected ${expected}, got ${describeValue(value)}` });
      return value as ValueOf<F[number]>;
    },
    jsonSchema: () => ({ anyOf: formats.map((format) => format.jsonSchema()) }),
  };
}

/**
 * A number of batches (an integer) or a part of an epoch (written as a float, 0 to 1): in NeMo's configs
 * `val_check_interval: 1.0` is once an epoch and `1` every batch. In values made in code, where 1 and 1.0 are the
 * same, whole numbers count batches; write `{ fraction: 1 }` for an epoch.
 */
export function interval(): Format<Interval, number | Interval> {
  const expected = 'a number of batches (integer) or a part of an epoch (float, 0.0 to 1.0)';
  const isPart = (value: unknown, key: 'batches' | 'fraction') =>
    isMapping(value) && typeof value[key] === 'number';
  return {
    expected,
    accepts: (value) => typeof value === 'number',
    check: (value, at) => {
      if (isPart(value, 'batches') || isPart(value, 'fraction')) return value as Interval;
      if (typeof value === 'number' && value >= 0) {
        const isFraction = !Number.isInteger(value) || writtenAsFloat(at.parent, at.key);
        if (!isFraction) return { batches: value };
        if (value <= 1) return { fraction: value };
      }
      at.report({ message: `expected ${expected}, got ${describeValue(value)}` });
      return { fraction: 1 };
    },
    jsonSchema: () => ({ type: 'number', minimum: 0 }),
  };
}

/**
 * A format of your own. `check` returns the value it accepts, or throws an Error whose message ends the sentence
 * "expected ..., got ...: ".
 */
export function customFormat<T, I = unknown>(
  expected: string,
  check: (value: unknown) => T,
  jsonSchema: JsonSchema = {},
): Format<T, I> {
  return {
    expected,
    accepts: () => true,
    check: (value, at) => {
      try {
        return check(value);
      } catch (error) {
        const reason = error instanceof Error && error.message !== '' ? `: ${error.message}` : '';
        at.report({ message: `expected ${expected}, got ${describeValue(value)}${reason}` });
        return value as T;
      }
    },
    jsonSchema: () => jsonSchema,
  };
}

/** How a mapping names its component. */
export interface ComponentFormatOptions<N extends string = string> {
  /** The key that names the component: `_target_` (default), or `name` as in NeMo's `optim` and `sched`. */
  readonly nameKey?: N;
  /**
   * Keys that whoever builds the component fills in (`instantiate`'s `with`), as dotted paths: a component may require
   * them, and the section may leave them out.
   */
  readonly given?: readonly string[];
}

/**
 * A mapping that describes a component of some kind. It is checked against that component's own schema when the
 * check knows the components ({@link CheckOptions.lookup}); the value stays a config node, for `instantiate`, which
 * builds it of what this check found.
 */
export function componentConfig<const N extends string = '_target_'>(
  kind: string,
  options: ComponentFormatOptions<N> = {},
): Format<ConfigNode, ComponentSection<N>> {
  const { given = [] } = options;
  const nameKey: string = options.nameKey ?? '_target_';
  return {
    expected: `a mapping with "${nameKey}" naming a component of kind ${kind}`,
    accepts: isMapping,
    check: (node, at) => {
      if (!isMapping(node)) {
        at.report({
          message: `expected a mapping with "${nameKey}" naming a component of kind ${kind}, got ${describeValue(node)}`,
        });
        return {} as ConfigNode;
      }
      return at.lookup?.checkComponent(node, kind, nameKey, at.givenLater(given)) ?? node;
    },
    jsonSchema: () => ({
      type: 'object',
      // The container's reference replaces this by the choice among the registered components.
      'x-component-kind': kind,
      'x-component-name-key': nameKey,
      required: [nameKey],
      properties: { [nameKey]: { type: 'string' } },
    }),
  };
}

/**
 * A section of some keys or, where `_target_` is given, a component of some kind; see {@link componentConfig}.
 */
export function sectionOrComponent<T, I>(
  section: Format<T, I>,
  kind: string,
): Format<T | ConfigNode, I | ComponentSection> {
  const component = componentConfig(kind);
  return {
    expected: section.expected,
    accepts: isMapping,
    nested: section.nested,
    check: (value, at) => (hasTarget(value) ? component : section).check(value, at),
    jsonSchema: () => ({ anyOf: [section.jsonSchema(), component.jsonSchema()] }),
  };
}

/** Whether a section names a component. */
export function hasTarget(value: unknown): value is ConfigNode {
  return isMapping(value) && typeof value['_target_'] === 'string';
}

function hintFor(value: unknown, schema: JsonSchema): string | undefined {
  const wantsNumber = schema.type === 'integer' || schema.type === 'number';
  if (wantsNumber && typeof value === 'number') {
    if (!Number.isFinite(value)) return 'it must be finite';
    return Number.isInteger(value) && !Number.isSafeInteger(value)
      ? 'it is too large to be exact'
      : undefined;
  }
  if (typeof value === 'string' && wantsNumber && value.trim() !== '' && !Number.isNaN(Number(value))) {
    return `write it without quotes; text from \${oc.env:...} becomes a number with \${oc.decode:...}`;
  }
  if (typeof value === 'string' && schema.type === 'boolean' && /^(true|false|yes|no|on|off)$/i.test(value)) {
    return 'write it without quotes';
  }
  return typeof value !== 'object' && schema.type === 'string' ? 'put it in quotes' : undefined;
}

function plural(expected: string): string {
  const noun = expected.replace(/^an? /, '');
  const knownPlurals: Record<string, string> = {
    'true or false': 'true or false',
    text: 'texts',
    'any value': 'values',
  };
  return knownPlurals[expected] ?? noun.replace(/^(\w+)/, (word) => (word === 'one' ? word : `${word}s`));
}
