// Which programs hold equal weights: those compiled between two changes of the states in them.
import type { ProgramState } from '../scope.js';

export class WeightGenerations {
  private versions = new Map<ProgramState, number>();
  private current: object = {};

  /** The generation of states with these versions: the last one, if no state in it has changed since. */
  of(versions: ReadonlyMap<ProgramState, number>): object {
    const changed = [...versions].some(
      ([state, version]) => (this.versions.get(state) ?? version) !== version,
    );
    if (changed) {
      this.versions = new Map();
      this.current = {};
    }
    for (const [state, version] of versions) this.versions.set(state, version);
    return this.current;
  }

  /** Forgets the states, whose programs are gone. */
  clear(): void {
    this.versions.clear();
  }
}
