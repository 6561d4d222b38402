// The context of a check, which formats get.

import { AnemoneError, didYouMean, type SourcePosition } from '../../errors/index.js';
import { type ConfigNode, missingValue, positionOf } from '../config-node.js';

/** Something a config asks for that will not happen; never silent. */
export interface ConfigWarning {
  readonly path: string;
  readonly position: SourcePosition | undefined;
  readonly message: string;
}

/** What schemas need to know of the registered components; the container implements it. */
export interface ComponentLookup {
  /** Checks the mapping of a component against the component's schema, reporting to `at`. */
  checkComponent(node: ConfigNode, kind: string, nameKey: string, at: CheckContext): void;
}

interface Report {
  readonly message: string;
  readonly hint?: string;
  readonly code?: string;
  /** Default: where the value stands. */
  readonly position?: SourcePosition;
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
    );
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
    return new CheckContext(sinks, this.path, this.parent, this.key, this.position, this.sinks);
  }

  /** Hands a trial's findings to the context it came from. */
  keep(): void {
    this.outer?.problems.push(...this.sinks.problems);
    this.outer?.warnings.push(...this.sinks.warnings);
  }
}
