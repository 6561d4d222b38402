// tsyringe, loaded with the first container: thirty modules that an import alone does not need. Its metadata are those of
// `reflect-metadata`, which whoever marks classes imports before.
import { createRequire } from 'node:module';

let loaded: typeof import('tsyringe') | undefined;

export function tsyringe(): typeof import('tsyringe') {
  loaded ??= createRequire(import.meta.url)('tsyringe') as typeof import('tsyringe');
  return loaded;
}
