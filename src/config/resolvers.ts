// The functions that `${name:...}` may call: OmegaConf's `oc.*`, Hydra's `now`, NeMo's `multiply` and `sum`.
// They compute values; none of them reads files or runs code.
import { AnemoneError, asText } from '../errors/index.js';
import type { ConfigValue } from './config-node.js';
import { formatInString, resolvePlainScalar } from './dialect.js';

/** What the functions of `${name:...}` may know of the world: nothing but this. */
export interface ResolverContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The moment the config was loaded; every `${now:...}` of one config gives the same. */
  readonly now: Date;
  /** The value at an absolute dotted path, or undefined. */
  readonly select: (path: string) => ConfigValue | undefined;
  /** Evaluates text as an override value would be. */
  readonly decode: (text: string) => ConfigValue;
}

/** A function callable from a config. It gets its arguments evaluated and typed. */
export type Resolver = (args: readonly ConfigValue[], context: ResolverContext) => ConfigValue;

export const builtinResolvers: ReadonlyMap<string, Resolver> = new Map<string, Resolver>([
  ['oc.env', environment],
  [
    'oc.decode',
    ([text], { decode }) => (typeof text === 'string' ? decode(text) : need('oc.decode', 'a string', text)),
  ],
  ['oc.create', ([value]) => value ?? null],
  ['oc.select', selectOr],
  ['oc.deprecated', ([path], { select }) => select(asText(path)) ?? null],
  ['oc.dict.keys', ([path], context) => Object.keys(mapping('oc.dict.keys', path, context))],
  ['oc.dict.values', ([path], context) => Object.values(mapping('oc.dict.values', path, context))],
  [
    'now',
    ([pattern], { now }) => formatTime(now, typeof pattern === 'string' ? pattern : '%Y-%m-%d_%H-%M-%S'),
  ],
  ['multiply', (args) => numbers('multiply', args).reduce((a, b) => a * b)],
  ['sum', (args) => numbers('sum', args).reduce((a, b) => a + b)],
]);

function environment(args: readonly ConfigValue[], { env }: ResolverContext): ConfigValue {
  const [name, fallback] = args;
  const value = typeof name === 'string' && Object.hasOwn(env, name) ? env[name] : undefined;
  if (value !== undefined) return value;
  if (args.length < 2) {
    throw new AnemoneError({
      code: 'config.env-unset',
      message: `the environment variable ${asText(name)} is not set and no default is given`,
      hint: `export it, or write \${oc.env:${asText(name)},default}`,
    });
  }
  if (fallback === null || typeof fallback === 'string') return fallback;
  if (typeof fallback === 'object') return need('oc.env', 'a plain default', fallback);
  // Environment variables are text, so defaults become text too; `oc.decode` turns text into numbers.
  return formatInString({ value: fallback, float: !Number.isInteger(fallback) });
}

function selectOr([path, fallback]: readonly ConfigValue[], { select }: ResolverContext): ConfigValue {
  return select(asText(path)) ?? fallback ?? null;
}

function mapping(name: string, path: ConfigValue, { select }: ResolverContext): object {
  const value = typeof path === 'string' ? select(path) : path;
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  return need(name, 'a mapping', value ?? null);
}

function numbers(name: string, args: readonly ConfigValue[]): number[] {
  if (args.length === 0) need(name, 'at least one number', null);
  return args.map((arg) => {
    const value = typeof arg === 'string' ? resolvePlainScalar(arg).value : arg;
    return typeof value === 'number' ? value : need(name, 'numbers', arg);
  });
}

function need(name: string, expectation: string, gotValue: ConfigValue): never {
  throw new AnemoneError({
    code: 'config.resolver-arguments',
    message: `\${${name}:...} needs ${expectation}, got ${JSON.stringify(gotValue)}`,
  });
}

function formatTime(now: Date, pattern: string): string {
  const pad = (value: number, width = 2) => String(value).padStart(width, '0');
  const fields: Record<string, string> = {
    Y: pad(now.getFullYear(), 4),
    y: pad(now.getFullYear() % 100),
    m: pad(now.getMonth() + 1),
    d: pad(now.getDate()),
    H: pad(now.getHours()),
    M: pad(now.getMinutes()),
    S: pad(now.getSeconds()),
    f: pad(now.getMilliseconds() * 1000, 6),
    '%': '%',
  };
  return pattern.replace(/%(.)/g, (match, letter: string) => fields[letter] ?? match);
}
