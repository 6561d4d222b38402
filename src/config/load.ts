// The front door: a YAML file (or several, or text, or a plain object) and overrides become one frozen config.

import { AnemoneError, type SourcePosition } from '../errors/index.js';
import { throwAll } from './collect.js';
import { composeFile } from './compose.js';
import type { ConfigNode } from './config-node.js';
import { type InterpolationOptions, interpolate } from './interpolate.js';
import { applyOverride, type Override, parseOverride } from './overrides.js';
import { cloneRaw, mergeRaw, type RawMap, rawFromPlain, rawMap, setEntry } from './raw-tree.js';
import { requireMapping } from './require-mapping.js';
import { readYaml } from './yaml-reader.js';

/** A whole config. The sections every training config has are typed; a file may have any others. */
export interface Config extends ConfigNode {
  readonly model: ConfigNode;
  readonly trainer: ConfigNode;
  readonly exp_manager: ConfigNode;
}

/** `env`: what `${oc.env:...}` reads (default `process.env`); `resolvers`: further `${name:...}` functions. */
export type LoadOptions = InterpolationOptions;

interface Source {
  readonly raw: RawMap;
  readonly options: LoadOptions;
}

/** The uninterpolated tree of every config, so that overrides can be applied later. */
const sources = new WeakMap<object, Source>();

/**
 * Loads a config. Several paths are merged, later ones winning; overrides come last, in order.
 * The result is frozen; {@link withOverrides} makes a changed copy.
 * @throws AnemoneError or AnemoneErrors with a code `config.*`, each error with its file, line and column
 */
export function loadConfig(
  path: string | readonly string[],
  overrides: readonly string[] = [],
  options: LoadOptions = {},
): Config {
  const paths = typeof path === 'string' ? [path] : path;
  if (paths.length === 0)
    throw new AnemoneError({ code: 'config.no-file', message: 'no config file was named' });
  let parsed = parseOverrides(overrides);
  let tree = rawMap({ file: paths[0] });
  for (const [i, file] of paths.entries()) {
    // Group choices belong to the first file, whose defaults list names the groups.
    const composed = composeFile(file, i === 0 ? parsed : []);
    if (i === 0) parsed = composed.rest;
    tree = mergeRaw(tree, composed.tree) as RawMap;
  }
  return finish(tree, parsed, options);
}

/**
 * A config from YAML text; `file` names it in errors. Its defaults list, if any, is not followed.
 * `under`: the text is the section of this name, not a whole config.
 */
export function configFromText(
  text: string,
  overrides: readonly string[] = [],
  options: LoadOptions & { readonly file?: string; readonly under?: string } = {},
): Config {
  const file = options.file ?? '(text)';
  const section = readYaml(text, file);
  if (options.under === undefined) return finish(section, parseOverrides(overrides), options);
  const wholeTree = rawMap({ file });
  setEntry(wholeTree, options.under, section, section.position);
  return finish(wholeTree, parseOverrides(overrides), options);
}

/** A config from a plain object, with the meaning of YAML: interpolations and `???` count. */
export function configFromObject(
  value: object,
  overrides: readonly string[] = [],
  options: LoadOptions = {},
): Config {
  const position: SourcePosition = { file: '(object)' };
  requireMapping(value, 'config');
  return finish(rawFromPlain(value, position) as RawMap, parseOverrides(overrides), options);
}

/** A config from values that are what they are: `${` in a text is no interpolation. */
export function configFromValues(value: object): Config {
  return configFromObject(escaped(value) as object);
}

function escaped(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(/(\\*)\$\{/g, '$1$1\\${');
  if (Array.isArray(value)) return value.map(escaped);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, escaped(child)]));
}

/** A copy of a loaded config with more overrides; interpolations are computed anew. */
export function withOverrides(config: ConfigNode, overrides: readonly string[]): Config {
  const source = sources.get(config);
  if (!source) return configFromObject(config, overrides);
  return finish(cloneRaw(source.raw) as RawMap, parseOverrides(overrides), source.options);
}

/** `over` merged into `base`, both whole configs: what loading both files in that order would give. */
export function mergeConfigs(base: object, over: object): Config {
  const rawOf = (config: object) =>
    sources.get(requireMapping(config, 'config'))?.raw ??
    (rawFromPlain(config, { file: '(object)' }) as RawMap);
  return finish(mergeRaw(rawOf(base), rawOf(over)) as RawMap, [], sources.get(base)?.options ?? {});
}

function parseOverrides(texts: readonly string[]): Override[] {
  return collect(texts, parseOverride, 'some overrides cannot be read:');
}

function finish(raw: RawMap, overrides: readonly Override[], options: LoadOptions): Config {
  collect(overrides, (override) => applyOverride(raw, override), 'some overrides do not fit the config:');
  const config = interpolate(raw, options) as Config;
  sources.set(config, { raw, options });
  return config;
}

/** Maps all items, then throws every error met. */
function collect<T, U>(items: readonly T[], map: (item: T) => U, summary: string): U[] {
  const errors: AnemoneError[] = [];
  const results: U[] = [];
  for (const item of items) {
    try {
      results.push(map(item));
    } catch (error) {
      if (!(error instanceof AnemoneError)) throw error;
      errors.push(error);
    }
  }
  throwAll('config.overrides', summary, errors);
  return results;
}
