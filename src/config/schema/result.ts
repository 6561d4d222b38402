// What checks find, and the memory of it: a section that was checked together with the whole config is not checked again
// when it is built. Only sections that nobody can change are remembered.
import type { AnemoneError, SourcePosition } from '../../errors/index.js';
import { isImmutable } from '../config-node.js';

/** Something a config asks for that will not happen; never silent. */
export interface ConfigWarning {
  readonly path: string;
  readonly position: SourcePosition | undefined;
  readonly message: string;
}

/** What a check found. */
export interface CheckResult<T> {
  /** The typed value; undefined if there are errors. */
  readonly value: T | undefined;
  readonly errors: readonly AnemoneError[];
  readonly warnings: readonly ConfigWarning[];
}

/** A schema, whose result is of its type. */
interface Checker<T> {
  validate(value: unknown): CheckResult<T>;
}

/** What schemas found in the sections of a config, so that none is checked twice. */
export class CheckMemory {
  private readonly results = new WeakMap<object, Map<object, CheckResult<unknown>>>();

  /** What `schema` found in `section`; undefined where it has not looked, or found an error. */
  recall<T>(schema: Checker<T>, section: unknown): CheckResult<T> | undefined {
    const foundResult = isImmutable(section) ? this.results.get(section)?.get(schema) : undefined;
    return foundResult as CheckResult<T> | undefined;
  }

  /** Keeps what `schema` found in `section`, unless it found errors. */
  keep<T>(schema: Checker<T>, section: unknown, result: CheckResult<T>): void {
    if (result.errors.length > 0 || !isImmutable(section)) return;
    const ofSection = this.results.get(section) ?? new Map<object, CheckResult<unknown>>();
    this.results.set(section, ofSection.set(schema, result));
  }
}
