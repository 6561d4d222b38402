// The context of a check, which formats get.

import { AnemoneError, didYouMean, type SourcePosition } from '../../errors/index.js';
import { type ConfigNode, missingValue, positionOf } from '../config-node.js';
import type { CheckMemory, ConfigWarning } from './result.js';

/** What schemas need to know of the registered components; the container implements it. */
export interface ComponentLookup {
  /**
   * Finds the component that a mapping names and checks the mapping against its schema, reporting to `at`. Returns the
   * section to build of: this mapping or an equal one, for which the container remembers what was found.
   */
  checkComponent(node: ConfigNode, kind: string, nameKey: string, at: CheckContext): ConfigNode;
  /** Remembers what checks found, so that no section is checked twice. Absent: nothing is remembered. */
  readonly memory?: CheckMemory;
}

interface Report {
  readonly message: string;
  readonly hint?: string | undefined;
  readonly code?: string;
  /** Default: where the value stands. */
  readonly position?: SourcePosition | undefined;
}

/** Keys of a component that come later, by their dotted paths. */
interface Later {
  readonly given: ReadonlySet<string>;
  /** Those of them that have no value yet. */
  readonly open: Set<string>;
}

interface Sinks {
  readonly problems: AnemoneError[];
  readonly warnings: ConfigWarning[];
  readonly lookup: ComponentLookup | undefined;
}

/**
 * What a check carries along: the place it is at, and where its problems and warnings go. Formats report to it
 * instead of throwing, so that one check finds all mistakes.
 */
export class CheckContext {
  private constructor(
    private readonly sinks: Sinks,
    /** Keys from the top of the config. */
    readonly path: readonly (string | number)[],
    /** The mapping or list that holds the value, undefined at the top. */
    readonly parent: unknown,
    readonly key: string | number,
    readonly position: SourcePosition | undefined,
    private readonly outer?: Sinks,
    /** What whoever builds the component fills in; see {@link givenLater}. */
    private readonly later: Later = { given: new Set(), open: new Set() },
  ) {}

  /**
   * A context for the value at `path`, from which all others descend.
   * @param lookup knows the registered components; without it, components' mappings are not checked
   */
  static top(
    path: readonly (string | number)[],
    position: SourcePosition | undefined,
    lookup?: ComponentLookup,
  ): CheckContext {
    return new CheckContext({ problems: [], warnings: [], lookup }, path, undefined, '', position);
  }

  /** Whether the value comes later, from whoever builds the component, so that it may be absent, null or `???` until then. */
  get isGivenLater(): boolean {
    return this.later.given.has(this.path.join('.'));
  }

  /** Notes that the value has yet to come. */
  leaveOpen(): void {
    this.later.open.add(this.path.join('.'));
  }

  /** Whether a value within this one has yet to come. */
  get isOpen(): boolean {
    const start = this.path.length === 0 ? '' : `${this.path.join('.')}.`;
    return [...this.later.open].some((path) => path.startsWith(start));
  }

  /** The errors so far, of all contexts that descend from the same top. */
  get problems(): readonly AnemoneError[] {
    return this.sinks.problems;
  }

  /** The warnings so far, of all contexts that descend from the same top. */
  get warnings(): readonly ConfigWarning[] {
    return this.sinks.warnings;
  }

  /** The registered components, where the check knows them. */
  get lookup(): ComponentLookup | undefined {
    return this.sinks.lookup;
  }

  /** The context of a child of `node`. */
  child(node: unknown, key: string | number): CheckContext {
    return new CheckContext(
      this.sinks,
      [...this.path, key],
      node,
      key,
      positionOf(node, key) ?? this.position,
      undefined,
      this.later,
    );
  }

  /** The context of the same value, some keys of which, as dotted paths within it, are filled in later. */
  givenLater(keys: readonly string[]): CheckContext {
    const givenPaths = new Set(keys.map((key) => [...this.path, key].join('.')));
    const later = { given: givenPaths, open: new Set<string>() };
    const { sinks, path, parent, key, position, outer } = this;
    return new CheckContext(sinks, path, parent, key, position, outer, later);
  }

  /** Adds an error about the value here. Code `config.invalid-value` unless another is given. */
  report({ message, hint, code = 'config.invalid-value', position = this.position }: Report): void {
    this.add(new AnemoneError({ code, message, path: this.path.join('.'), position, hint }));
  }

  /** Adds the error of a value that still is `???`: code `config.missing`. */
  reportMissing(): void {
    this.add(missingValue(this.path, this.position));
  }

  /** Adds an error that was made elsewhere. */
  add(error: AnemoneError): void {
    this.sinks.problems.push(error);
  }

  /** Adds a warning about the value here. */
  warn(message: string, position = this.position): void {
    this.sinks.warnings.push({ path: this.path.join('.'), position, message });
  }

  /** The candidate that `name` is probably a misspelling of; undefined where none is near. */
  nearest(name: string, candidates: Iterable<string>): string | undefined {
    return didYouMean(name, candidates);
  }

  /** A context at the same place whose findings count only after {@link keep}. */
  trial(): CheckContext {
    const sinks = { problems: [], warnings: [], lookup: this.sinks.lookup };
    return new CheckContext(sinks, this.path, this.parent, this.key, this.position, this.sinks, this.later);
  }

  /** Hands a trial's findings to the context it came from. */
  keep(): void {
    this.outer?.problems.push(...this.sinks.problems);
    this.outer?.warnings.push(...this.sinks.warnings);
  }
}
