// Gives errors of code that knows no files the line of the config they are about.
import { AnemoneError, type SourcePosition } from '../errors/index.js';
import { type ConfigNode, isMapping, pathOf, positionOf } from './config-node.js';

/** A value of a config and where it was written. */
export interface Place {
  readonly value: unknown;
  readonly position: SourcePosition | undefined;
}

/** What stands at a dotted path of keys below `node`; undefined where nothing does. */
export function placeOf(node: ConfigNode, path: string): Place | undefined {
  const keys = path.split('.');
  let section: ConfigNode = node;
  for (const key of keys.slice(0, -1)) {
    const innerValue: unknown = key in section ? section[key] : undefined;
    if (!isMapping(innerValue)) return undefined;
    section = innerValue;
  }
  const last = keys.at(-1) as string;
  if (!(last in section)) return undefined;
  return { value: section[last], position: positionOf(section, last) };
}

/**
 * What `make` builds of a section. An error that names one of the section's keys, as constructors throw them, gets the
 * key's line and whole path where the section was read from a file; a key with its default, the section's line.
 */
export function withPosition<T>(section: ConfigNode, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof AnemoneError) || error.position || !error.path) throw error;
    const sectionPath = pathOf(section);
    const prefixes = [`${sectionPath}.`, `${sectionPath.split('.').at(-1)}.`];
    const prefix = prefixes.find((start) => error.path?.startsWith(start)) ?? '';
    const key = error.path.slice(prefix.length);
    const position = placeOf(section, key)?.position ?? positionOf(section);
    if (!position) throw error;
    const { code, reason: message, lines, hint, details } = error;
    throw new AnemoneError({
      code,
      path: `${sectionPath}.${key}`,
      position,
      message,
      lines,
      hint,
      details,
      cause: error,
    });
  }
}
