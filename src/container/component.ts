// What a component is: a named, documented way to build one brick from a typed config.
// Descriptors are plain data; nothing is registered by making one.
import type { ConfigNode, Schema } from '../config/index.js';
import { AnemoneError } from '../errors/index.js';

/**
 * A kind of bricks, together with the type its components build, so that `instantiate` returns that type. It stands beside
 * the interface that it builds:
 *
 *     export const encoderKind = defineKind<Encoder>('encoder', 'an encoder');
 */
export interface KindOf<T> {
  /** Equal names are one kind. */
  readonly kind: string;
  /** The words that error messages use. */
  readonly what: string;
  /** Never set; it carries the type. */
  readonly builds?: T;
}

/**
 * Makes a kind. Components of it can then be named in YAML, by `_target_`, wherever such a brick is wanted.
 * @param what words for error messages; default `a` or `an` and the name
 */
export function defineKind<T>(kind: string, what = withArticle(kind)): KindOf<T> {
  return { kind, what };
}

/** Words for a kind that is known by name only. */
export function withArticle(kind: string): string {
  return `${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${kind.replaceAll('_', ' ')}`;
}

/** What a component may use while it is built. */
export interface BuildContext {
  /** A service, by its token. @throws AnemoneError `container.unknown-token`, `container.cycle` */
  resolve<T>(token: Token<T>): T;
  /** Builds a component nested in this one's config. */
  instantiate<T>(node: ConfigNode, kind: KindOf<T> | string, options?: InstantiateOptions): T;
}

/** How a mapping names its component, and what the component gets beside the mapping. */
export interface InstantiateOptions {
  /** The key that names the component: `_target_` (default), or `name` as in NeMo's `optim` and `sched`. */
  readonly nameKey?: string;
  /** The component to build when the mapping does not name one. */
  readonly defaultName?: string;
  /** Values that only the caller knows (such as the vocabulary size); they win over the mapping's. */
  readonly with?: Readonly<Record<string, unknown>>;
  /** Keys of the mapping that the caller reads itself. */
  readonly skip?: readonly string[];
}

/** A typed name of a service in a container. */
export interface Token<T> {
  readonly symbol: symbol;
  /** Makes the service where nobody registered one; absent where there has to be one. */
  readonly fallback?: ((container: BuildContext) => T) | undefined;
  /** What to do where there is no service. */
  readonly hint?: string | undefined;
  /** Never set; it carries the type. */
  readonly provides?: T;
}

/**
 * The token named `anemone:<name>`; equal names give equal tokens, also across copies of the package.
 * @param fallback makes the service where nobody registers one; default: then it is an error to ask for it
 * @param hint what that error tells to do; default: the names of services that there are
 */
export function token<T>(name: string, fallback?: (container: BuildContext) => T, hint?: string): Token<T> {
  return { symbol: Symbol.for(`anemone:${name}`), fallback, hint };
}

/** Tokens under names of one's own. */
export type InjectedTokens = Readonly<Record<string, Token<unknown>>>;

/** The services of `InjectedTokens`, under the same names. */
export type Injected<I extends InjectedTokens> = {
  readonly [K in keyof I]: I[K] extends Token<infer T> ? T : never;
};

/** What a component is defined by. */
/** What a component is defined by. */
export interface ComponentDefinition<C, T, I extends InjectedTokens = Readonly<Record<never, never>>> {
  readonly kind: KindOf<T> | string;
  /** The name configs use in `_target_` or `name`. */
  readonly name: string;
  /** Further names, such as NeMo's dotted ones; `nemo.collections.x.Y` also answers to `x.Y`. */
  readonly aliases?: readonly string[];
  readonly schema: Schema<C>;
  /** Services that `create` gets beside the config, each under the name given here. Default: none. */
  readonly inject?: I;
  /** Builds the brick. Called once for every mapping that names the component. */
  readonly create: (config: C, context: BuildContext & Injected<I>) => T;
}

/** A component of any type, as registries hold it. */
export interface ComponentDescriptor {
  readonly kind: string;
  /** Words for its kind. */
  readonly what: string;
  readonly name: string;
  readonly aliases: readonly string[];
  readonly schema: Schema<unknown>;
  /** Builds the brick; `config` is what `schema` made of the mapping. */
  /** Builds the brick; `config` is what `schema` made of the mapping. */
  /** Builds the brick; `config` is what `schema` made of the mapping. */
  readonly create: (config: unknown, context: BuildContext) => unknown;
}

/**
 * Describes a component. Hand the result to `registerAll`.
 * @throws AnemoneError `container.bad-name`
 */
export function component<C, T, I extends InjectedTokens = Readonly<Record<never, never>>>(
  definition: ComponentDefinition<C, T, I>,
): ComponentDescriptor {
  const { kind, name, aliases = [], schema, create } = definition;
  // Without `inject`, I is the type of no tokens.
  const inject = definition.inject ?? ({} as I);
  if (!/^[A-Za-z_][\w.-]*$/.test(name)) {
    throw new AnemoneError({ code: 'container.bad-name', message: `"${name}" cannot name a component` });
  }
  const takenName = Object.keys(inject).find((key) => key === 'resolve' || key === 'instantiate');
  if (takenName) {
    throw new AnemoneError({
      code: 'container.bad-name',
      message: `${name} cannot have a service injected as "${takenName}", which every component gets`,
      hint: 'give it another name',
    });
  }
  return {
    ...(typeof kind === 'string' ? defineKind(kind) : { kind: kind.kind, what: kind.what }),
    name,
    aliases: withShortForms(aliases),
    schema: schema as Schema<unknown>,
    // The registry hands `create` only what this very schema has typed.
    create: (config, context) => create(config as C, withServices(context, inject)),
  };
}

/** The context with the services asked for. Its functions may be taken out of it by name. */
function withServices<I extends InjectedTokens>(
  context: BuildContext,
  inject: I,
): BuildContext & Injected<I> {
  const services = Object.entries(inject).map(([key, token]) => [key, context.resolve(token)]);
  return {
    resolve: (token) => context.resolve(token),
    instantiate: (node, kind, options) => context.instantiate(node, kind, options),
    // Each token's service stands under the token's key.
    ...(Object.fromEntries(services) as Injected<I>),
  };
}

/** Whether a value is what `component` returns, also that of another copy of this package. */
export function isComponent(value: unknown): value is ComponentDescriptor {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, name, aliases, schema, create } = value as Partial<ComponentDescriptor>;
  return (
    typeof kind === 'string' &&
    typeof name === 'string' &&
    Array.isArray(aliases) &&
    typeof schema?.parse === 'function' &&
    typeof create === 'function'
  );
}

const NEMO_PREFIX = 'nemo.collections.';

function withShortForms(aliases: readonly string[]): readonly string[] {
  const shortNames = aliases.filter((a) => a.startsWith(NEMO_PREFIX)).map((a) => a.slice(NEMO_PREFIX.length));
  return [...new Set([...aliases, ...shortNames])];
}
