// What is alive in a step, module by module: repeated layers are added up, and modules below them are told with their layer.
import type { LiveValues } from '../../engine/index.js';

/** Values of a module, or of modules that repeat each other. */
export interface ModuleMemory {
  /** The module's path, with `*` for numbers; '' for what stands in none. */
  readonly path: string;
  /** How many modules that are: layers of a list. */
  readonly count: number;
  readonly bytes: number;
  /** Its modules and operators, the largest first. */
  readonly parts: readonly { readonly name: string; readonly bytes: number }[];
}

/** The modules that keep the most first. */
export function memoryByModule(alive: readonly LiveValues[]): readonly ModuleMemory[] {
  const groups = new Map<string, { bytes: number; members: Set<string>; parts: Map<string, number> }>();
  for (const { part, kind, bytes } of alive) {
    const { member, rest } = splitPath(part);
    const path = member.replace(/(^|\.)\d+(?=\.|$)/g, '$1*');
    const group = groups.get(path) ?? { bytes: 0, members: new Set(), parts: new Map() };
    group.bytes += bytes;
    group.members.add(member);
    const name = rest === '' ? kind : rest;
    group.parts.set(name, (group.parts.get(name) ?? 0) + bytes);
    groups.set(path, group);
  }
  const all = [...groups].map(([path, { bytes, members, parts }]) => ({
    path,
    count: members.size,
    bytes,
    parts: largestFirst([...parts].map(([name, bytes]) => ({ name, bytes }))),
  }));
  return largestFirst(all);
}

/** Layers of a list: those of which a path ends in `*`, or goes on below it. */
export function repeatedLayers(modules: readonly ModuleMemory[]): ModuleMemory | undefined {
  return modules.find(({ path, count }) => path.endsWith('*') && count > 1);
}

/** The layer of a list that a path leads into, or the first two names of it; and the module below that. */
function splitPath(path: string): { readonly member: string; readonly rest: string } {
  const names = path.split('.');
  const layer = names.findIndex((name) => /^\d+$/.test(name));
  const depth = layer >= 0 ? layer + 1 : Math.min(2, names.length);
  return { member: names.slice(0, depth).join('.'), rest: names[depth] ?? '' };
}

function largestFirst<T extends { readonly bytes: number }>(items: readonly T[]): readonly T[] {
  return [...items].sort((a, b) => b.bytes - a.bytes);
}
