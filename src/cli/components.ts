// `anemone components`: what a config can name, and the help of one component, printed from its schema.

import type { Command } from 'commander';
import type { Container } from '../container/index.js';
import { importOption } from './own-components.js';
import { show } from './print.js';

/** `load` gives the container to describe; it is called only when the command runs. */
export function registerComponents(
  program: Command,
  load: (modules: readonly string[]) => Promise<Container>,
): void {
  program
    .command('components')
    .description('List what a config can name, or print the keys of one component.')
    .argument('[name]', 'a component, such as ConformerEncoder or adamw')
    .addOption(importOption())
    .action(async (name: string | undefined, options: { readonly import: readonly string[] }) => {
      show(await describeComponents(await load(options.import), name));
    });
}

/** The text the command prints. @throws AnemoneError for a name nobody registered */
export async function describeComponents(container: Container, name?: string): Promise<string> {
  const { schemaToHelp } = await import('../config/index.js');
  const { AnemoneError, didYouMean } = await import('../errors/index.js');
  const all = container.components.list();
  if (name === undefined) {
    const kinds = [...new Set(all.map(({ kind }) => kind))];
    const namesOf = (kind: string) => all.filter((c) => c.kind === kind).map((c) => c.name);
    return `${kinds.map((kind) => `${kind}: ${namesOf(kind).join(', ')}`).join('\n')}\n`;
  }
  const namesakes = all.filter((c) => c.name === name || c.aliases.includes(name));
  if (namesakes.length === 0) {
    throw new AnemoneError({
      code: 'container.unknown-component',
      message: `there is no component named "${name}"`,
      hint:
        didYouMean(
          name,
          all.map((c) => c.name),
        ) ?? 'without a name, all are listed',
    });
  }
  return namesakes.map((c) => `${c.kind} ${schemaToHelp(c.schema)}`).join('\n');
}
