// `--import <module>`: components of the user's own for the commands that read a config. Only what the command
// line names is imported; a config or a checkpoint cannot make code run.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Option } from 'commander';
import type { ComponentDescriptor, Container } from '../container/index.js';

/** The option; it may be given several times. */
export function importOption(): Option {
  return new Option('--import <module>', 'a module that exports components of your own; repeatable')
    .argParser((value: string, before: readonly string[]) => [...before, value])
    .default([], 'none');
}

/**
 * A container that knows the library's components and those that the modules export.
 * @param modules files, relative to the current folder, or packages
 * @throws AnemoneError `cli.import` for a module that cannot be imported or exports no component,
 *   `container.duplicate` for a name that is taken
 */
export async function containerWith(modules: readonly string[] = []): Promise<Container> {
  const { createDefaultContainer } = await import('../composition.js');
  const container = createDefaultContainer();
  const components = new Set<ComponentDescriptor>();
  for (const module of modules)
    for (const ownComponent of await componentsOf(module)) components.add(ownComponent);
  return container.registerAll([...components]);
}

async function componentsOf(module: string): Promise<readonly ComponentDescriptor[]> {
  const { isComponent } = await import('../container/index.js');
  const exported = Object.values(await importModule(module)).flat();
  const components = exported.filter(isComponent);
  if (components.length > 0) return components;
  throw await failure(module, 'exports no component', 'export what component({...}) returns');
}

async function importModule(module: string): Promise<Readonly<Record<string, unknown>>> {
  const url = await urlOf(module);
  try {
    return (await import(url)) as Record<string, unknown>;
  } catch (cause) {
    const { code, message, name, stack = '' } = cause as NodeJS.ErrnoException;
    const needsLoader = code === 'ERR_UNKNOWN_FILE_EXTENSION';
    const place = stack.split('\n').find((line) => line.includes(url) && /:\d+/.test(line));
    throw await failure(
      module,
      `cannot be imported: ${name}: ${message}${place ? ` (${place.trim()})` : ''}`,
      needsLoader
        ? 'this Node runs no TypeScript: compile it, or set NODE_OPTIONS="--import tsx"'
        : undefined,
      cause,
    );
  }
}

async function urlOf(module: string): Promise<string> {
  const file = resolve(module);
  if (existsSync(file)) return pathToFileURL(file).href;
  try {
    return pathToFileURL(createRequire(join(process.cwd(), 'package.json')).resolve(module)).href;
  } catch (cause) {
    throw await failure(
      module,
      'there is no such file or package',
      'relative paths start at the current folder',
      cause,
    );
  }
}

async function failure(module: string, what: string, hint?: string, cause?: unknown): Promise<Error> {
  const { AnemoneError } = await import('../errors/index.js');
  return new AnemoneError({ code: 'cli.import', path: `--import ${module}`, message: what, hint, cause });
}
