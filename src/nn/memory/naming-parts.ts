// Says, while a model is traced, which module is computing: what is told of memory names modules then.
import { inPart } from '../../engine/index.js';
import { Module } from '../module.js';

type Method = (...args: unknown[]) => unknown;

/**
 * Runs `fn`; operations that methods of modules below `root` make meanwhile belong to these modules. For that, the methods
 * are covered by others of the same name until `fn` has returned.
 */
export function namingParts<R>(root: Module, fn: () => R): R {
  const modules = [...root.modules()];
  for (const module of modules) coverMethods(module);
  try {
    return fn();
  } finally {
    for (const module of modules) uncover(module);
  }
}

const covered = new WeakMap<Module, readonly string[]>();

function coverMethods(module: Module): void {
  if (covered.has(module)) return;
  const { path } = module;
  const names = methodNames(module);
  for (const [name, method] of names) {
    const cover = (...args: unknown[]) => inPart(path, () => method.apply(module, args));
    Object.defineProperty(module, name, { value: cover, configurable: true, writable: true });
  }
  covered.set(
    module,
    names.map(([name]) => name),
  );
}

function uncover(module: Module): void {
  for (const name of covered.get(module) ?? []) delete (module as unknown as Record<string, unknown>)[name];
  covered.delete(module);
}

/** Methods of a module's own classes, not those that all modules have. */
function methodNames(module: Module): [string, Method][] {
  const found = new Map<string, Method>();
  for (const at of prototypesOf(module)) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      const isMethod = typeof value === 'function' && name !== 'constructor' && !(name in Module.prototype);
      if (isMethod && !found.has(name) && !Object.hasOwn(module, name)) found.set(name, value as Method);
    }
  }
  return [...found];
}

/** The prototypes of a module's own classes, the innermost first. */
function prototypesOf(module: Module): object[] {
  const prototypes: object[] = [];
  let at: object | null = Object.getPrototypeOf(module);
  while (at && at !== Module.prototype) {
    prototypes.push(at);
    at = Object.getPrototypeOf(at);
  }
  return prototypes;
}
