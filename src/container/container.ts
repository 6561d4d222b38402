// Dependency injection: services by token, components by name. tsyringe does the wiring inside; it is never seen
// outside, and its global container is never used.
import 'reflect-metadata';
import type { DependencyContainer } from 'tsyringe';
import { type ConfigNode, type ConfigWarning, isMapping, overlayNode, pathOf } from '../config/index.js';
import { AnemoneError, didYouMean } from '../errors/index.js';
import { wire } from './class-tokens.js';
import {
  type BuildContext,
  type ComponentDescriptor,
  defineKind,
  type InstantiateOptions,
  type KindOf,
  type Token,
} from './component.js';
import { buildKeys, type CheckedComponent, ComponentRegistry } from './registry.js';
import { type Made, nameOf, type Registration, Resolution } from './resolution.js';
import { tsyringe } from './tsyringe.js';

/** @param asked for the service; @param context the same, and later the container that keeps it */
type Make<T> = (asked: Container, context: BuildContext) => T;

interface Service extends Registration {
  readonly make: Make<unknown>;
}

/** Of a scope: what is around it. */
interface Surroundings {
  readonly outer: Container;
  readonly components: ComponentRegistry;
}

/**
 * Dependency injection: services by token, components by name. tsyringe does the wiring inside; it is never seen
 * outside, and its global container is never used.
 */
export class Container implements BuildContext {
  readonly components: ComponentRegistry;
  /** Keys of configs that had no effect, collected over every `instantiate`. */
  readonly warnings: ConfigWarning[];

  /** Kinds that somebody reads; absent: whatever is registered. */
  private readonly read: Map<string, string> | undefined;
  private readonly outer: Container | undefined;
  private readonly depth: number;
  private readonly inner: DependencyContainer;
  private readonly registered = new Map<symbol, Service>();
  private readonly defaults = new Map<symbol, Service>();
  /** Of services that are made once for this container and those inside it. */
  private readonly made = new Map<Registration, Made<unknown>>();
  /** Tokens of services that were handed out here or in a scope. */
  private readonly used = new Set<symbol>();
  private readonly resolution: Resolution;
  private frozenBy: string | undefined;

  /**
   * @param kinds that are read, so that a component of another kind is an error; default: all are allowed
   * @param surroundings use `scope`
   */
  constructor(kinds?: readonly KindOf<unknown>[], surroundings?: Surroundings) {
    const { outer, components = new ComponentRegistry() } = surroundings ?? {};
    this.outer = outer;
    this.components = components;
    this.depth = outer ? outer.depth + 1 : 0;
    this.warnings = outer?.warnings ?? [];
    this.resolution = outer?.resolution ?? new Resolution();
    this.read = outer ? outer.read : kinds && new Map(kinds.map(({ kind, what }) => [kind, what]));
    this.inner = (outer?.inner ?? tsyringe().container).createChildContainer();
    scopes.set(this.inner, this);
  }

  /**
   * A container inside this one, such as a model under construction has: it sees the services of this one, and what is
   * registered in it is seen there alone.
   * @param components that it builds; default: those of this container, which both share
   */
  scope(components: ComponentRegistry = this.components): Container {
    return new Container(undefined, { outer: this, components });
  }

  /** Announces kinds that parts of your own read. */
  readKinds(kinds: readonly KindOf<unknown>[]): this {
    for (const { kind, what } of kinds) this.read?.set(kind, what);
    return this;
  }

  /**
   * Registers a service made by a function, when it is first asked for. It is made once for the container, or once for each
   * scope where it needs something that scopes have of their own.
   * @throws AnemoneError `container.duplicate`, `container.frozen`
   */
  registerFactory<T>(token: Token<T>, factory: (container: BuildContext) => T): this {
    return this.register(token, (_, context) => factory(context));
  }

  /** Registers a ready-made service. @throws AnemoneError `container.duplicate`, `container.frozen` */
  registerValue<T>(token: Token<T>, value: T): this {
    return this.register(token, () => value);
  }

  /**
   * Registers a class; its constructor's parameters get the services of `tokens`, in order. Without `tokens` each
   * parameter must be marked `@inject(token)` in the class.
   * @throws AnemoneError `container.uninjected-parameter` for a parameter without a token: esbuild and tsx emit no
   * decorator metadata, so it would silently become undefined; `container.duplicate`, `container.frozen`
   */
  registerClass<T, P extends readonly unknown[]>(
    token: Token<T>,
    type: new (...args: P) => T,
    tokens?: { readonly [I in keyof P]: Token<P[I]> },
  ): this {
    const { wired, needs } = wire(type, tokens);
    return this.register(token, (container) => {
      for (const neededToken of needs) container.refuseUnknown(neededToken);
      return container.inner.resolve<T>(wired);
    });
  }

  /**
   * Registers what a service is as long as nobody registers another, be it here, around or in a scope.
   * @throws AnemoneError `container.duplicate`, `container.frozen`
   */
  registerDefault<T>(token: Token<T>, factory: (container: BuildContext) => T): this {
    return this.register(token, (_, context) => factory(context), this.defaults);
  }

  /**
   * Registers components, so that configs can name them.
   * @throws AnemoneError `container.unread-kind` for a kind that nobody reads, `container.duplicate`, `container.frozen`
   */
  registerAll(components: readonly ComponentDescriptor[]): this {
    for (const descriptor of components) {
      refuseIfUsed(`the ${descriptor.kind} "${descriptor.name}"`, this.frozenBy ?? this.components.usedBy);
      this.refuseUnread(descriptor);
      this.components.add(descriptor);
    }
    return this;
  }

  /** Whether there is a service for a token: one registered, or what the token falls back on. */
  has(token: Token<unknown>): boolean {
    return this.find(token.symbol) !== undefined || token.fallback !== undefined;
  }

  /** Whether somebody registered a service here or around, as opposed to a default. */
  isRegistered({ symbol }: Token<unknown>): boolean {
    return this.line().some(({ registered }) => registered.has(symbol));
  }

  /** The service of a token. @throws AnemoneError `container.unknown-token` or `container.cycle` */
  resolve<T>(token: Token<T>): T {
    this.frozenBy ??= nameOf(token.symbol);
    this.refuseUnknown(token);
    return this.resolution.attempt(() => this.inner.resolve<T>(token.symbol));
  }

  /** Lets go of a service made here, and of what was made of it: they are made anew when somebody asks. */
  forget({ symbol }: Token<unknown>): void {
    for (const [registration, { needs }] of this.made) if (needs.has(symbol)) this.made.delete(registration);
  }

  /**
   * Builds the component a mapping names, from the rest of the mapping.
   * @throws AnemoneError `container.unknown-component`, `container.wrong-kind`, `container.unnamed`, or
   * `config.invalid` with everything wrong in the mapping
   */
  instantiate<T>(node: ConfigNode, kind: KindOf<T> | string, options: InstantiateOptions = {}): T {
    const { kind: name, what } = typeof kind === 'string' ? defineKind(kind) : kind;
    if (!isMapping(node)) {
      throw new AnemoneError({
        code: 'container.not-a-mapping',
        message: `expected a mapping that describes ${what}, got ${node === undefined ? 'nothing' : JSON.stringify(node)}`,
      });
    }
    this.frozenBy ??= `a ${name}`;
    this.components.usedBy ??= `a ${name}`;
    const { descriptor, value } = this.checked(node, name, options);
    return this.build(descriptor, value) as T;
  }

  /** The component of a section with its typed config: as the check of the whole config found them, or found now. */
  private checked(node: ConfigNode, kind: string, options: InstantiateOptions): CheckedComponent {
    const { nameKey = '_target_', defaultName, skip, with: values } = options;
    const { components: lookup, warnings } = this;
    const path = pathOf(node);
    const knownComponent = lookup.recall(node, kind);
    if (knownComponent) {
      const { descriptor, value } = knownComponent;
      if (!values) return knownComponent;
      return { descriptor, value: descriptor.schema.complete(value, values, { path, lookup, warnings }) };
    }
    const descriptor = lookup.findFor(node, kind, nameKey, defaultName, path);
    const section = values ? overlayNode(node, values) : node;
    const value = descriptor.schema.parse(section, {
      path,
      lookup,
      skip: buildKeys(nameKey, skip),
      warnings,
    });
    return { descriptor, value };
  }

  /** Builds a component from its config, already checked. @throws AnemoneError what its `create` throws */
  build(descriptor: ComponentDescriptor, config: unknown): unknown {
    const { kind, name } = descriptor;
    return this.resolution.component(`the ${kind.replaceAll('_', ' ')} "${name}"`, this, () =>
      descriptor.create(config, this),
    );
  }

  /** The names of all services registered here and around. */
  services(): readonly Token<unknown>[] {
    const symbols = this.line().flatMap(({ registered, defaults }) => [
      ...registered.keys(),
      ...defaults.keys(),
    ]);
    return [...new Set(symbols)].map((symbol) => ({ symbol }));
  }

  private register<T>(
    { symbol }: Token<T>,
    make: Make<T>,
    into: Map<symbol, Service> = this.registered,
  ): this {
    const name = nameOf(symbol);
    refuseIfUsed(`"${name}"`, this.frozenBy ?? (this.used.has(symbol) ? name : undefined));
    if (into.has(symbol)) {
      throw new AnemoneError({ code: 'container.duplicate', message: `"${name}" is registered twice` });
    }
    this.add(into, symbol, make);
    return this;
  }

  private add(into: Map<symbol, Service>, symbol: symbol, make: Make<unknown>): void {
    into.set(symbol, { symbol, depth: this.depth, make });
    // tsyringe says which of the containers inside one another was asked; that one knows what counts there.
    this.inner.register(symbol, { useFactory: (asked) => scopes.get(asked)?.provide(symbol) });
  }

  /** This container and those around it, from the inside. */
  private line(): readonly Container[] {
    return [this, ...(this.outer?.line() ?? [])];
  }

  /** What a token stands for here: the innermost registration, or else the innermost default. */
  private find(symbol: symbol): Service | undefined {
    const line = this.line();
    for (const { registered } of line) if (registered.has(symbol)) return registered.get(symbol);
    return line.find(({ defaults }) => defaults.has(symbol))?.defaults.get(symbol);
  }

  /** The service as it is here, made now unless it was made before of the same parts. */
  private provide(symbol: symbol): unknown {
    const service = this.find(symbol) as Service;
    const line = this.line();
    for (const { used } of line) used.add(symbol);
    const before = line.map(({ made }) => made.get(service)).find((made) => made && this.fits(made));
    if (before) {
      this.resolution.note(before.needs, this);
      return before.value;
    }
    const context = new AskingContext(this);
    const madeService = this.resolution.service(service, this, () => service.make(this, context));
    const depth = Math.max(...[...madeService.needs.values()].map((neededService) => neededService.depth));
    const home = line.find((container) => container.depth === depth) ?? this;
    home.made.set(service, madeService);
    context.container = home;
    return madeService.value;
  }

  /** Whether something was made of what its tokens stand for here. */
  private fits({ needs }: Made<unknown>): boolean {
    return [...needs].every(([symbol, registration]) => this.find(symbol) === registration);
  }

  /** What the token falls back on becomes the outermost container's default. */
  private refuseUnknown({ symbol, fallback, hint }: Token<unknown>): void {
    if (this.find(symbol)) return;
    if (fallback) {
      const outermost = this.line().at(-1) as Container;
      outermost.add(outermost.defaults, symbol, (_, context) => fallback(context));
      return;
    }
    const name = nameOf(symbol);
    const knownNames = this.services().map((token) => nameOf(token.symbol));
    throw new AnemoneError({
      code: 'container.unknown-token',
      message: `nothing is registered as "${name}"${this.resolution.neededBy}`,
      hint:
        hint ??
        didYouMean(name, knownNames) ??
        (knownNames.length > 0 ? `known are ${knownNames.join(', ')}` : undefined),
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
}

/** What a factory is given. It may keep it, and asks a scope only as long as the service is being made for that scope. */
class AskingContext implements BuildContext {
  constructor(public container: Container) {}

  resolve<T>(token: Token<T>): T {
    return this.container.resolve(token);
  }

  instantiate<T>(node: ConfigNode, kind: KindOf<T> | string, options?: InstantiateOptions): T {
    return this.container.instantiate(node, kind, options);
  }
}

/** Containers by those of tsyringe inside them. */
const scopes = new WeakMap<DependencyContainer, Container>();

/** @param usedBy the first thing that was built, if any */
function refuseIfUsed(what: string, usedBy: string | undefined): void {
  if (usedBy === undefined) return;
  throw new AnemoneError({
    code: 'container.frozen',
    message: `cannot register ${what}: the container is in use since "${usedBy}" was built`,
    hint: 'register everything before the first resolve or instantiate',
  });
}
