// What commander lets pass: an option given twice, of which the last would win without a word, and a misspelt option
// told as the lack of the one that was meant.
import type { Command } from 'commander';

/** Options with one value may be given once; those that collect, and flags, as often as one likes. */
export function refuseRepeated(command: Command): void {
  for (const option of command.options) {
    const takesOne = (option.required || option.optional) && !option.variadic;
    if (!takesOne || Array.isArray(option.defaultValue)) continue;
    let givenCount = 0;
    command.on(`option:${option.name()}`, () => {
      givenCount++;
      if (givenCount === 2) command.error(`error: option '${option.flags}' is given twice`);
    });
  }
}

/**
 * Options without which the command does nothing. Commander's own `requiredOption` looks for them before it looks at
 * unknown ones.
 */
export function requireOptions(command: Command, ...longNames: readonly string[]): void {
  command.hook('preAction', () => {
    for (const option of command.options) {
      if (!longNames.includes(option.long ?? '')) continue;
      if (command.getOptionValue(option.attributeName()) === undefined) {
        command.error(`error: required option '${option.flags}' not specified`);
      }
    }
  });
}
