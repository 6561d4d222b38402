// The counterpart of NeMo's hydra_runner for scripts: a config file, overrides from the command line, `--help`,
// and errors as one clear line with exit code 2.

import { existsSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AnemoneError, exitOnClosedPipe, reportOf } from '../errors/index.js';
import { toYaml } from './emit.js';
import { type Config, type LoadOptions, loadConfig } from './load.js';

/** Where a script's config and command line come from, and where its text goes. */
export interface RunOptions extends LoadOptions {
  /** Folder of the config; a relative path starts at the script's folder. Default: the script's folder. */
  readonly configPath?: string | URL;
  /** Name of the YAML file, with or without `.yaml`. */
  readonly configName?: string;
  /** Command line without program and script (default `process.argv.slice(2)`). */
  readonly argv?: readonly string[];
  /** Where help and the config are printed. Default: the process's own. */
  readonly stdout?: TextOutput;
  /** Where errors are printed. Default: the process's own. */
  readonly stderr?: TextOutput;
}

/** What text is written to; Node's streams fit. */
export interface TextOutput {
  /** Writes `text` as it is, without a line end of its own. */
  write(text: string): unknown;
}

interface CommandLine {
  readonly overrides: string[];
  configPath?: string;
  configName?: string;
  show?: 'help' | 'config';
}

/**
 * Loads the config a command line asks for and runs `main` with it:
 *
 *     await runWithConfig(async (cfg) => { ... }, { configPath: '../conf', configName: 'quickstart' });
 *
 * Never throws: an error is written to stderr and sets `process.exitCode` (2 for mistakes of the user, 1 for bugs).
 * @returns the exit code
 */
export async function runWithConfig(
  main: (config: Config) => unknown,
  options: RunOptions = {},
): Promise<number> {
  const { stdout = process.stdout, stderr = process.stderr } = options;
  if (stdout === process.stdout) exitOnClosedPipe();
  try {
    const line = parseCommandLine(options.argv ?? process.argv.slice(2));
    const file = configFile(line, options);
    if (line.show === 'help' && file === undefined) {
      stdout.write(usage());
      return 0;
    }
    if (file === undefined) {
      throw new AnemoneError({
        code: 'config.no-name',
        message: 'no config was named',
        hint: 'use --config-name NAME',
      });
    }
    const config = loadConfig(file, line.overrides, options);
    if (line.show === 'help') stdout.write(`${usage()}\n== ${file} ==\n`);
    if (line.show) stdout.write(toYaml(config));
    else await main(config);
    return 0;
  } catch (error) {
    const { text, exitCode } = reportOf(error);
    stderr.write(text);
    process.exitCode = exitCode;
    return exitCode;
  }
}

const VALUE_OPTIONS: Readonly<Record<string, 'configPath' | 'configName' | 'cfg'>> = {
  '--config-path': 'configPath',
  '-cp': 'configPath',
  '--config-name': 'configName',
  '-cn': 'configName',
  '--cfg': 'cfg',
  '-c': 'cfg',
};

function parseCommandLine(argv: readonly string[]): CommandLine {
  const line: CommandLine = { overrides: [] };
  for (let i = 0; i < argv.length; i++) {
    const [flag, ...rest] = argv[i].split('=');
    const option = VALUE_OPTIONS[flag];
    if (option) {
      const value = rest.length > 0 ? rest.join('=') : argv[++i];
      if (value === undefined) throw badFlag(`${flag} needs a value`);
      if (option === 'cfg') line.show = 'config';
      else line[option] = value;
    } else if (argv[i] === '--help' || argv[i] === '-h') {
      line.show = 'help';
    } else if (argv[i] === '--resolve' || argv[i] === '--') {
      // What is shown is always interpolated; `--` only ends the flags.
    } else if (argv[i].startsWith('-')) {
      throw badFlag(`unknown flag ${argv[i]}`);
    } else {
      line.overrides.push(argv[i]);
    }
  }
  return line;
}

function configFile(line: CommandLine, options: RunOptions): string | undefined {
  const name = line.configName ?? options.configName;
  if (name === undefined) return undefined;
  const folder = configFolder(line.configPath, options.configPath);
  const file = join(folder, name);
  return existsSync(file) || /\.ya?ml$/.test(name) ? file : `${file}.yaml`;
}

/** A folder given by flag is looked for from the working folder first, since that is what shells complete. */
function configFolder(flag: string | undefined, givenFolder: string | URL | undefined): string {
  const script = process.argv[1] === undefined ? process.cwd() : dirname(resolve(process.argv[1]));
  if (flag !== undefined) return isAbsolute(flag) || existsSync(flag) ? flag : resolve(script, flag);
  if (givenFolder instanceof URL) return fileURLToPath(givenFolder);
  return givenFolder === undefined ? script : resolve(script, givenFolder);
}

function badFlag(message: string): AnemoneError {
  return new AnemoneError({
    code: 'config.bad-flag',
    message,
    hint: 'flags are --config-path, --config-name, --cfg job and --help; everything else is key=value',
  });
}

function usage(): string {
  return [
    'Usage: [--config-path FOLDER] [--config-name NAME] [--cfg job] [--help] [OVERRIDE...]',
    '',
    '  key=value     change a value        +key=value   add a key',
    '  ++key=value   change or add         ~key         remove a key',
    '',
    '  --cfg job     print the effective config and stop',
    '',
  ].join('\n');
}
