// A config on its way into an archive.
import { isMapping } from '../../config/index.js';

type Values = Record<string, unknown>;

/**
 * The sections of a config that is being made ready for NeMo: values are set and removed by the paths of sections.
 */
export class SavedSections {
  /** The whole, in the order in which it is written. */
  readonly root: Values;

  /** @param config is copied */
  constructor(config: Readonly<Record<string, unknown>>) {
    this.root = structuredClone(config);
  }

  /** The section at a dotted path, '' for the whole; undefined where there is none. */
  at(path: string): Values | undefined {
    let section: unknown = this.root;
    for (const key of path === '' ? [] : path.split('.'))
      section = isMapping(section) ? section[key] : undefined;
    return isMapping(section) ? section : undefined;
  }

  /** Gives keys of a section other values. A section that is not there is made. */
  set(path: string, values: Readonly<Values>): void {
    Object.assign(this.made(path), values);
  }

  /** Gives a top-level key its value where it has none. */
  setDefault(key: string, value: unknown): void {
    this.root[key] ??= value;
  }

  /** Takes keys out of the section at a dotted path; absent ones, and an absent section, are passed over. */
  remove(path: string, keys: readonly string[]): void {
    const section = this.at(path);
    for (const key of keys) if (section) delete section[key];
  }

  private made(path: string): Values {
    const existingSection = this.at(path);
    if (existingSection) return existingSection;
    const dot = path.lastIndexOf('.');
    const section: Values = {};
    this.made(dot < 0 ? '' : path.slice(0, dot))[path.slice(dot + 1)] = section;
    return section;
  }
}
