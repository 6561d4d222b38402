#!/usr/bin/env node
// The `anemone` command: finds the subcommand, runs it, and turns errors into one clear line and an exit code.
// The commands themselves are files beside this one, listed in commands.ts.

import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError } from 'commander';
import { type ErrorReport, exitOnClosedPipe, packageVersion, printable, reportOf } from '../errors/index.js';
import { commands } from './commands.js';
import { tell } from './print.js';
import { refuseRepeated } from './strict-options.js';

/** The whole program; tests parse with it, `run` executes it. */
export function createProgram(): Command {
  const program = new Command('anemone')
    .description('Train, validate and use speech models from YAML configs.')
    .version(packageVersion())
    .showHelpAfterError('(see anemone --help)')
    .exitOverride();
  for (const register of commands) register(program);
  for (const command of everyCommand(program)) {
    command.exitOverride().configureOutput({ writeErr: tell });
    refuseRepeated(command);
  }
  program.configureOutput({ writeErr: tell });
  return program;
}

/** Runs a command line (without program and script) and returns the exit code: 0, 2 for the user's mistakes, 1 for bugs. */
export async function run(argv: readonly string[]): Promise<number> {
  try {
    const program = createProgram();
    for (const command of [program, ...everyCommand(program)]) {
      command.configureOutput({ outputError: (text, write) => write(quotingSafely(text, argv)) });
    }
    await program.parseAsync([...argv], { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    // commander has printed its own message; help and version are no errors.
    if (error instanceof CommanderError)
      return error.exitCode === 0 || error.code === 'commander.help' ? 0 : 2;
    const { text, exitCode } = await report(error);
    tell(text);
    return exitCode;
  }
}

/** What is printed; ranks of MPI that fail alike agree on who speaks. */
async function report(error: unknown): Promise<ErrorReport> {
  const isRank = ['OMPI_COMM_WORLD_SIZE', 'PMI_SIZE', 'PMIX_RANK'].some(
    (name) => process.env[name] !== undefined,
  );
  if (!isRank) return reportOf(error);
  const { reportAmongRanks } = await import('../distributed/index.js');
  return reportAmongRanks(error);
}

/** A message of commander's, which quotes words as they are: one with a line end must not begin a line of ours. */
function quotingSafely(text: string, words: readonly string[]): string {
  const unsafe = words.filter((word) => printable(word) !== word);
  return unsafe.reduce((safe, word) => safe.replaceAll(word, printable(word)), text);
}

function everyCommand(command: Command): Command[] {
  return command.commands.flatMap((child) => [child, ...everyCommand(child)]);
}

/** True when this file is what Node was asked to run, also through npm's link. */
function isMain(): boolean {
  const script = process.argv[1];
  try {
    return script !== undefined && realpathSync(script) === fileURLToPath(import.meta.url);
  } catch {
    return false;
  }
}

if (isMain()) {
  exitOnClosedPipe();
  process.exitCode = await run(process.argv.slice(2));
}
