// The container of components and services.
import 'reflect-metadata';
import {
  type DependencyContainer,
  injectable,
  inject as tsyringeInject,
  container as tsyringeRoot,
} from 'tsyringe';
import { type ConfigNode, type ConfigWarning, isMapping, overlayNode, pathOf } from '../config/index.js';
import { AnemoneError, didYouMean } from '../errors/index.js';
import {
  type BuildContext,
  type ComponentDescriptor,
  defineKind,
  type InstantiateOptions,
  type KindOf,
  type Token,
} from './component.js';
import { buildKeys, ComponentRegistry } from './registry.js';

/**
 * Dependency injection: services by token, components by name. tsyringe does the wiring inside; it is never seen
 * outside, and its global container is never used.
 */
export class Container implements BuildContext {
  readonly components = new ComponentRegistry();
  /** Keys of configs that had no effect, collected over every `instantiate`. */
  readonly warnings: ConfigWarning[] = [];

  /** Kinds that somebody reads; absent: whatever is registered. */
  private readonly read: Map<string, string> | undefined;
  private readonly inner: DependencyContainer = tsyringeRoot.createChildContainer();
  private readonly tokens = new Map<symbol, string>();
  private readonly resolving: symbol[] = [];
  private frozenBy: string | undefined;
  /** The first thing that went wrong in the resolve under way. */
  private failure: unknown;

  /** @param kinds that are read, so that a component of another kind is an error; default: all are allowed */
  constructor(kinds?: readonly KindOf<unknown>[]) {
    this.read = kinds && new Map(kinds.map(({ kind, what }) => [kind, what]));
  }

  /** Announces kinds that parts of your own read. */
  readKinds(kinds: readonly KindOf<unknown>[]): this {
    for (const { kind, what } of kinds) this.read?.set(kind, what);
    return this;
  }

  /** Registers a service made by a function, once for the container. */
  registerFactory<T>(token: Token<T>, factory: (container: BuildContext) => T): this {
    return this.register(token, () => factory(this));
  }

  /** Registers a ready-made service. */
  registerValue<T>(token: Token<T>, value: T): this {
    return this.register(token, () => value);
  }

  /**
   * Registers a class; its constructor's parameters get the services of `tokens`, in order. Without `tokens` each
   * parameter must be marked `@inject(token)` in the class.
   * @throws AnemoneError `container.uninjected-parameter` for a parameter without a token: esbuild and tsx emit no
   * decorator metadata, so it would silently become undefined
   */
  registerClass<T, P extends readonly unknown[]>(
    token: Token<T>,
    type: new (...args: P) => T,
    tokens?: { readonly [I in keyof P]: Token<P[I]> },
  ): this {
    const wired = type as unknown as new (...args: unknown[]) => T;
    for (const [i, { symbol }] of (tokens ?? []).entries()) tsyringeInject(symbol)(wired, undefined, i);
    const marked = injectedSymbols(type);
    for (let i = 0; i < type.length; i++) {
      if (marked.has(i)) continue;
      throw new AnemoneError({
        code: 'container.uninjected-parameter',
        message: `parameter ${i + 1} of the constructor of ${type.name} has no @inject(token)`,
        hint: 'give a token for every parameter, or register a factory',
      });
    }
    injectable()(wired);
    return this.register(token, () => {
      for (const symbol of marked.values()) this.refuseUnknown(symbol);
      return this.inner.resolve<T>(wired);
    });
  }

  /**
   * Registers components, so that configs can name them.
   * @throws AnemoneError `container.unread-kind` for a kind that nobody reads, `container.duplicate`, `container.frozen`
   */
  registerAll(components: readonly ComponentDescriptor[]): this {
    for (const descriptor of components) {
      this.refuseIfFrozen(`the ${descriptor.kind} "${descriptor.name}"`);
      this.refuseUnread(descriptor);
      this.components.add(descriptor);
    }
    return this;
  }

  /** The service of a token. @throws AnemoneError `container.unknown-token` or `container.cycle` */
  resolve<T>(token: Token<T>): T {
    this.frozenBy ??= nameOf(token.symbol);
    this.refuseUnknown(token.symbol);
    if (this.resolving.length === 0) this.failure = undefined;
    try {
      return this.inner.resolve<T>(token.symbol);
    } catch (error) {
      // tsyringe turns what goes wrong below a constructor into text; the first error says more.
      throw error instanceof AnemoneError ? error : (this.failure ?? error);
    }
  }

  /**
   * Builds the component a mapping names, from the rest of the mapping.
   * @throws AnemoneError `container.unknown-component`, `container.wrong-kind`, `container.unnamed`, or
   * `config.invalid` with everything wrong in the mapping
   */
  instantiate<T>(node: ConfigNode, kind: KindOf<T> | string, options: InstantiateOptions = {}): T {
    const { nameKey = '_target_', defaultName, skip } = options;
    const { kind: name, what } = typeof kind === 'string' ? defineKind(kind) : kind;
    if (!isMapping(node)) {
      throw new AnemoneError({
        code: 'container.not-a-mapping',
        message: `expected a mapping that describes ${what}, got ${node === undefined ? 'nothing' : JSON.stringify(node)}`,
      });
    }
    this.frozenBy ??= `a ${name}`;
    const path = pathOf(node);
    const descriptor = this.components.findFor(node, name, nameKey, defaultName, path);
    const config = descriptor.schema.parse(options.with ? overlayNode(node, options.with) : node, {
      path,
      lookup: this.components,
      skip: buildKeys(nameKey, skip),
      warnings: this.warnings,
    });
    return descriptor.create(config, this) as T;
  }

  /** The names of all registered services. */
  services(): readonly Token<unknown>[] {
    return [...this.tokens.keys()].map((symbol) => ({ symbol }));
  }

  private register<T>(token: Token<T>, make: () => T): this {
    const name = nameOf(token.symbol);
    this.refuseIfFrozen(`"${name}"`);
    if (this.tokens.has(token.symbol)) {
      throw new AnemoneError({ code: 'container.duplicate', message: `"${name}" is registered twice` });
    }
    this.tokens.set(token.symbol, name);
    let made: { readonly value: T } | undefined;
    this.inner.register<T>(token.symbol, {
      useFactory: () => {
        made ??= { value: this.guarded(token.symbol, make) };
        return made.value;
      },
    });
    return this;
  }

  /** Runs a factory, knowing which ones are at work, so that a circle is an error and not a stack overflow. */
  private guarded<T>(symbol: symbol, make: () => T): T {
    if (this.resolving.includes(symbol)) {
      const circle = [...this.resolving.slice(this.resolving.indexOf(symbol)), symbol].map(nameOf);
      this.failure = new AnemoneError({
        code: 'container.cycle',
        message: `services need each other in a circle: ${circle.join(' → ')}`,
        hint: 'let one of them resolve the other later, when it is used',
      });
      throw this.failure;
    }
    this.resolving.push(symbol);
    try {
      return make();
    } catch (error) {
      this.failure ??= error;
      throw error;
    } finally {
      this.resolving.pop();
    }
  }

  private refuseUnknown(symbol: symbol): void {
    if (this.tokens.has(symbol)) return;
    const name = nameOf(symbol);
    const known = [...this.tokens.values()];
    throw new AnemoneError({
      code: 'container.unknown-token',
      message: `nothing is registered as "${name}"${this.pathNote()}`,
      hint: didYouMean(name, known) ?? (known.length > 0 ? `known are ${known.join(', ')}` : undefined),
    });
  }

  private refuseUnread({ kind, name }: ComponentDescriptor): void {
    if (!this.read || this.read.has(kind)) return;
    const kinds = [...this.read.keys()];
    throw new AnemoneError({
      code: 'container.unread-kind',
      message: `"${name}" is a component of kind "${kind}", which nothing reads`,
      hint: `${didYouMean(kind, kinds) ?? `kinds are ${kinds.join(', ')};`} one of your own is announced with readKinds`,
    });
  }

  private refuseIfFrozen(what: string): void {
    if (this.frozenBy === undefined) return;
    throw new AnemoneError({
      code: 'container.frozen',
      message: `cannot register ${what}: the container is in use since "${this.frozenBy}" was built`,
      hint: 'register everything before the first resolve or instantiate',
    });
  }

  private pathNote(): string {
    return this.resolving.length === 0 ? '' : `, needed by ${this.resolving.map(nameOf).join(' → ')}`;
  }
}

/** Marks a constructor's parameter with the token of what it gets. */
export function inject<T>(token: Token<T>): ParameterDecorator {
  return tsyringeInject(token.symbol) as ParameterDecorator;
}

/** The symbols that `@inject` put on a class's constructor parameters, by index. */
function injectedSymbols(type: object): Map<number, symbol> {
  const marked = (Reflect.getOwnMetadata('injectionTokens', type) ?? {}) as Record<string, unknown>;
  const symbols = new Map<number, symbol>();
  for (const [index, entry] of Object.entries(marked)) {
    const symbol: unknown =
      typeof entry === 'object' && entry !== null && 'token' in entry ? entry.token : entry;
    if (typeof symbol === 'symbol') symbols.set(Number(index), symbol);
  }
  return symbols;
}

/** `anemone:clock` without its prefix. */
function nameOf(symbol: symbol): string {
  return (symbol.description ?? '').replace(/^anemone:/, '');
}
