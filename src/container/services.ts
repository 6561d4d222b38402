// Services that any part may ask for, and what they are where nobody registers another. Tokens of what one room makes
// stand in that room: ENGINE in engine, PROGRESS_VIEW and RUN_FOLDER in training.
import { type ConfigWarning, formatWarnings } from '../config/index.js';
import { readRegularFileSync } from '../formats/index.js';
import { token } from './component.js';

/** Seed of the initial weights and of the data's order and augmentation. Default 0; with a Trainer, `trainer.seed`. */
export const SEED = token<number>('seed', () => 0);

/** Gets a text for the user at a time, of one line or several. */
export type Log = (line: string) => void;

/** Default: nobody hears it; with a Trainer, its view says it. */
export const LOG = token<Log>('log', () => () => {});

/** Gets the keys of configs that have no effect. */
export type ConfigWarnings = (warnings: readonly ConfigWarning[]) => void;

/** Default: the log is told. */
export const CONFIG_WARNINGS = token<ConfigWarnings>('config-warnings', (container) =>
  warningsInLog(container.resolve(LOG)),
);

/** Tells a log of keys without effect. */
export function warningsInLog(log: Log): ConfigWarnings {
  return (warnings) => {
    if (warnings.length > 0) log(formatWarnings(warnings));
  };
}

/**
 * Reads a file that a config names. `name` is what it is called among a tokenizer's own `files()`, by which an archive or
 * checkpoint finds its copy: `tokenizer.model`, of one of several languages `en/tokenizer.model`.
 */
export type ReadFile = (path: string, name?: string) => Uint8Array;

/** Of one file: language models have gigabytes. */
const MAX_BYTES = 2 ** 32;

/**
 * Tokenizers, language models and phrases are read by it. Default: from disk. For the model of an archive or checkpoint it
 * is one that looks inside first.
 */
export const READ_FILE = token<ReadFile>(
  'read-file',
  () => (path) => readRegularFileSync(path, { maxBytes: MAX_BYTES }),
);
