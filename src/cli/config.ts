// `anemone config`: the effective config of a file and overrides, as it would be used, and what is wrong with it.

import type { Command } from 'commander';
import { containerWith, importOption } from './own-components.js';
import { show, showJson } from './print.js';

interface PrintOptions {
  readonly positions?: boolean;
  readonly json?: boolean;
  readonly key?: string;
}

export function register(program: Command): void {
  const config = program.command('config').description('Look at configs.');
  config
    .command('print')
    .description(
      'Print the effective config: merged, overridden, interpolated. The output is a config again.',
    )
    .argument('<file>', 'a YAML file')
    .argument(
      '[overrides...]',
      'key=value, +key=value, ++key=value or ~key (after "--" if it starts with a dash)',
    )
    .option('--positions', 'say where each value was written')
    .option('--json', 'print JSON')
    .option('--key <path>', 'only this part, such as model.encoder')
    .action(print);
  config
    .command('check')
    .description('Check all sections of a config at once, without training or opening anything.')
    .argument('<file>', 'a YAML file')
    .argument(
      '[overrides...]',
      'key=value, +key=value, ++key=value or ~key (after "--" if it starts with a dash)',
    )
    .addOption(importOption())
    .action(check);
}

async function check(
  file: string,
  overrides: string[],
  options: { readonly import: readonly string[] },
): Promise<void> {
  const { checkConfig } = await import('../asr/index.js');
  const { formatWarnings, loadConfig } = await import('../config/index.js');
  const { printable } = await import('../errors/index.js');
  const { specialTokens } = await import('./special-tokens.js');
  const container = await containerWith(options.import);
  const { config, sections } = specialTokens(loadConfig(file, overrides));
  const warnings = checkConfig(config, { container, sections });
  show(formatWarnings(warnings));
  show(`${printable(file)}: no mistakes found\n`);
}

async function print(file: string, overrides: string[], options: PrintOptions): Promise<void> {
  const { isMapping, loadConfig, resolveConfig, selectValue, toYaml } = await import('../config/index.js');
  const { AnemoneError } = await import('../errors/index.js');
  const config = loadConfig(file, overrides);
  const part = options.key === undefined ? config : selectValue(config, options.key);
  if (part === undefined) {
    const top = Object.keys(config).join(', ');
    throw new AnemoneError({
      code: 'config.unknown-key',
      message: `${file} has no "${options.key}"`,
      hint: `sections of the file are ${top}; keys within one are separated by dots`,
    });
  }
  if (!isMapping(part)) {
    show(`${typeof part === 'string' ? part : JSON.stringify(part)}\n`);
    return;
  }
  if (options.json) showJson(`${JSON.stringify(resolveConfig(part), null, 2)}\n`);
  else show(toYaml(part, { positions: options.positions ?? false }));
}
