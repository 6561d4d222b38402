// What a check carries along: the place it is at, and where its problems and warnings go.

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
  readonly hint?: string | undefined;
  readonly code?: string;
  /** Default: where the value stands. */
  readonly position?: SourcePosition | undefined;
}

interface Sinks {
  readonly problems: AnemoneError[];
  readonly warnings: ConfigWarning[];
  readonly lookup: ComponentLookup | undefined;
}

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

  static top(
    path: readonly (string | number)[],
    position: SourcePosition | undefined,
    lookup?: ComponentLookup,
  ): CheckContext {
    return new CheckContext({ problems: [], warnings: [], lookup }, path, undefined, '', position);
  }

  get problems(): readonly AnemoneError[] {
    return this.sinks.problems;
  }

  get warnings(): readonly ConfigWarning[] {
    return this.sinks.warnings;
  }

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

  report({ message, hint, code = 'config.invalid-value', position = this.position }: Report): void {
    this.add(new AnemoneError({ code, message, path: this.path.join('.'), position, hint }));
  }

  reportMissing(): void {
    this.add(missingValue(this.path, this.position));
  }

  /** Adds an error that was made elsewhere. */
  add(error: AnemoneError): void {
    this.sinks.problems.push(error);
  }

  warn(message: string, position = this.position): void {
    this.sinks.warnings.push({ path: this.path.join('.'), position, message });
  }

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
