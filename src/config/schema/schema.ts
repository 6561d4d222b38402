// Schemas: the keys a mapping may have, with types inferred from them. Checking collects every error.
// convict holds the properties, fills defaults and runs the formats; positions, near misses, nesting and unions
// are ours. Longer than other files because a quarter of it is the types that are inferred, which belong to the fields.
import { createRequire } from 'node:module';
import type convict from 'convict';
import { AnemoneError, nearestNames } from '../../errors/index.js';
import { throwAll } from '../collect.js';
import {
  copyOrigin,
  isMapping,
  keyPositionOf,
  type Loaded,
  MISSING,
  pathOf,
  peek,
  positionOf,
} from '../config-node.js';
import { CheckContext, type ComponentLookup } from './context.js';
import { describeValue, showValue } from './describe.js';
import {
  type Format,
  type FormatSpec,
  formatOf,
  type InputOf,
  type JsonSchema,
  type ValueOf,
} from './format.js';
import type { CheckResult, ConfigWarning } from './result.js';

/** One key of a schema. Without `default` and `optional` it is required. */
export interface FieldDefinition {
  /** One or two sentences for the reference and `--help`. */
  readonly doc: string;
  readonly format: FormatSpec;
  /** Used when the key is absent; must itself fit the format. */
  readonly default?: unknown;
  /** Whether `null` is allowed. */
  readonly nullable?: boolean;
  /** Whether the key may be absent without a default; it is then `undefined`. */
  readonly optional?: boolean;
  /** Bounds of numbers: `min` ≤ value ≤ `max`; `above` < value < `below`. */
  readonly min?: number;
  readonly max?: number;
  readonly above?: number;
  readonly below?: number;
}

/** The keys of a mapping, each with its format, default and meaning. */
export type FieldDefinitions = Readonly<Record<string, FieldDefinition>>;

type FieldValue<D extends FieldDefinition> =
  | ValueOf<D['format']>
  | (D extends { readonly nullable: true } ? null : never)
  | (D extends { readonly optional: true } ? undefined : never);

/** The typed config of a set of fields. */
export type ConfigOf<F extends FieldDefinitions> = { readonly [K in keyof F]: FieldValue<F[K]> };

/** What code gives of a set of fields; the defaults stand for what it leaves out. See {@link Schema.withDefaults}. */
export type GivenConfigOf<F extends FieldDefinitions> = {
  readonly [K in Exclude<keyof F, OptionalKeys<F>>]: FieldValue<F[K]>;
} & { readonly [K in OptionalKeys<F>]?: FieldValue<F[K]> | undefined };

/** The typed config of a schema. */
export type InferConfig<S> = S extends Schema<infer T> ? T : never;

type FieldInput<D extends FieldDefinition> =
  | InputOf<D['format']>
  | (D extends { readonly nullable: true } ? null : never);

/** Fields that a mapping may leave out. */
type OptionalKeys<F extends FieldDefinitions> = {
  [K in keyof F]: F[K] extends { readonly default: unknown } | { readonly optional: true } ? K : never;
}[keyof F];

type Merged<T> = { [K in keyof T]: T[K] };

/** What code may write for a section of these fields, ignored keys `G` and format `E` of further keys. */
export type SectionOf<F extends FieldDefinitions, G = object, E = undefined> =
  | Loaded
  | Merged<
      { readonly [K in Exclude<keyof F, OptionalKeys<F>>]: FieldInput<F[K]> } & {
        readonly [K in OptionalKeys<F>]?: FieldInput<F[K]>;
      } & { readonly [K in keyof G]?: unknown } & (E extends FormatSpec
          ? { readonly [key: string]: unknown }
          : unknown)
    >;

/**
 * What a function takes as a section of a schema: a loaded config, or a literal with the schema's keys, which an editor
 * completes and the compiler checks. Values are what they are: `\${…}` and `???` are for files.
 */
export type SectionInput<S> = S extends Format<unknown, infer I> ? I : never;

/** A key that is understood and has no effect here. */
export interface IgnoredKey {
  /** What happens instead, a sentence part: `batches are fed without pinning`. */
  readonly instead: string;
  /** Values that ask for nothing and so need no warning, such as `false` and `null`. */
  readonly harmless?: readonly unknown[];
}

/** Keys of NeMo's that a schema passes over, each with what happens instead. */
export type IgnoredKeys = Readonly<Record<string, string | IgnoredKey>>;

/** What a schema says beside its fields. */
export interface SchemaOptions<
  T,
  G extends IgnoredKeys = IgnoredKeys,
  E extends FormatSpec | undefined = FormatSpec | undefined,
> {
  /** What the mapping configures. */
  readonly doc?: string;
  /** Keys of NeMo's that have no effect here; each one used is a warning. */
  readonly ignored?: G;
  /** Format of keys beyond the fields. Without it they are errors. They stay in the typed value, untyped. */
  readonly extra?: E;
  /** Checks that need several keys; runs when every key is right. */
  readonly refine?: (config: T, report: (key: string, message: string, hint?: string) => void) => void;
}

/** How a mapping is checked. */
export interface CheckOptions {
  /** Dotted path for messages; default: where the value stands in its config. */
  readonly path?: string;
  /** Knows the registered components, so that their mappings are checked too. */
  readonly lookup?: ComponentLookup | undefined;
  /** Keys that someone else reads and this schema passes over. */
  readonly skip?: readonly string[];
}

/** How a mapping is checked, and who hears of its warnings. */
export interface ParseOptions extends CheckOptions {
  /** Gets the warnings; without it they are lost. */
  readonly warnings?: ConfigWarning[];
}

/**
 * What a section may hold: its fields, each with format, default and meaning. Made by `defineSchema`; being a format
 * itself, it nests.
 */
export interface Schema<T, I = unknown> extends Format<T, I> {
  readonly name: string;
  readonly doc: string;
  readonly fields: FieldDefinitions;
  readonly ignored: ReadonlyMap<string, IgnoredKey>;
  readonly extra: Format<unknown> | undefined;
  /** Checks keys of a mapping at a given place; for nesting and for the container. */
  checkKeys(node: unknown, at: CheckContext, skip?: readonly string[]): T;
  /** The typed, frozen value and everything found wrong. Never throws on bad input. */
  validate(value: unknown, options?: CheckOptions): CheckResult<T>;
  /** The typed, frozen value. @throws AnemoneError, or AnemoneErrors `config.invalid` with every error */
  parse(value: unknown, options?: ParseOptions): T;
  /**
   * A checked value with further ones laid over it, mappings key by key. Only these are checked, and `refine` looks at the
   * whole once more.
   * @throws AnemoneError(s) as `parse`
   */
  complete(checked: T, values: Readonly<Record<string, unknown>>, options?: ParseOptions): T;
  /** The same within a check. */
  completeKeys(checked: T, values: Readonly<Record<string, unknown>>, at: CheckContext): T;
  /** Values that code gives, with the defaults of the keys that it leaves out. The compiler has checked them. */
  withDefaults(givenKeys: object): T;
}

/**
 * Defines a schema. Types come from the fields:
 *
 *     const schema = defineSchema('Dropout', { rate: { doc: 'Probability.', format: 'number', default: 0.1, min: 0, below: 1 } });
 *     schema.parse({}).rate   // number
 *
 * @throws AnemoneError `config.bad-schema` if a default, other than a mapping, does not fit its own format
 */
export function defineSchema<
  const F extends FieldDefinitions,
  const G extends IgnoredKeys = Readonly<Record<never, never>>,
  const E extends FormatSpec | undefined = undefined,
>(
  name: string,
  fields: F,
  options: SchemaOptions<ConfigOf<F>, G, E> = {},
): Schema<ConfigOf<F>, SectionOf<F, G, E>> {
  const schema = new ObjectSchema<ConfigOf<F>>(name, fields, options);
  schema.verifyDefinition();
  return schema;
}

const ABSENT = Symbol('absent');

/** Loaded when the first mapping is checked. */
const loadConvict = () => createRequire(import.meta.url)('convict') as typeof convict;

/** convict walks into objects and converts text to numbers; a list of one hides a value from both. */
type Box = readonly [unknown];
const box = (value: unknown): Box => [value];

class ObjectSchema<T> implements Schema<T> {
  readonly doc: string;
  readonly ignored: ReadonlyMap<string, IgnoredKey>;
  readonly extra: Format<unknown> | undefined;
  readonly expected: string;
  readonly nested: readonly Schema<unknown>[];

  constructor(
    readonly name: string,
    readonly fields: FieldDefinitions,
    private readonly options: SchemaOptions<T>,
  ) {
    this.doc = options.doc ?? '';
    this.expected = `a mapping (${name})`;
    this.extra = options.extra === undefined ? undefined : formatOf(options.extra);
    const ignored = Object.entries(options.ignored ?? {});
    this.ignored = new Map(
      ignored.map(([key, note]) => [key, typeof note === 'string' ? { instead: note } : note]),
    );
    this.nested = [this as Schema<unknown>];
  }

  accepts(value: unknown): boolean {
    return isMapping(value);
  }

  check(value: unknown, at: CheckContext): T {
    return this.checkKeys(value, at);
  }

  validate(value: unknown, options: CheckOptions = {}): CheckResult<T> {
    const { lookup, skip = [] } = options;
    // Who skips keys looks at another mapping than who does not.
    const memory = skip.length === 0 ? lookup?.memory : undefined;
    const knownResult = memory?.recall(this, value);
    if (knownResult) return knownResult;
    const at = startAt(value, options);
    const result = resultOf(this.checkKeys(value, at, skip), at);
    memory?.keep(this, value, result);
    return result;
  }

  parse(value: unknown, options: ParseOptions = {}): T {
    return this.valueOf(this.validate(value, options), options);
  }

  complete(checked: T, values: Readonly<Record<string, unknown>>, options: ParseOptions = {}): T {
    const at = startAt(checked, options);
    return this.valueOf(resultOf(this.completeKeys(checked, values, at), at), options);
  }

  withDefaults(givenKeys: object): T {
    const typedValues: Record<string, unknown> = {};
    for (const [key, field] of Object.entries(this.fields)) {
      const value: unknown = Reflect.get(givenKeys, key);
      const nested = schemaOf(field);
      if (value === undefined) typedValues[key] = field.default;
      else typedValues[key] = nested && isMapping(value) ? nested.withDefaults(value) : value;
    }
    return typedValues as T;
  }

  completeKeys(checked: T, values: Readonly<Record<string, unknown>>, at: CheckContext): T {
    const before = at.problems.length;
    const typedValues = Object.assign(Object.create(null), checked) as Record<string, unknown>;
    for (const [key, value] of Object.entries(values)) {
      if (Object.hasOwn(this.fields, key)) {
        typedValues[key] = completeField(this.fields[key], typedValues[key], value, at.child(checked, key));
      } else if (this.extra) {
        typedValues[key] = this.extra.check(value, at.child(checked, key));
      } else if (!this.ignored.has(key)) {
        this.reportUnknown(checked as object, key, at);
      }
    }
    copyOrigin(checked, typedValues);
    Object.freeze(typedValues);
    if (at.problems.length === before) this.refine(typedValues as T, checked as object, at);
    return typedValues as T;
  }

  private valueOf({ value, errors, warnings }: CheckResult<T>, { warnings: toldWarnings }: ParseOptions): T {
    throwAll('config.invalid', `${errors.length} errors in the config of ${this.name}:`, errors);
    toldWarnings?.push(...warnings);
    return value as T;
  }

  private refine(config: T, node: object, at: CheckContext): void {
    this.options.refine?.(config, (key, message, hint) => at.child(node, key).report({ message, hint }));
  }

  checkKeys(node: unknown, at: CheckContext, skip: readonly string[] = []): T {
    const typedValues = Object.create(null) as Record<string, unknown>;
    if (!isMapping(node)) {
      const what =
        node === undefined
          ? `the section ${this.name} is missing`
          : `expected ${this.expected}, got ${describeValue(node)}`;
      at.report({ message: what });
      return typedValues as T;
    }
    const before = at.problems.length;
    const present: Record<string, Box> = {};
    const unknownKeys: string[] = [];
    for (const key of Object.keys(node)) {
      if (skip.includes(key)) continue;
      if (Object.hasOwn(this.fields, key)) present[key] = box(peek(node, key));
      else if (this.ignored.has(key)) this.warnIgnored(node, key, at);
      else if (this.extra) typedValues[key] = this.extra.check(peek(node, key), at.child(node, key));
      else unknownKeys.push(key);
    }
    const replacedKeys = laidOver(node, unknownKeys);
    if (replacedKeys.length > 0) this.reportLaidOver(node, replacedKeys, at);
    for (const key of unknownKeys) if (!replacedKeys.includes(key)) this.reportUnknown(node, key, at);
    this.runConvict(node, present, typedValues, at, new Set(unknownKeys.flatMap((key) => this.meantBy(key))));
    copyOrigin(node, typedValues);
    Object.freeze(typedValues);
    if (at.problems.length === before && !at.isOpen) this.refine(typedValues as T, node, at);
    return typedValues as T;
  }

  jsonSchema(): JsonSchema {
    const properties: Record<string, unknown> = {};
    for (const [key, field] of Object.entries(this.fields)) properties[key] = fieldJsonSchema(field);
    for (const [key, { instead }] of this.ignored)
      properties[key] = { description: `No effect here: ${instead}.` };
    const required = Object.entries(this.fields).filter(([, field]) => isRequired(field));
    return {
      type: 'object',
      title: this.name,
      ...(this.doc && { description: this.doc }),
      properties,
      ...(required.length > 0 && { required: required.map(([key]) => key) }),
      additionalProperties: this.extra ? this.extra.jsonSchema() : false,
    };
  }

  verifyDefinition(): void {
    for (const [key, field] of Object.entries(this.fields)) {
      const path = `${this.name}.${key}`;
      if (key.includes('.') || key === '__proto__' || this.ignored.has(key)) {
        throw new AnemoneError({ code: 'config.bad-schema', message: 'this key name cannot be used', path });
      }
      // A default that is a mapping is checked whenever it is used; that would load convict for every import.
      if (!('default' in field) || isMapping(field.default)) continue;
      const at = CheckContext.top([this.name, key], undefined);
      checkField(field, field.default, at);
      throwAll('config.bad-schema', `the default of ${path} does not fit its format`, at.problems);
    }
  }

  private runConvict(
    node: object,
    present: Record<string, Box>,
    typedValues: Record<string, unknown>,
    at: CheckContext,
    misspelt: ReadonlySet<string>,
  ): void {
    const before = at.problems.length;
    const properties: Record<string, convict.SchemaObj<Box>> = {};
    for (const [key, field] of Object.entries(this.fields)) {
      properties[key] = {
        doc: field.doc,
        default: box('default' in field ? field.default : ABSENT),
        format: (boxed: Box) => {
          // One mistake is told once: a key under a name that is almost right is not missing, too.
          if (boxed[0] === ABSENT && misspelt.has(key)) return;
          const problemCount = at.problems.length;
          typedValues[key] = this.checkValue(key, field, boxed[0], at.child(node, key));
          if (at.problems.length > problemCount) throw new Error('refused');
        },
      };
    }
    const config = loadConvict()<Record<string, Box>>(properties, { env: {}, args: [] });
    try {
      config.load(present).validate({ allowed: 'strict' });
    } catch (error) {
      // Everything refused has been reported with its place; anything else is a bug.
      if (at.problems.length === before) throw error;
    }
  }

  private checkValue(key: string, field: FieldDefinition, value: unknown, at: CheckContext): unknown {
    if (at.isGivenLater && hasNone(value, field)) {
      at.leaveOpen();
      return undefined;
    }
    if (value === ABSENT) {
      if (!field.optional) {
        const doc = field.doc === '' ? undefined : `it is: ${firstSentence(field.doc)}`;
        at.report({ code: 'config.missing', message: `the key "${key}" is required`, hint: doc });
      }
      return undefined;
    }
    if (value === MISSING) {
      at.reportMissing();
      return undefined;
    }
    return checkField(field, value, at);
  }

  private warnIgnored(node: object, key: string, at: CheckContext): void {
    const { instead, harmless = [] } = this.ignored.get(key) as IgnoredKey;
    const value = peek(node, key);
    if (harmless.some((fine) => JSON.stringify(fine) === JSON.stringify(value))) return;
    at.child(node, key).warn(`"${key}" has no effect: ${instead}`, keyPositionOf(node, key));
  }

  /** An override has chosen another component, and the keys of the one before are still there. */
  private reportLaidOver(node: object, unknownKeys: readonly string[], at: CheckContext): void {
    const path = at.path.join('.');
    const listedKeys =
      unknownKeys.length > 3 ? `${unknownKeys.slice(0, 3).join(', ')}, …` : unknownKeys.join(', ');
    at.report({
      code: 'config.laid-over',
      message: `the override is laid over the section, which has ${unknownKeys.length} ${unknownKeys.length === 1 ? 'key' : 'keys'} that ${this.name} does not know (${listedKeys})`,
      hint: `to replace the section, remove it first: ~${path} "+${path}={_target_: …}"`,
      position: keyPositionOf(node, TARGET),
    });
  }

  private get known(): readonly string[] {
    return [...Object.keys(this.fields), ...this.ignored.keys()];
  }

  /** The one key that an unknown one is most likely to be. */
  private meantBy(key: string): readonly string[] {
    return nearestNames(key, this.known, 1);
  }

  private reportUnknown(node: object, key: string, at: CheckContext): void {
    const { known } = this;
    const nearKey = at.nearest(key, known);
    const listedKeys = known.length <= 15 ? `known are ${known.join(', ')}` : undefined;
    const position = keyPositionOf(node, key) ?? at.position;
    at.child(node, key).report({
      code: 'config.unknown-key',
      message: `${this.name} has no key "${key}"`,
      hint: nearKey ?? listedKeys,
      position,
    });
  }
}

const TARGET = '_target_';

/** Where an override gave a section its `_target_`: those of the keys that the section had before. */
function laidOver(node: object, unknownKeys: readonly string[]): readonly string[] {
  const isOverride = (key: string) => keyPositionOf(node, key)?.file.startsWith('override ') ?? false;
  return isOverride(TARGET) ? unknownKeys.filter((key) => !isOverride(key)) : [];
}

/** The schema of a key that is a section of its own. */
function schemaOf({ format }: FieldDefinition): Schema<unknown> | undefined {
  return typeof format === 'object' && 'completeKeys' in format ? (format as Schema<unknown>) : undefined;
}

/** Whether a key has no value of its own. */
function hasNone(value: unknown, field: FieldDefinition): boolean {
  return value === ABSENT || value === MISSING || (value === null && !field.nullable);
}

function startAt(value: unknown, { path = pathOf(value), lookup }: CheckOptions): CheckContext {
  const keys = path.split('.').filter((key) => key !== '');
  return CheckContext.top(keys, positionOf(value), lookup);
}

function resultOf<T>(value: T, { problems, warnings }: CheckContext): CheckResult<T> {
  return { value: problems.length === 0 ? value : undefined, errors: problems, warnings };
}

/** What a key becomes when `value` is laid over what it was. */
function completeField(field: FieldDefinition, before: unknown, value: unknown, at: CheckContext): unknown {
  const nested = schemaOf(field);
  if (nested && isMapping(before) && isMapping(value)) return nested.completeKeys(before, value, at);
  return checkField(field, value, at);
}

function checkField(field: FieldDefinition, value: unknown, at: CheckContext): unknown {
  if (value === null && field.nullable) return null;
  const before = at.problems.length;
  const typedValue = formatOf(field.format).check(value, at);
  const bounds = describeBounds(field);
  if (at.problems.length === before && typeof typedValue === 'number' && !withinBounds(field, typedValue)) {
    at.report({ message: `expected a number ${bounds}, got ${typedValue}` });
  }
  if (at.problems.length > before && value === null) return undefined;
  return typedValue;
}

function withinBounds({ min, max, above, below }: FieldDefinition, value: number): boolean {
  return !(
    (min !== undefined && value < min) ||
    (max !== undefined && value > max) ||
    (above !== undefined && value <= above) ||
    (below !== undefined && value >= below)
  );
}

/** `≥ 0 and < 1`, or '' without bounds. */
export function describeBounds({ min, max, above, below }: FieldDefinition): string {
  const parts = [
    min !== undefined && `≥ ${min}`,
    above !== undefined && `> ${above}`,
    max !== undefined && `≤ ${max}`,
    below !== undefined && `< ${below}`,
  ];
  return parts.filter((part) => part !== false).join(' and ');
}

export function isRequired(field: FieldDefinition): boolean {
  return !('default' in field) && !field.optional;
}

/** What a field takes, in words: format, bounds, null. */
export function describeField(field: FieldDefinition): string {
  const bounds = describeBounds(field);
  const format = formatOf(field.format).expected;
  return `${format}${bounds && ` ${bounds}`}${field.nullable ? ', or null' : ''}`;
}

/** `required`, `optional` or the default as YAML shows it. */
export function describeDefault(field: FieldDefinition): string {
  if (isRequired(field)) return 'required';
  return 'default' in field ? showValue(field.default) : 'optional';
}

function fieldJsonSchema(field: FieldDefinition): JsonSchema {
  const base = formatOf(field.format).jsonSchema();
  const bounds = {
    ...(field.min !== undefined && { minimum: field.min }),
    ...(field.max !== undefined && { maximum: field.max }),
    ...(field.above !== undefined && { exclusiveMinimum: field.above }),
    ...(field.below !== undefined && { exclusiveMaximum: field.below }),
  };
  // Interpolations and ??? are text until the config is loaded, so an editor must let them pass.
  const placeholder = { type: 'string', pattern: '\\$\\{|^\\?\\?\\?$' };
  const alternatives = [{ ...base, ...bounds }, placeholder, ...(field.nullable ? [{ type: 'null' }] : [])];
  return {
    description: field.doc,
    ...('default' in field && { default: field.default }),
    anyOf: alternatives,
  };
}

function firstSentence(text: string): string {
  return (/^.*?[.!?](?=\s|$)/s.exec(text)?.[0] ?? text).replace(/\.$/, '').replaceAll('\n', ' ');
}
