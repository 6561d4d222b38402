// The composition root: the one list of what a configuration may name.
import { asrComponents } from './asr/index.js';
import { type ComponentDescriptor, type ConfigSection, Container } from './container/index.js';
import { expManagerSchema, trainerSchema, trainingComponents } from './training/index.js';

/** Every component of this library. */
export const components: readonly ComponentDescriptor[] = [...asrComponents, ...trainingComponents];

/** The top-level sections of a config besides `model`, whose keys are those of the model component it names. */
export const configSections: readonly ConfigSection[] = [
  { name: 'trainer', schema: trainerSchema },
  { name: 'exp_manager', schema: expManagerSchema },
];

/** A container that knows all components, open for a user's own until it is first used. */
export function createDefaultContainer(): Container {
  return new Container().registerAll(components);
}
