// The files that are made from the schemas of everything registered, with their texts.
import { configSections, createDefaultContainer } from '../src/composition.js';
import { configJsonSchema, configReference } from '../src/container/index.js';

/** The command that writes them. */
export const REFERENCE_COMMAND = 'npx tsx scripts/config-reference.ts';

/** Texts by path from the root of the repository. */
export function referenceFiles(): Readonly<Record<string, string>> {
  const components = createDefaultContainer().components.list();
  return {
    'docs/config-reference.md': configReference(configSections, components),
    'conf/config.schema.json': `${JSON.stringify(configJsonSchema(configSections, components), null, 1)}\n`,
  };
}
