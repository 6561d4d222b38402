// The commands of `anemone`, in the order of its help. A command imports what it needs inside its action, so that
// `anemone --help` stays instant.

import type { Command } from 'commander';
import { registerComponents } from './components.js';
import { register as config } from './config.js';
import { register as data } from './data.js';
import { register as evaluate } from './evaluate.js';
import { register as exportModel } from './export.js';
import { register as generate } from './generate.js';
import { register as inspect } from './inspect.js';
import { register as manifest } from './manifest.js';
import { containerWith } from './own-components.js';
import { register as preprocess } from './preprocess.js';
import { register as replay } from './replay.js';
import { register as tokenizer } from './tokenizer.js';
import { register as train } from './train.js';
import { register as transcribe } from './transcribe.js';

const components = (program: Command): void => registerComponents(program, containerWith);

export const commands: readonly ((program: Command) => void)[] = [
  train,
  evaluate,
  transcribe,
  generate,
  inspect,
  exportModel,
  tokenizer,
  preprocess,
  data,
  manifest,
  config,
  components,
  replay,
];
