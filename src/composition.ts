// The composition root: the one list of what a configuration may name.
import { adapterKind } from './adapters/index.js';
import { asrComponents, asrKinds } from './asr/index.js';
import { type ComponentDescriptor, type ConfigSection, Container, type KindOf } from './container/index.js';
import { engineComponents, engineKind } from './engine/index.js';
import { lmComponents } from './lm/index.js';
import { dataSourceKind } from './model/index.js';
import { optimizerKind, schedulerKind } from './optim/index.js';
import { tokenizerKind } from './text/index.js';
import {
  callbackKind,
  expManagerSchema,
  loggerKind,
  trainerSchema,
  trainingComponents,
} from './training/index.js';

/** Every component of this library. */
export const components: readonly ComponentDescriptor[] = [
  ...asrComponents,
  ...lmComponents,
  ...trainingComponents,
  ...engineComponents,
];

/** The top-level sections of a config besides `model`, whose keys are those of the model component it names. */
export const configSections: readonly ConfigSection[] = [
  { name: 'trainer', schema: trainerSchema },
  { name: 'exp_manager', schema: expManagerSchema },
];

/** The kinds of bricks that something reads. */
const kinds: readonly KindOf<unknown>[] = [
  ...asrKinds,
  dataSourceKind,
  adapterKind,
  optimizerKind,
  schedulerKind,
  tokenizerKind,
  callbackKind,
  loggerKind,
  engineKind,
];

/**
 * A container that knows all components, open for a user's own until it is first used. A component of a kind that nobody
 * reads is refused; a kind of your own is announced with `readKinds`.
 */
export function createDefaultContainer(): Container {
  return new Container(kinds).registerAll(components);
}
