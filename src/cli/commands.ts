// The commands of `anemone`, in the order of its help. A command imports what it needs inside its action, so that
// `anemone --help` stays instant.

import type { Command } from 'commander';
import { registerComponents } from './components.js';
import { register as config } from './config.js';
import { register as manifest } from './manifest.js';

const components = (program: Command): void =>
  registerComponents(program, async () => (await import('../composition.js')).createDefaultContainer());

export const commands: readonly ((program: Command) => void)[] = [config, manifest, components];
